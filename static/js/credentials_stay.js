// A token that is pasted into a search field does not leave it: what is searched for stands in the address, and addresses are
// kept. The server takes it out as well (kaizala_console/addresses.py), but then it was in the address already.
(() => {
  const says = document.currentScript.dataset.says;
  const secretPart = /(^|[^A-Za-z0-9_-]|%[0-9A-Fa-f]{2})kz(cs|rt|at)_[A-Za-z0-9_-]{17,}/;
  const isAsked = (field) => field.type === "search" || (field.form?.method === "get" && field.type === "text");

  const check = (field) => {
    if (field instanceof HTMLInputElement && isAsked(field)) field.setCustomValidity(secretPart.test(field.value) ? says : "");
  };
  document.addEventListener("input", (event) => check(event.target));
  // What the browser filled in by itself, or brought back.
  addEventListener("pageshow", () => document.querySelectorAll("input").forEach(check));
  // A list that follows the typing asks without sending a form.
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.verb !== "get") return;
    const values = [...event.detail.formData.values()];
    if (values.some((value) => secretPart.test(value))) {
      event.preventDefault();
      event.detail.elt.reportValidity?.();
    }
  });
})();
