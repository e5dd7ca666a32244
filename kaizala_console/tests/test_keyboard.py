"""Registering, granting and claiming by keyboard alone: Tab, Enter, Space and letters, and one sees where one is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from accounts.sandbox import BY_KEY
from connectors.models import RefreshToken

pytestmark = [pytest.mark.once, pytest.mark.journey, pytest.mark.django_db(transaction=True)]

CONNECTOR = "Shift Planner"
MOST = 120  # presses of Tab
# An outline or a ring, on the element itself or on what is drawn for it: the label beside a box, the frame of a field.
IS_SEEN = """() => {
  const element = document.activeElement;
  if (element.matches(":not(:focus-visible)[type=date]")) return true; // the browser's own button in it has the focus
  const near = [element, element.parentElement, ...element.parentElement.children];
  const ring = (one) => {
    const style = getComputedStyle(one);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
  };
  const box = element.getBoundingClientRect();
  return near.some(ring) && box.bottom > 0 && box.top < innerHeight;
}"""


class Typist:
    """Somebody without a mouse."""

    def __init__(self, page: Page, key: str, pin_of: Callable[[str], str]) -> None:
        self.page, self.identity, self.pin_of = page, BY_KEY[key], pin_of
        self.unseen: list[str] = []

    def reach(self, wanted: Locator) -> None:
        """Tab until it has the focus; notes each stop whose focus cannot be seen."""
        for _press in range(MOST):
            if wanted.first.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
            at = self.page.evaluate("document.activeElement.outerHTML.slice(0, 120)")
            if self.page.evaluate("document.activeElement !== document.body") and not self.is_seen():
                self.unseen.append(f"{self.page.url}: {at}")
        raise AssertionError(f"{wanted} is out of reach at {self.page.url}")

    def is_seen(self) -> bool:
        """Whether the focus shows, once what slides in has come in."""
        try:
            self.page.wait_for_function(IS_SEEN, timeout=1000)
        except PlaywrightTimeout:
            return False
        return True

    def press(self, wanted: Locator, key: str = "Enter") -> None:
        """Reaches it, and presses it."""
        expect(wanted.first).to_be_visible()
        self.reach(wanted)
        self.page.keyboard.press(key)

    def button(self, name: str) -> None:
        """Presses a button of the page; where the console asks "is it you?", answers and presses again."""
        wanted = self.page.get_by_role("main").get_by_role("button", name=re.compile(rf"^{name}\b"))
        self.press(wanted)
        self.page.wait_for_load_state()
        if "/confirm/" in self.page.url:
            self.press(self.page.get_by_role("button", name="Generate PIN"))
            self.enter_the_pin()
            self.press(wanted)

    def write(self, label: str, text: str) -> None:
        """Types into a field."""
        self.reach(self.page.get_by_label(label, exact=True))
        self.page.keyboard.type(text)

    def enter_the_pin(self) -> None:
        """Types the newest PIN. The boxes send it themselves when the last digit is there, or Enter does."""
        field = self.page.locator("input[name=pin]")
        expect(field).to_be_visible()
        self.reach(field)
        self.page.keyboard.type(self.pin_of(self.identity.number))
        if field.count():
            self.page.keyboard.press("Enter")
        expect(field).to_have_count(0)

    def come(self) -> None:
        """Signs in, and verifies the phone."""
        self.page.goto("/")
        way_in = self.page.get_by_role("button", name="Sign in with Office365")
        self.press(way_in.or_(self.page.get_by_role("link", name="Sign in with Office365")))
        self.press(self.page.get_by_role("button", name=re.compile(self.identity.name)))
        expect(self.page.get_by_role("heading", name="Add a Phone Number")).to_be_visible()
        self.write("Number", self.identity.number)
        self.button("Generate PIN")
        self.enter_the_pin()
        expect(self.page.get_by_text("is verified")).to_be_visible()

    def done(self) -> None:
        """ "I have stored it", and away."""
        self.press(self.page.get_by_label("I have stored it"), "Space")
        self.button("Done")


@pytest.fixture
def typist(open_page: Callable[..., Page], phones: Any) -> Callable[[str], Typist]:
    """`typist("developer")`: before their first sign-in."""
    # Without motion: a page that still scrolls smoothly has not brought the stop into sight yet.
    return lambda key: Typist(open_page(reduced_motion="reduce"), key, phones.pin)


def test_a_connector_is_registered_granted_and_claimed_without_a_mouse(typist: Callable[[str], Typist]) -> None:
    call_command("demo", first_run=True, verbosity=0)
    developer, admin = typist("developer"), typist("group-admin")

    page = developer.page
    developer.come()
    developer.press(page.get_by_role("navigation").get_by_role("link", name="Connectors"))
    developer.press(page.get_by_role("main").get_by_role("link", name="Add Connector"))
    developer.write("Name", CONNECTOR)
    developer.button("Continue")
    developer.press(page.get_by_label("Text Message", exact=True), "Space")
    developer.button("Create Connector")
    expect(page.get_by_label("Connector secret", exact=True)).to_be_visible()
    developer.done()
    expect(page.get_by_role("heading", name=CONNECTOR)).to_be_visible()

    page = admin.page
    admin.come()
    admin.press(page.get_by_role("navigation").get_by_role("link", name="Groups"))
    admin.press(page.get_by_role("row").filter(has_text="Admin").get_by_role("link"))
    admin.press(page.get_by_role("main").get_by_role("link", name="Connectors"))
    choice = page.get_by_label("Connector", exact=True)
    admin.reach(choice)
    page.keyboard.type(CONNECTOR)
    if choice.get_attribute("role") == "combobox":
        page.keyboard.press("Enter")
    admin.button("Add Connector")
    expect(page.get_by_role("list", name="How far the handoff is")).to_be_visible()

    page = developer.page
    developer.press(page.get_by_role("navigation").get_by_role("link", name="Handoffs"))
    developer.button("Claim")
    expect(page.get_by_label("Refresh token", exact=True)).to_be_visible()
    developer.done()
    assert RefreshToken.objects.count() == 1
    unseen = developer.unseen + admin.unseen
    assert unseen == [], "\n".join(unseen)
