// Times in the reader's own zone. The server knows it from the cookie below; until then, and when the device has moved to
// another zone, this puts the device's in.
(() => {
  // The page's language, in the reader's region when that is known: "IST" is a word in India and "GMT+5:30" elsewhere.
  const language = document.documentElement.lang || "en";
  const locale = navigator.languages.find((tag) => tag.split("-")[0] === language.split("-")[0]) ?? language;
  const date = new Intl.DateTimeFormat(language === "en" ? "en-GB" : locale, { dateStyle: "medium" });
  const clock = new Intl.DateTimeFormat(locale, {
    hour: "2-digit", minute: "2-digit", timeZoneName: "short", hourCycle: "h23",
  });
  const exact = (moment) => `${date.format(moment)}, ${clock.format(moment)}`;
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
  const put = (root) => {
    if (document.documentElement.dataset.zone === own) return;
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
  // In this zone the server writes the next page (accounts/views/zones.py).
  const zone = encodeURIComponent(own);
  const secure = location.protocol === "https:" ? "; secure" : "";
  if (zone) document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=lax${secure}`;
  document.addEventListener("htmx:afterSettle", (event) => put(event.target));
})();
