// What the pages do beyond what a browser does by itself, one part after the other; every page works without this file.
// It runs when the page has arrived and before it is first drawn: some parts change what the page measures, and a table that is
// drawn while it still arrives moves with every row. What is there for scripts alone has its place from the start:
// .needs-scripts. htmx comes later, and dispatches the events that are listened to here.

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

// A long <select data-search-select> becomes a combobox: type to find. The select stays in the form and keeps its name and
// value; without scripts it is used as it is. Pattern: WAI-ARIA Authoring Practices, editable combobox with list.
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

// Tabs scroll sideways on narrow screens: start where the current one can be seen.
for (const tab of document.querySelectorAll(".tabs [aria-current]")) {
  const strip = tab.closest(".tabs");
  const before = tab.getBoundingClientRect().left - strip.getBoundingClientRect().left;
  strip.scrollLeft += before - (strip.clientWidth - tab.offsetWidth) / 2;
}

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

// The menu on narrow screens. Without scripts the button is a link to #menu, and CSS :target opens it.
(() => {
  const opener = document.querySelector("[data-menu-open]");
  const menu = document.getElementById("menu");
  if (!opener || !menu) return;
  opener.setAttribute("role", "button");
  opener.setAttribute("aria-expanded", "false");
  opener.setAttribute("aria-controls", "menu");
  document.documentElement.classList.add("has-menu-script");

  const set = (open) => {
    menu.classList.toggle("is-open", open);
    opener.setAttribute("aria-expanded", String(open));
    if (open) (menu.querySelector("[aria-current]") || menu.querySelector("a")).focus();
    else opener.focus();
  };
  opener.addEventListener("click", (event) => {
    event.preventDefault();
    set(true);
  });
  opener.addEventListener("keydown", (event) => {
    if (event.key === " ") {
      event.preventDefault();
      set(true);
    }
  });
  for (const closer of document.querySelectorAll("[data-menu-close]")) {
    closer.addEventListener("click", (event) => {
      event.preventDefault();
      set(false);
    });
  }
  // Whoever leaves it by Tab sees where they are: it lies over nothing that has the focus.
  menu.addEventListener("focusout", ({ relatedTarget }) => {
    if (!relatedTarget || menu.contains(relatedTarget) || relatedTarget.closest("dialog")) return;
    menu.classList.remove("is-open");
    opener.setAttribute("aria-expanded", "false");
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.closest?.("dialog[open]")) return; // the key is the dialog's, which lies over the menu
    if (event.key === "Escape" && menu.classList.contains("is-open")) set(false);
  });
})();

// A second click on a button that is already at work does nothing. The server would give the same answer twice anyway; this
// only spares the person the wait and the doubt.
(() => {
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-submit-once]");
    if (!form || event.defaultPrevented) return;
    if (form.dataset.submitted) {
      event.preventDefault();
      return;
    }
    form.dataset.submitted = "1";
    form.setAttribute("aria-busy", "true");
    const button = event.submitter;
    // After the browser has read the form: a button that is disabled earlier would not send its own name and value.
    setTimeout(() => {
      if (button) button.setAttribute("aria-disabled", "true");
    });
  });
  const release = (form) => {
    delete form.dataset.submitted;
    form.removeAttribute("aria-busy");
    for (const button of form.querySelectorAll("[aria-disabled]")) button.removeAttribute("aria-disabled");
  };
  // Coming back with the browser's Back button shows the page as it was left: make its forms usable again.
  addEventListener("pageshow", () => document.querySelectorAll("form[data-submitted]").forEach(release));
  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.target.closest?.("form[data-submitted]");
    if (form) release(form);
  });
})();

// A token that is pasted into a search field does not leave it: what is searched for stands in the address, and addresses are
// kept. The server takes it out as well (kaizala_console/addresses.py), but then it was in the address already.
(() => {
  const says = document.body.dataset.tokenTyped;
  const secretPart = /(^|[^A-Za-z0-9_-]|%[0-9A-Fa-f]{2})kz(cs|rt|at)_[A-Za-z0-9_-]{17,}/;
  const isAsked = (field) => field.type === "search" || (field.form?.method === "get" && field.type === "text");

  const check = (field) => {
    if (field instanceof HTMLInputElement && isAsked(field)) field.setCustomValidity(secretPart.test(field.value) ? says : "");
  };
  document.addEventListener("input", (event) => check(event.target));
  // What the browser filled in by itself, or brought back.
  addEventListener("pageshow", () => document.querySelectorAll("input").forEach(check));
  // A list that follows the typing asks without sending a form.
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.verb !== "get") return;
    const values = [...event.detail.formData.values()];
    if (values.some((value) => secretPart.test(value))) {
      event.preventDefault();
      event.detail.elt.reportValidity?.();
    }
  });
})();

// After a form came back with errors, the keyboard and the screen reader start at the summary of them.
(() => {
  const focus = (root) => root.querySelector?.("[data-focus-on-load]")?.focus();
  focus(document);
  document.addEventListener("htmx:afterSettle", (event) => focus(event.target));
  // Past the menu, but not by the address: where that ends in #content, a form that comes back gives no field the focus.
  document.querySelector(".skip-link")?.addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("content").focus();
  });
})();

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

// Copy buttons. Without scripts there are none (.needs-scripts), and the value can be selected by hand.
(() => {
  // A screen reader is told here: what changes inside a button is not read out.
  const said = document.createElement("div");
  said.className = "visually-hidden";
  said.setAttribute("role", "status");
  document.body.append(said); // not into main, where what stood last would no longer be last, and move
  const textOf = (element) => ("value" in element ? element.value : element.textContent);
  const copy = async (element, button) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(textOf(element));
    // http without TLS has no clipboard API: select the text and use the old command
    const range = document.createRange();
    if (element.select) element.select();
    else {
      range.selectNodeContents(element);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
    }
    if (!document.execCommand("copy")) throw new Error("copy refused");
    button.focus({ preventScroll: true }); // what was selected took it
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const element = document.querySelector(button.dataset.copy);
    const word = button.querySelector("[data-copy-word]");
    try {
      await copy(element, button);
    } catch {
      if (element.select) element.select(); // the person can still press Ctrl+C
      return;
    }
    const before = word.textContent;
    if (before === word.dataset.copied) return;
    word.textContent = word.dataset.copied;
    said.textContent = button.textContent;
    setTimeout(() => {
      word.textContent = before;
      said.textContent = "";
    }, 2000);
  });
})();

// <button data-dialog="id"> opens the <dialog> of that id as a modal; a click on the backdrop closes it.
(() => {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    if (opener) document.getElementById(opener.dataset.dialog)?.showModal();
    else if (event.target.matches?.("dialog[open]")) event.target.close();
  });
})();

// The six boxes of a PIN are one input. This keeps only digits (people paste "123 456") and never more than fit.
(() => {
  document.addEventListener("input", (event) => {
    const input = event.target;
    if (!input.matches?.("input[data-pin]")) return;
    const digits = input.value.replace(/\D/g, "").slice(0, Number(input.dataset.pin));
    if (digits !== input.value) input.value = digits;
  });
})();

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

// Keys for people who come every day: "/" searches, "?" shows the list of keys, "g" and then a letter goes to a page.
(() => {
  const PATIENCE_MS = 1200; // so long a "g" waits for its letter
  const sheet = document.getElementById("shortcuts");
  let leader = 0;

  // Single keys can be switched off (WCAG 2.1.4): whoever speaks to the machine would press them without meaning to.
  const used = document.querySelector("[data-shortcuts-used]");
  try {
    if (used) used.checked = localStorage.getItem("shortcuts") !== "off";
  } catch {
    // storage can be forbidden: then it holds for this page only
  }
  used?.addEventListener("change", () => {
    try {
      localStorage.setItem("shortcuts", used.checked ? "on" : "off");
    } catch {
      // as above
    }
  });

  const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable], dialog[open]");

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isTyping(event.target)) return;
    if (used && !used.checked) return;
    if (event.key === "/") {
      const field = document.querySelector("#content input[type=search]") || document.getElementById("search-anywhere");
      const visible = field?.checkVisibility?.({ visibilityProperty: true }) ?? true;
      event.preventDefault();
      if (field && visible) field.select();
      else location.assign(document.querySelector("[data-search-page]").dataset.searchPage);
      return;
    }
    if (event.key === "?" && sheet) {
      event.preventDefault();
      sheet.showModal();
      return;
    }
    if (event.key === "g") {
      leader = Date.now();
      return;
    }
    if (Date.now() - leader < PATIENCE_MS) {
      const link = document.querySelector(`[data-shortcut="${CSS.escape(event.key)}"]`);
      leader = 0;
      if (link) {
        event.preventDefault();
        link.click();
      }
    }
  });
})();

// Pages that follow along (kaizala_console/lib/live.py): htmx asks, and idiomorph changes only what differs, so that the focus
// and the selection stay. This minds the manners: a tab that nobody sees does not ask, and nothing changes under what
// somebody has ticked or sent.
(() => {
  const isLive = (element) => element?.hasAttribute?.("data-live");
  const isInUse = (part) => part.querySelector("form[data-submitted], input:checked") !== null;
  document.addEventListener("DOMContentLoaded", () => {
    if (!window.Idiomorph) return;
    Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, element) => !(name === "open" && element.localName === "details");
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.detail.elt;
    if (isLive(part) && (document.hidden || part.dataset.live === "over")) event.preventDefault();
  });
  let had = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const part = event.detail.target;
    if (isLive(event.detail.requestConfig?.elt) && isInUse(part)) event.detail.shouldSwap = false; // it asks again
    had = part?.id && part !== document.activeElement && part.contains(document.activeElement) ? part.id : null;
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    // What had the focus is gone: the part has it in which it was.
    const part = had && document.activeElement === document.body && document.getElementById(had);
    if (part) {
      part.tabIndex = -1;
      part.focus({ preventScroll: true });
    }
    had = null;
    const words = event.target.dataset?.says;
    const said = document.getElementById("live-words");
    if (words && said) said.textContent = words;
  });
  document.addEventListener("htmx:responseError", (event) => {
    // Gone, or not for this person any more: no use in asking again. A server that is ill is asked again.
    if (isLive(event.detail.elt) && event.detail.xhr.status < 500) event.detail.elt.dataset.live = "over";
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) document.dispatchEvent(new Event("seenagain"));
  });
})();

// A secret that is shown once: downloads made from the page itself, a question before it is left unstored, and nothing kept
// in the back-forward cache. Everything works without scripts too: values can be selected, "Done" is a plain form.
(() => {
  const panel = document.querySelector("[data-secret-once]");
  if (!panel) return;
  const stored = panel.querySelector("[data-secret-stored]");
  const done = panel.querySelector("[data-secret-done]");
  const downloads = panel.querySelector("[data-secret-downloads]");

  const values = () =>
    [...panel.querySelectorAll("[data-secret-name]")].map((mark) => [
      mark.dataset.secretName,
      document.getElementById(mark.dataset.secretFor).value,
    ]);
  const asEnv = () =>
    values()
      .map(([name, value]) => `${name}="${value.replace(/[\\"$`]/g, "\\$&")}"\n`)
      .join("");
  const asJson = () => `${JSON.stringify(Object.fromEntries(values()), null, 2)}\n`;
  const save = (kind) => {
    const text = kind === "env" ? asEnv() : asJson();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: kind === "env" ? "text/plain" : "application/json" }));
    link.download = kind === "env" ? `${panel.dataset.filename}.env` : `${panel.dataset.filename}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // a busy browser begins to save late
  };

  downloads.addEventListener("click", (event) => {
    const button = event.target.closest("[data-secret-download]");
    if (button) save(button.dataset.secretDownload);
  });

  const follow = () => done.toggleAttribute("disabled", !stored.checked);
  stored.addEventListener("change", follow);
  follow();

  const wipe = () => {
    for (const field of panel.querySelectorAll("input:not([type=checkbox]), textarea")) {
      field.value = "";
      field.removeAttribute("value");
      field.textContent = "";
    }
  };
  addEventListener("beforeunload", (event) => {
    if (!stored.checked) event.preventDefault();
  });
  addEventListener("pagehide", wipe);
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload(); // the server says what may be seen now: not the secret
  });
})();

// Makes a key pair in the browser (P-256, which every browser with WebCrypto knows): the private half is saved as a file and
// forgotten, the public half is filled into the form. Without WebCrypto the box is hidden; without scripts it never shows.
(() => {
  const box = document.querySelector("[data-make-key]");
  const field = document.querySelector("textarea[name=public_key]");
  if (!box || !field) return;
  if (!globalThis.crypto?.subtle) {
    box.hidden = true;
    return;
  }
  const button = box.querySelector("[data-make-key-button]");
  const said = box.querySelector("[data-make-key-said]");
  const failed = box.querySelector("[data-make-key-failed]");

  const base64url = (bytes) =>
    btoa(String.fromCharCode(...new Uint8Array(bytes)))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replaceAll("=", "");
  // RFC 7638: the required members in order of their names, without spaces.
  const fingerprintOf = async ({ crv, kty, x, y }) =>
    base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify({ crv, kty, x, y }))));
  const save = (jwk, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${JSON.stringify(jwk, null, 2)}\n`], { type: "application/json" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const make = async () => {
    const pair = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits"]);
    const { kty, crv, x, y, d } = await crypto.subtle.exportKey("jwk", pair.privateKey);
    const fingerprint = await fingerprintOf({ crv, kty, x, y });
    const about = { kid: fingerprint, use: "enc", alg: "ECDH-ES+A256KW" };
    const name = `${box.dataset.filename}-private-key.json`;
    save({ kty, crv, x, y, d, ...about }, name);
    field.value = JSON.stringify({ kty, crv, x, y, ...about }, null, 2);
    box.querySelector("[data-make-key-file]").textContent = name;
    box.querySelector("[data-make-key-fingerprint]").textContent = fingerprint;
  };

  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await make();
      said.hidden = false;
      failed.hidden = true;
    } catch {
      failed.hidden = false;
    }
    button.disabled = false;
  });
})();

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
    if (!toggle || !window.htmx || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
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
