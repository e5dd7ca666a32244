// Tabs scroll sideways on narrow screens: start where the current one can be seen.
for (const tab of document.querySelectorAll(".tabs [aria-current]")) {
  const strip = tab.closest(".tabs");
  const before = tab.getBoundingClientRect().left - strip.getBoundingClientRect().left;
  strip.scrollLeft += before - (strip.clientWidth - tab.offsetWidth) / 2;
}
