// After a form came back with errors, the keyboard and the screen reader start at the summary of them.
(() => {
  const focus = (root) => root.querySelector?.("[data-focus-on-load]")?.focus();
  focus(document);
  document.addEventListener("htmx:afterSettle", (event) => focus(event.target));
  // Past the menu, but not by the address: where that ends in #content, a form that comes back gives no field the focus.
  document.querySelector(".skip-link")?.addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("content").focus();
  });
})();
