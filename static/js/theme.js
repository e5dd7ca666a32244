// Light, dark, or as the device says. Loaded in <head> without defer so that a stored choice is there before the first paint.
(() => {
  const root = document.documentElement;
  const read = () => {
    try {
      return localStorage.getItem("theme") || "auto";
    } catch {
      return "auto"; // storage can be forbidden; the device's choice still holds
    }
  };
  const apply = (choice) => {
    const dark = choice === "dark" || (choice === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
    root.dataset.theme = dark ? "dark" : "light";
  };
  apply(read());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(read()));

  document.addEventListener("DOMContentLoaded", () => {
    const mark = () => {
      for (const button of document.querySelectorAll("[data-theme-choice] button")) {
        button.setAttribute("aria-pressed", String(button.dataset.theme === read()));
      }
    };
    for (const box of document.querySelectorAll("[data-theme-choice]")) {
      box.addEventListener("click", (event) => {
        const button = event.target.closest("button");
        if (!button) return;
        try {
          localStorage.setItem("theme", button.dataset.theme);
        } catch {
          // nothing to keep it in: it holds for this page only
        }
        apply(button.dataset.theme);
        mark();
      });
    }
    mark();
  });
})();
