// Pages that follow along (kaizala_console/lib/live.py): htmx asks, and idiomorph changes only what differs, so that the focus
// and the selection stay. This minds the manners: a tab that nobody sees does not ask, and nothing changes under what
// somebody has ticked or sent.
(() => {
  const isLive = (element) => element?.hasAttribute?.("data-live");
  const isInUse = (part) => part.querySelector("form[data-submitted], input:checked") !== null;
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, element) => !(name === "open" && element.localName === "details");

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
