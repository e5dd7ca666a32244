// A form that cannot be sent yet counts the seconds down on its button. The server refuses it anyway until then.
(() => {
  for (const form of document.querySelectorAll("form[data-countdown]")) {
    const button = form.querySelector("button[type=submit]");
    const words = form.querySelector("[data-countdown-words]");
    const end = Date.now() + Number(form.dataset.countdown) * 1000;
    const tick = () => {
      const left = Math.ceil((end - Date.now()) / 1000);
      button.disabled = left > 0;
      words.textContent = left > 0 ? ` ${words.dataset.countdownWords.replace("%s", left)}` : "";
      if (left > 0) setTimeout(tick, 250);
    };
    tick();
  }
})();
