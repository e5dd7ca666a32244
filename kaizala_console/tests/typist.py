"""Somebody without a mouse: Tab, Shift+Tab, Enter, Space, arrows, letters and Escape, and nothing else.

At each stop the focus must be seen, and what changes within a page must not take it away: both are noted in `faults`,
at which the fixture `typist` looks when the test is over.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.urls import Resolver404, resolve
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from accounts.sandbox import SandboxIdentity

MOST = 120  # presses of Tab
# The element itself, and what is drawn for it: the label beside a box, the frame of a field, the cells of a PIN.
NEAR = """(one) =>
  [one, one.parentElement, ...one.parentElement.querySelectorAll(":scope > *, :scope > [aria-hidden=true] > *")]"""
# An outline or a ring on any of these.
IS_SEEN = f"""() => {{
  const element = document.activeElement;
  if (element.matches(":not(:focus-visible)[type^=date]")) return true; // the browser's own button in it has the focus
  const near = ({NEAR})(element);
  const ring = (one) => {{
    const style = getComputedStyle(one);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
  }};
  const box = element.getBoundingClientRect();
  return near.some(ring) && box.bottom > 0 && box.top < innerHeight;
}}"""
# What is drawn there and near it now; without the focus it must be something else, as the next stop finds out.
DRAWN_THERE = """(nodes) => nodes.map((one) => {
  const style = getComputedStyle(one);
  return [style.outline, style.boxShadow, style.borderColor, style.backgroundColor].join();
})"""
STOP = f"""(wanted) => {{
  const at = document.activeElement, before = window.stopBefore, drawn = {DRAWN_THERE};
  const inside = at.matches(":not(:focus-visible)[type^=date]"); // on the browser's own button, as above
  const nodes = at === document.body || inside ? [] : ({NEAR})(at);
  const words = at.outerHTML.slice(0, 120);
  let same = "";
  if (before && before.at !== at && before.at.isConnected) {{
    const now = drawn(before.nodes);
    const differs = before.nodes.some((one, i) => !one.contains(at) && now[i] !== before.drawn[i]);
    const counts = before.at.contains(at) || before.nodes.some((one) => !one.isConnected);
    if (!differs && !counts) same = before.words;
  }}
  window.stopBefore = nodes.length ? {{ at, nodes, words, drawn: drawn(nodes) }} : null;
  const seen = at === document.body || ({IS_SEEN})();
  (window.stops ??= new Set()).add(at);
  const isFolded = at.matches("details:not([open]) > summary"), isWithin = !!at.closest("main");
  return {{ arrived: at === wanted, gone: !wanted?.isConnected, words, same, seen, isFolded, isWithin }};
}}"""
# Of what can be used within the page, what no Tab has come to. Of radio buttons of one name, one is a stop.
LEFT_OUT = """() => {
  const wanted = ":is(a[href], button, input, select, textarea, summary, [tabindex='0'])";
  const alike = (one) => (one.type === "radio" ? [...document.getElementsByName(one.name)] : [one]);
  const isThere = (one) => one.tabIndex >= 0 && !one.disabled && one.checkVisibility({ visibilityProperty: true });
  return [...document.querySelectorAll(`main ${wanted}`)]
    .filter((one) => isThere(one) && !alike(one).some((each) => window.stops.has(each)))
    .map((one) => one.outerHTML.slice(0, 120));
}"""
# Where the buttons send a form to that Tab has come to.
SENT_TO = """() => [...(window.stops || [])].flatMap((one) => {
  const form = one.matches("button:not([type=button]), input[type=submit]") && one.form;
  const method = form && (one.getAttribute("formmethod") || form.getAttribute("method") || "get").toLowerCase();
  const address = method === "post" && (one.getAttribute("formaction") || form.getAttribute("action") || "");
  return [...(method === "post" ? [address] : []), one.closest("[hx-post]")?.getAttribute("hx-post")]
    .filter((each) => each !== undefined && each !== null).map((each) => new URL(each, location.href).pathname);
})"""
# Before a key. What a new document does not know of: that a key was pressed on something of this very document, and
# whether that leads to another. `leaving` is said at once; the other document comes when the server has answered.
NOTE = """() => {
  window.wasTyping = document.activeElement !== document.body;
  if (window.leaving !== undefined) return;
  window.leaving = false;
  addEventListener("submit", (event) => {
    window.leaving = !event.defaultPrevented && event.target.getAttribute("method") !== "dialog";
  });
  addEventListener("click", (event) => {
    const link = event.target.closest("a[href]:not([download])");
    if (link && !event.defaultPrevented) window.leaving = !(link.hash && link.pathname === location.pathname);
  });
}"""
LOST = "() => Boolean(window.wasTyping) && document.activeElement === document.body"
AT_THE_SKIP_LINK = f"() => document.activeElement.matches('.skip-link') && ({IS_SEEN})()"
PinOf = Callable[[str], str]


def door_at(path: str) -> str:
    """The name of the page there; of a door of the protocol, none."""
    try:
        return resolve(path).view_name
    except Resolver404:
        return ""


class Typist:
    """One person with one keyboard. `identity`: whom the sandbox signs in; `pin_of(number)`: the PIN on their phone.

    `doors` are the names of the pages to whose forms they have walked.
    """

    def __init__(self, page: Page, pin_of: PinOf, identity: SandboxIdentity | None = None, number: str = "") -> None:
        self.page, self.pin_of, self.identity = page, pin_of, identity
        self.number = identity.number if identity else number
        self.faults: list[str] = []
        self.doors: set[str] = set()

    # Keys -------------------------------------------------------------------------------------------------------------

    def reach(self, wanted: Locator, *, back: bool = False) -> None:
        """Tab, or Shift+Tab, until it has the focus."""
        expect(wanted.first).to_be_visible()
        self.keeps_the_focus()
        stop: dict[str, Any] = {"gone": True}
        for presses in range(MOST):
            if stop["gone"]:  # not yet looked for, or swapped for another
                sought = wanted.first.element_handle()
            stop = self.page.evaluate(STOP, sought)
            if presses:
                self._note_faults(stop)
            if stop["arrived"]:
                return
            self.page.keyboard.press("Shift+Tab" if back else "Tab")
        raise AssertionError(f"{wanted} is out of reach at {self.page.url}, the last stop was {stop['words']}")

    def _note_faults(self, stop: dict[str, Any]) -> None:
        if not stop["seen"] and not self.is_seen():
            self.faults.append(f"{self.page.url}: one does not see the focus at {stop['words']}")
        if stop["same"]:
            self.faults.append(f"{self.page.url}: it looks the same without the focus: {stop['same']}")

    def walk(self) -> list[str]:
        """Tab, from the beginning of what is the page's own to its end; opens what is folded. What it left out."""
        self.page.locator("main").focus()
        for _press in range(MOST):
            self.page.keyboard.press("Tab")
            stop = self.page.evaluate(STOP, None)
            if not stop["isWithin"]:
                break
            self._note_faults(stop)
            if stop["isFolded"]:
                self.page.keyboard.press("Space")
        self.doors |= {name for path in self.page.evaluate(SENT_TO) if (name := door_at(path))}
        return [f"{self.page.url}: no Tab comes to {each}" for each in self.page.evaluate(LEFT_OUT)]

    def press(self, wanted: Locator, key: str = "Enter", *, back: bool = False) -> None:
        """Reaches it, and presses it."""
        self.reach(wanted, back=back)
        self.key(key)

    def key(self, key: str) -> None:
        """One key, wherever the focus is."""
        self.page.evaluate(NOTE)
        self.page.keyboard.press(key)

    def arrive(self) -> None:
        """Once the page is there to which the last key leads, if it leads to another."""
        self.page.wait_for_function("() => !window.leaving")
        self.page.wait_for_load_state()

    def is_seen(self) -> bool:
        """Whether the focus shows, once what slides in has come in."""
        try:
            self.page.wait_for_function(IS_SEEN, timeout=1000)
        except PlaywrightTimeout:
            return False
        return True

    def keeps_the_focus(self) -> None:
        """Notes when what changed in the page since the last key has taken the focus away."""
        self.page.wait_for_load_state()
        if self.page.evaluate(LOST):
            self.faults.append(f"{self.page.url}: the focus is lost")

    def visit(self, address: str) -> None:
        """A page, past its menu."""
        self.page.goto(address)
        self.skip()

    def skip(self) -> None:
        """The first stop of a page that has just come: past the menu."""
        self.arrive()
        self.page.keyboard.press("Tab")
        if not self.page.evaluate(AT_THE_SKIP_LINK):  # something else had the focus, or one does not see it
            self.reach(self.page.get_by_role("link", name="Skip to content"))
        self.key("Enter")
        expect(self.page.locator("main:focus")).to_have_count(1)

    # What is pressed --------------------------------------------------------------------------------------------------

    def button(self, name: str, key: str = "Enter") -> None:
        """Presses a button of the page; where the console asks "is it you?", enters the PIN that was sent."""
        wanted = self.page.get_by_role("main").get_by_role("button", name=re.compile(rf"^{name}\b", re.IGNORECASE))
        self.press(wanted, key)
        self.arrive()
        if "/confirm/" in self.page.url:
            generate = self.page.get_by_role("button", name="Generate PIN")  # where a link led here
            if generate.count():
                self.press(generate)
            self.enter_the_pin()
            self.arrive()
            if self.page.get_by_text("Confirmed. Press").count():  # a download stays on the page with its button
                self.press(wanted)
                self.arrive()

    def link(self, name: str) -> None:
        """Follows a link of the page."""
        self.press(self.page.get_by_role("main").get_by_role("link", name=name))
        self.arrive()

    def open(self, entry: str) -> None:
        """An entry of the menu."""
        self.press(
            self.page.get_by_role("navigation", name="Main").get_by_role("link", name=re.compile(rf"^{entry}\b"))
        )

    def field(self, label: str) -> Locator:
        """By its whole label, whether or not it must be filled in."""
        labelled = self.page.get_by_label(re.compile(rf"^\s*{re.escape(label)}(\s+optional)?\s*$", re.IGNORECASE))
        return labelled.and_(self.page.locator("input, select, textarea"))

    def write(self, label: str, text: str) -> None:
        """Types into a field, in place of what stands there."""
        self.reach(self.field(label))
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)

    def tick(self, label: str) -> None:
        """Ticks a box, or takes the tick away."""
        self.press(self.field(label), "Space")

    def choose(self, label: str, words: str) -> None:
        """By its first letters, in a drop-down; in a long one, by typing to find it."""
        choice = self.field(label)
        self.reach(choice)
        self.page.keyboard.type(words)
        if choice.get_attribute("role") == "combobox":
            self.key("Enter")

    # The phone --------------------------------------------------------------------------------------------------------

    def enter_the_pin(self, number: str = "") -> None:
        """Types the newest PIN. The boxes send it themselves when the last digit is there, or Enter does."""
        field = self.page.locator("input[name=pin]")
        self.reach(field)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(self.pin_of(number or self.number))
        if field.count():
            self.page.keyboard.press("Enter")
        expect(field).to_have_count(0)

    def sign_in(self) -> None:
        """As one of the sandbox's ready identities."""
        assert self.identity is not None
        self.page.goto("/")
        way_in = self.page.get_by_role("button", name="Sign in with Office365")
        self.press(way_in.or_(self.page.get_by_role("link", name="Sign in with Office365")))
        self.press(self.page.get_by_role("button", name=re.compile(self.identity.name)))

    def come(self) -> None:
        """Signs in, and verifies the phone."""
        self.sign_in()
        assert self.identity is not None
        expect(self.page.get_by_role("heading", name="Add a Phone Number")).to_be_visible()
        self.write("Number", self.identity.number)
        self.button("Generate PIN")
        self.enter_the_pin()
        expect(self.page.get_by_text("verified.")).to_be_visible()

    def done(self) -> None:
        """ "I have stored it", and away."""
        self.tick("I have stored it")
        self.button("Done")
