"""Somebody who uses the console in a browser, by the words on the page alone: the hands of the journeys."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

PinOf = Callable[[str], str]


class Visitor:
    """One person with one browser. `pin_of(number)` reads the PIN in the newest SMS to their phone."""

    def __init__(self, page: Page, name: str, number: str, pin_of: PinOf) -> None:
        self.page = page
        self.name = name
        self.number = number
        self._pin_of = pin_of
        self.visited: list[str] = []
        page.on("request", lambda request: self.visited.append(request.url))

    def sign_in(self) -> None:
        """ "Sign in with Office365", as one of the sandbox's ready identities."""
        self.page.goto("/")
        self.page.get_by_role("button", name="Sign in with Office365").or_(
            self.page.get_by_role("link", name="Sign in with Office365")
        ).click()
        self.page.get_by_role("button", name=re.compile(self.name)).click()

    def add_a_phone_number(self) -> None:
        """The only card on the first visit's Home: number, "Generate PIN", PIN."""
        expect(self.page.get_by_role("heading", name="Add a Phone Number")).to_be_visible()
        self.page.get_by_label("Number", exact=True).fill(self.number)
        self.press("Generate PIN")
        self._enter_the_pin()
        expect(self.page.get_by_text("verified.")).to_be_visible()

    def press(self, button: str) -> None:
        """The first button with these words."""
        self.page.get_by_role("button", name=button, exact=True).first.click()

    def press_and_confirm(self, button: str) -> None:
        """Presses, and when the console asks "is it you?", enters the PIN that was sent."""
        self.press(button)
        if "/confirm/" in self.page.url:
            self._enter_the_pin()

    def open(self, menu_entry: str) -> None:
        """An entry of the left menu."""
        self.page.get_by_role("navigation").get_by_role("link", name=re.compile(rf"^{menu_entry}\b")).first.click()

    def shown(self, label: str) -> str:
        """The value of a field that is to be copied."""
        return self.page.get_by_label(label, exact=True).input_value()

    def _enter_the_pin(self) -> None:
        self.page.locator("input[name=pin]").fill(self._pin_of(self.number))
        self.page.locator("form:has(input[name=pin])").get_by_role("button").first.click()
