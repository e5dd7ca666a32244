// "Try it" of the API explorer: a call from this page straight to the API, on this host. Nothing of it is stored, and the
// fields have no names and stand in no form, so that no browser sends or keeps them. Without this file there is a curl line.
(() => {
  const place = document.querySelector("[data-try]");
  if (!place) return;
  const answer = place.querySelector("[data-try-answer]");
  const status = answer.querySelector("[data-try-status]");
  const says = answer.querySelector("[data-try-says]");
  const text = answer.querySelector("[data-try-text]");
  const button = place.querySelector("[data-try-send]");
  const all = (kind) => [...place.querySelectorAll(`[data-try-${kind}]`)];
  const nameOf = (field, kind) => field.getAttribute(`data-try-${kind}`);

  const tell = (code, words, body = "") => {
    answer.hidden = false;
    status.hidden = !code;
    status.textContent = code || "";
    status.classList.toggle("is-error", code >= 400);
    says.textContent = words;
    text.textContent = body;
    text.parentElement.hidden = !body;
  };

  const address = () => {
    let path = place.dataset.path;
    for (const field of all("path")) {
      path = path.replace(`{${nameOf(field, "path")}}`, encodeURIComponent(field.value.trim()));
    }
    const query = new URLSearchParams();
    for (const field of all("query")) if (field.value.trim()) query.set(nameOf(field, "query"), field.value.trim());
    return query.size ? `${path}?${query}` : path;
  };

  const headers = () => {
    const found = {};
    for (const field of all("header")) if (field.value.trim()) found[nameOf(field, "header")] = field.value.trim();
    return found;
  };

  const pretty = (body) => {
    try {
      return JSON.stringify(JSON.parse(body), null, 2);
    } catch {
      return body;
    }
  };

  const send = async () => {
    if (button.hasAttribute("aria-disabled")) return; // it asks already
    const missing = [...place.querySelectorAll("input[required]")].filter((field) => !field.value.trim());
    if (missing.length) {
      const names = missing.map((field) => place.querySelector(`label[for="${field.id}"]`).textContent.trim());
      tell("", `${answer.dataset.wordMissing} ${names.join(", ")}`);
      missing[0].focus();
      return;
    }
    const body = place.querySelector("[data-try-body]");
    const options = { method: place.dataset.method, headers: headers(), credentials: "omit", cache: "no-store", redirect: "manual" };
    if (body) {
      options.body = body.value;
      options.headers["Content-Type"] = "application/json";
    }
    tell("", answer.dataset.wordAsking);
    button.setAttribute("aria-disabled", "true"); // a button that is disabled would lose the focus
    const began = performance.now();
    try {
      const response = await fetch(address(), options);
      const received = await response.text();
      tell(response.status, `${response.statusText} (${Math.round(performance.now() - began)} ms)`.trim(), pretty(received));
    } catch {
      tell("", answer.dataset.wordFailed);
    } finally {
      button.removeAttribute("aria-disabled");
    }
  };

  const wipe = () => {
    for (const field of place.querySelectorAll("input[type=password]")) field.value = "";
    tell("", "");
    answer.hidden = true;
  };

  button.addEventListener("click", send);
  addEventListener("pagehide", wipe); // nothing in the back-forward cache
})();
