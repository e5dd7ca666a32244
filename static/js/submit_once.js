// A second click on a button that is already at work does nothing. The server would give the same answer twice anyway; this
// only spares the person the wait and the doubt.
(() => {
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-submit-once]");
    if (!form || event.defaultPrevented) return;
    if (form.dataset.submitted) {
      event.preventDefault();
      return;
    }
    form.dataset.submitted = "1";
    form.setAttribute("aria-busy", "true");
    const button = event.submitter;
    // After the browser has read the form: a button that is disabled earlier would not send its own name and value.
    setTimeout(() => {
      if (button) button.setAttribute("aria-disabled", "true");
    });
  });
  const release = (form) => {
    delete form.dataset.submitted;
    form.removeAttribute("aria-busy");
    for (const button of form.querySelectorAll("[aria-disabled]")) button.removeAttribute("aria-disabled");
  };
  // Coming back with the browser's Back button shows the page as it was left: make its forms usable again.
  addEventListener("pageshow", () => document.querySelectorAll("form[data-submitted]").forEach(release));
  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.target.closest?.("form[data-submitted]");
    if (form) release(form);
  });
})();
