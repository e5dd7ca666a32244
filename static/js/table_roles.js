// On narrow screens tables are laid out as cards, and browsers then forget that they are tables. Roles remind them.
(() => {
  const roles = { THEAD: "rowgroup", TBODY: "rowgroup", TFOOT: "rowgroup", TR: "row", TD: "cell" };
  const put = (root) => {
    for (const table of root.querySelectorAll?.("table.table-cards") ?? []) {
      table.setAttribute("role", "table");
      for (const part of table.querySelectorAll("thead, tbody, tfoot, tr, td")) part.setAttribute("role", roles[part.tagName]);
      for (const head of table.querySelectorAll("th")) {
        head.setAttribute("role", head.scope === "row" ? "rowheader" : "columnheader");
      }
    }
  };
  put(document);
  document.addEventListener("htmx:afterSettle", (event) => put(event.target.closest?.("table")?.parentElement ?? event.target));
})();
