// Times in the reader's own zone: the server writes them in the zone it knows for the person, this puts in the device's.
(() => {
  // The page's language, in the reader's region when that is known: "IST" is a word in India and "GMT+5:30" elsewhere.
  const language = document.documentElement.lang || "en";
  const locale = navigator.languages.find((tag) => tag.split("-")[0] === language.split("-")[0]) ?? language;
  const date = new Intl.DateTimeFormat(language === "en" ? "en-GB" : locale, { dateStyle: "medium" });
  const clock = new Intl.DateTimeFormat(locale, {
    hour: "2-digit", minute: "2-digit", timeZoneName: "short", hourCycle: "h23",
  });
  const exact = (moment) => `${date.format(moment)}, ${clock.format(moment)}`;
  const put = (root) => {
    for (const element of root.querySelectorAll?.("time[data-moment]") ?? []) {
      const moment = new Date(element.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      const words = exact(moment);
      element.title = words;
      if (element.dataset.moment === "exact") element.textContent = words;
      const bracket = element.querySelector(".moment-exact");
      if (bracket) bracket.textContent = `(${words})`;
    }
  };
  put(document);
  // For what the server counts by the day: where this device's days begin (accounts/pages/zones.py).
  const zone = encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone ?? "");
  const secure = location.protocol === "https:" ? "; secure" : "";
  if (zone) document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=lax${secure}`;
  document.addEventListener("htmx:afterSettle", (event) => put(event.target));
})();
