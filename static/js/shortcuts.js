// Keys for people who come every day: "/" searches, "?" shows the list of keys, "g" and then a letter goes to a page.
(() => {
  const PATIENCE_MS = 1200; // so long a "g" waits for its letter
  const sheet = document.getElementById("shortcuts");
  let leader = 0;

  // Single keys can be switched off (WCAG 2.1.4): whoever speaks to the machine would press them without meaning to.
  const used = document.querySelector("[data-shortcuts-used]");
  try {
    if (used) used.checked = localStorage.getItem("shortcuts") !== "off";
  } catch {
    // storage can be forbidden: then it holds for this page only
  }
  used?.addEventListener("change", () => {
    try {
      localStorage.setItem("shortcuts", used.checked ? "on" : "off");
    } catch {
      // as above
    }
  });

  const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable], dialog[open]");

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isTyping(event.target)) return;
    if (used && !used.checked) return;
    if (event.key === "/") {
      const field = document.querySelector("#content input[type=search]") || document.getElementById("search-anywhere");
      const visible = field?.checkVisibility?.({ visibilityProperty: true }) ?? true;
      event.preventDefault();
      if (field && visible) field.select();
      else location.assign(document.querySelector("[data-search-page]").dataset.searchPage);
      return;
    }
    if (event.key === "?" && sheet) {
      event.preventDefault();
      sheet.showModal();
      return;
    }
    if (event.key === "g") {
      leader = Date.now();
      return;
    }
    if (Date.now() - leader < PATIENCE_MS) {
      const link = document.querySelector(`[data-shortcut="${CSS.escape(event.key)}"]`);
      leader = 0;
      if (link) {
        event.preventDefault();
        link.click();
      }
    }
  });
})();
