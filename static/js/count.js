// Counts the characters of a field that has a bound, once four fifths are used. Nothing is cut: the server refuses what is
// too long and returns the text.
document.addEventListener("input", ({ target }) => {
  const most = Number(target.dataset?.most);
  const count = most && target.closest(".field")?.querySelector(".field-count");
  if (!count) return;
  const used = [...target.value].length;
  count.hidden = used < most * 0.8;
  count.classList.toggle("field-count-over", used > most);
  count.textContent = `${used.toLocaleString()} / ${most.toLocaleString()}`;
});
