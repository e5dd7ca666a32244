// <button data-dialog="id"> opens the <dialog> of that id as a modal; a click on the backdrop closes it.
(() => {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    if (opener) document.getElementById(opener.dataset.dialog)?.showModal();
    else if (event.target.matches?.("dialog[open]")) event.target.close();
  });
})();
