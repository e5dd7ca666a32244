// A secret that is shown once: downloads made from the page itself, a question before it is left unstored, and nothing kept
// in the back-forward cache. Everything works without this file too: values can be selected, "Done" is a plain form.
(() => {
  const panel = document.querySelector("[data-secret-once]");
  if (!panel) return;
  const stored = panel.querySelector("[data-secret-stored]");
  const done = panel.querySelector("[data-secret-done]");
  const downloads = panel.querySelector("[data-secret-downloads]");

  const values = () =>
    [...panel.querySelectorAll("[data-secret-name]")].map((mark) => [
      mark.dataset.secretName,
      document.getElementById(mark.dataset.secretFor).value,
    ]);
  const asEnv = () =>
    values()
      .map(([name, value]) => `${name}="${value.replace(/[\\"$`]/g, "\\$&")}"\n`)
      .join("");
  const asJson = () => `${JSON.stringify(Object.fromEntries(values()), null, 2)}\n`;
  const save = (kind) => {
    const text = kind === "env" ? asEnv() : asJson();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: kind === "env" ? "text/plain" : "application/json" }));
    link.download = kind === "env" ? `${panel.dataset.filename}.env` : `${panel.dataset.filename}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // a busy browser begins to save late
  };

  downloads.addEventListener("click", (event) => {
    const button = event.target.closest("[data-secret-download]");
    if (button) save(button.dataset.secretDownload);
  });

  const follow = () => done.toggleAttribute("disabled", !stored.checked);
  stored.addEventListener("change", follow);
  follow();

  const wipe = () => {
    for (const field of panel.querySelectorAll("input:not([type=checkbox]), textarea")) {
      field.value = "";
      field.removeAttribute("value");
      field.textContent = "";
    }
  };
  addEventListener("beforeunload", (event) => {
    if (!stored.checked) event.preventDefault();
  });
  addEventListener("pagehide", wipe);
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload(); // the server says what may be seen now: not the secret
  });
})();
