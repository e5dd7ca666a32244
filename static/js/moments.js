// Times in the reader's own zone: the server writes them in the zone it knows for the person, this puts in the device's.
(() => {
  const exact = new Intl.DateTimeFormat(document.documentElement.lang || "en", {
    day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
    hourCycle: "h23",
  });
  const put = (root) => {
    for (const element of root.querySelectorAll?.("time[data-moment]") ?? []) {
      const moment = new Date(element.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      const words = exact.format(moment);
      element.title = words;
      if (element.dataset.moment === "exact") element.textContent = words;
      const bracket = element.querySelector(".moment-exact");
      if (bracket) bracket.textContent = `(${words})`;
    }
  };
  put(document);
  document.addEventListener("htmx:afterSettle", (event) => put(event.target));
})();
