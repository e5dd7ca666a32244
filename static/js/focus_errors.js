// After a form came back with errors, the keyboard and the screen reader start at the summary of them.
(() => {
  const focus = (root) => root.querySelector?.("[data-focus-on-load]")?.focus();
  focus(document);
  document.addEventListener("htmx:afterSettle", (event) => focus(event.target));
})();
