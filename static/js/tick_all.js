// "All on this page": ticks every box of a form, and shows whether all, some or none are.
(() => {
  const boxes = (all) => [...document.querySelectorAll(`input[type=checkbox][form="${all.dataset.tickAll}"]`)];
  const show = (all) => {
    const ticked = boxes(all).filter((box) => box.checked).length;
    all.checked = ticked > 0 && ticked === boxes(all).length;
    all.indeterminate = ticked > 0 && !all.checked;
  };

  document.addEventListener("change", ({ target }) => {
    if (target.dataset?.tickAll) for (const box of boxes(target)) box.checked = target.checked;
    for (const all of document.querySelectorAll("[data-tick-all]")) show(all);
  });
  const begin = () => document.querySelectorAll("[data-tick-all]").forEach(show);
  begin(); // what was ticked before one went away and back
  window.addEventListener("pageshow", begin);
})();
