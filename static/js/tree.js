// A link to a branch of the tree becomes a button that unfolds the branch where it stands. It keeps the focus.
(() => {
  const under = (toggle) => toggle.closest("li").querySelector(":scope > .tree-under");
  const show = (toggle, open) => {
    under(toggle).hidden = !open;
    toggle.setAttribute("aria-expanded", String(open));
  };
  const put = (root) => {
    for (const toggle of root.querySelectorAll?.("a[data-unfolds]:not([role])") ?? []) {
      toggle.setAttribute("role", "button");
      toggle.setAttribute("aria-expanded", "false");
    }
  };
  const of = (event) => event.target.closest?.("a[data-unfolds]");
  put(document);

  document.addEventListener("click", (event) => {
    const toggle = of(event);
    if (!toggle || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (under(toggle).childElementCount) show(toggle, under(toggle).hidden);
    else if (!toggle.hasAttribute("aria-busy")) {
      toggle.setAttribute("aria-busy", "true");
      window.htmx.trigger(toggle, "unfold");
    }
  });
  document.addEventListener("keydown", (event) => {
    const toggle = of(event);
    if (!toggle || event.key !== " ") return;
    event.preventDefault();
    if (!event.repeat) toggle.click();
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const toggle = event.detail.elt;
    if (!toggle.matches?.("a[data-unfolds]")) return;
    toggle.removeAttribute("aria-busy");
    const below = under(toggle);
    put(below);
    // No such branch came: signed out by now, or the group is gone. The page of the branch says which.
    if (below.querySelector(".tree-below")) show(toggle, true);
    else window.location.assign(toggle.href);
  });
})();
