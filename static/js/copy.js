// Copy buttons. Without scripts there are none (.needs-scripts), and the value can be selected by hand.
(() => {
  // A screen reader is told here: what changes inside a button is not read out.
  const said = document.createElement("div");
  said.className = "visually-hidden";
  said.setAttribute("role", "status");
  document.body.append(said); // not into main, where what stood last would no longer be last, and move
  const textOf = (element) => ("value" in element ? element.value : element.textContent);
  const copy = async (element, button) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(textOf(element));
    // http without TLS has no clipboard API: select the text and use the old command
    const range = document.createRange();
    if (element.select) element.select();
    else {
      range.selectNodeContents(element);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
    }
    if (!document.execCommand("copy")) throw new Error("copy refused");
    button.focus({ preventScroll: true }); // what was selected took it
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const element = document.querySelector(button.dataset.copy);
    const word = button.querySelector("[data-copy-word]");
    try {
      await copy(element, button);
    } catch {
      if (element.select) element.select(); // the person can still press Ctrl+C
      return;
    }
    const before = word.textContent;
    if (before === word.dataset.copied) return;
    word.textContent = word.dataset.copied;
    said.textContent = button.textContent;
    setTimeout(() => {
      word.textContent = before;
      said.textContent = "";
    }, 2000);
  });
})();
