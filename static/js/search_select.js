// A long <select data-search-select> becomes a combobox: type to find. The select stays in the form and keeps its name and
// value; without this file it is used as it is. Pattern: WAI-ARIA Authoring Practices, editable combobox with list.
(() => {
  const fold = (text) => text.normalize("NFD").replace(/\p{Diacritic}/gu, "").toLowerCase();

  const enhance = (select) => {
    if (select.multiple || select.dataset.searchReady || select.options.length < 8) return;
    select.dataset.searchReady = "1";
    const id = select.id;
    const box = document.createElement("div");
    box.className = "search-select";
    const input = document.createElement("input");
    input.type = "text";
    input.className = select.className.replace("form-select", "form-control search-select-input");
    input.id = id;
    input.autocomplete = "off";
    const list = document.createElement("ul");
    list.id = `${id}-list`;
    list.className = "search-select-list";
    list.setAttribute("role", "listbox");
    list.hidden = true;
    const label = document.querySelector(`label[for="${CSS.escape(id)}"]`);
    if (label) list.setAttribute("aria-label", label.textContent.trim());
    const given = { role: "combobox", "aria-expanded": "false", "aria-controls": list.id, "aria-autocomplete": "list" };
    for (const [name, value] of Object.entries(given)) input.setAttribute(name, value);
    for (const name of ["aria-describedby", "aria-invalid", "required", "disabled"]) {
      if (select.hasAttribute(name)) input.setAttribute(name, select.getAttribute(name));
    }
    select.id = `${id}-select`;
    select.classList.add("visually-hidden");
    select.tabIndex = -1;
    select.setAttribute("aria-hidden", "true");
    select.before(box);
    box.append(input, list, select);

    let active = -1;
    let shown = [];
    const chosenWords = () => {
      const option = select.selectedOptions[0];
      return option && option.value ? option.label : "";
    };
    const rows = () => [...list.querySelectorAll("[role=option]")];
    const mark = (index) => {
      active = index;
      rows().forEach((row, i) => {
        row.classList.toggle("is-active", i === index);
        if (i === index) row.scrollIntoView({ block: "nearest" });
      });
      if (index < 0) input.removeAttribute("aria-activedescendant");
      else input.setAttribute("aria-activedescendant", `${id}-option-${index}`);
    };
    const close = () => {
      list.hidden = true;
      input.setAttribute("aria-expanded", "false");
      mark(-1);
    };
    const open = (words) => {
      const needle = fold(words);
      // the line that stands for "nothing chosen" is offered, but never found
      const fits = (option) => !option.disabled && (!needle || (option.value && fold(option.label).includes(needle)));
      // What begins with the words comes first: "India" is not the British Indian Ocean Territory.
      const begins = (option) => Number(fold(option.label).startsWith(needle));
      shown = [...select.options].filter(fits).sort((one, other) => begins(other) - begins(one)).slice(0, 100);
      list.replaceChildren(
        ...shown.map((option, i) => {
          const row = document.createElement("li");
          row.id = `${id}-option-${i}`;
          row.setAttribute("role", "option");
          row.setAttribute("aria-selected", String(option.selected));
          row.textContent = option.label;
          return row;
        }),
      );
      list.hidden = shown.length === 0;
      input.setAttribute("aria-expanded", String(!list.hidden));
      mark(words && shown.length ? 0 : -1);
    };
    const choose = (option) => {
      select.value = option.value;
      input.value = chosenWords();
      close();
      select.dispatchEvent(new Event("change", { bubbles: true }));
    };

    const nothing = [...select.options].find((option) => !option.value);
    if (nothing) input.placeholder = nothing.label;
    input.value = chosenWords();
    input.addEventListener("focus", () => input.select());
    input.addEventListener("click", () => open(""));
    input.addEventListener("input", () => open(input.value));
    input.addEventListener("blur", () => {
      // words that are exactly one option count as chosen; anything else goes back to what was chosen
      const exact = shown.filter((option) => fold(option.label) === fold(input.value));
      if (exact.length === 1) choose(exact[0]);
      else input.value = chosenWords();
      close();
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        if (list.hidden) open("");
        const step = event.key === "ArrowDown" ? 1 : -1;
        mark((active + step + shown.length) % shown.length || 0);
      } else if (event.key === "Enter" && !list.hidden && active >= 0) {
        event.preventDefault();
        choose(shown[active]);
      } else if (event.key === "Escape" && !list.hidden) {
        event.preventDefault();
        input.value = chosenWords();
        close();
      }
    });
    list.addEventListener("mousedown", (event) => {
      event.preventDefault(); // keep the focus in the input
      const row = event.target.closest("[role=option]");
      if (row) choose(shown[rows().indexOf(row)]);
    });
  };

  const all = (root) => root.querySelectorAll?.("select[data-search-select]").forEach(enhance);
  all(document);
  document.addEventListener("htmx:afterSettle", (event) => all(event.target));
})();
