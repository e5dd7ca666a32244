// The menu on narrow screens. Without this file the button is a link to #menu, and CSS :target opens it.
(() => {
  const opener = document.querySelector("[data-menu-open]");
  const menu = document.getElementById("menu");
  if (!opener || !menu) return;
  opener.setAttribute("role", "button");
  opener.setAttribute("aria-expanded", "false");
  opener.setAttribute("aria-controls", "menu");
  document.documentElement.classList.add("has-menu-script");

  const set = (open) => {
    menu.classList.toggle("is-open", open);
    opener.setAttribute("aria-expanded", String(open));
    if (open) (menu.querySelector("[aria-current]") || menu.querySelector("a")).focus();
    else opener.focus();
  };
  opener.addEventListener("click", (event) => {
    event.preventDefault();
    set(true);
  });
  opener.addEventListener("keydown", (event) => {
    if (event.key === " ") {
      event.preventDefault();
      set(true);
    }
  });
  for (const closer of document.querySelectorAll("[data-menu-close]")) {
    closer.addEventListener("click", (event) => {
      event.preventDefault();
      set(false);
    });
  }
  // Whoever leaves it by Tab sees where they are: it lies over nothing that has the focus.
  menu.addEventListener("focusout", ({ relatedTarget }) => {
    if (!relatedTarget || menu.contains(relatedTarget) || relatedTarget.closest("dialog")) return;
    menu.classList.remove("is-open");
    opener.setAttribute("aria-expanded", "false");
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.closest?.("dialog[open]")) return; // the key is the dialog's, which lies over the menu
    if (event.key === "Escape" && menu.classList.contains("is-open")) set(false);
  });
})();
