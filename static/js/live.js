// Pages that notice what changes (kaizala_console/lib/live.py). htmx asks and swaps; this minds the manners: nothing is asked
// in a tab that nobody sees, and nothing is swapped under somebody's hands.
(() => {
  const isLive = (element) => element?.hasAttribute?.("data-live");
  const parts = (region) => {
    const others = (region.getAttribute("hx-select-oob") ?? "").split(",").map((one) => one.trim()).filter(Boolean);
    return [region, ...others.map((selector) => document.querySelector(selector))].filter(Boolean);
  };
  const inUse = (region) => parts(region).some((part) => {
    const selection = document.getSelection();
    return (
      part.contains(document.activeElement) ||
      part.querySelector("details[open], form[data-submitted]") !== null ||
      (selection !== null && !selection.isCollapsed && selection.containsNode(part, true))
    );
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    const region = event.detail.elt;
    if (isLive(region) && (document.hidden || region.dataset.live === "over")) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const region = event.detail.requestConfig?.elt;
    // Not now: the next time it asks, it gets the same answer.
    if (isLive(region) && region.dataset.live === "moves" && inUse(region)) event.detail.shouldSwap = false;
  });
  // What had the focus in a part that is swapped has it afterwards: the same thing in the new part, or the part itself.
  let had = null;
  const isSame = (one, other) =>
    one.hasAttribute("href") ? one.getAttribute("href") === other.getAttribute("href") : one.textContent === other.textContent;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const [part, element] = [event.detail.target, document.activeElement];
    had = part?.id && part !== element && part.contains(element) ? { id: part.id, element } : null;
  });
  document.addEventListener("htmx:afterSettle", () => {
    const part = had && document.getElementById(had.id);
    const lost = part && document.activeElement === document.body;
    const again = lost && [...part.querySelectorAll(had.element.tagName)].find((one) => isSame(one, had.element));
    if (lost && !again) part.tabIndex = -1;
    if (lost) (again ?? part).focus({ preventScroll: true });
    had = null;
  });
  document.addEventListener("htmx:responseError", (event) => {
    // Gone, or not for this person any more: no use in asking again. A server that is ill is asked again.
    if (isLive(event.detail.elt) && event.detail.xhr.status < 500) event.detail.elt.dataset.live = "over";
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (isLive(event.detail.elt) && event.detail.xhr.status === 286) event.detail.elt.dataset.live = "over";
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    const words = event.target.dataset?.says;
    const told = document.getElementById("live-words");
    if (words && told) told.textContent = words;
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) document.dispatchEvent(new Event("seenagain"));
  });
})();
