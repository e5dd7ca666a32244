"""Whoever works with the keyboard keeps their place: nothing that moves takes it away, and nothing covers it."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts.models import User
from kaizala_console.lib.tests.cast import OpenPage

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]
# The nearer half of what has the focus is the top thing there: no bar lies over it.
UNCOVERED = """() => {
  const box = document.activeElement.getBoundingClientRect();
  const top = document.elementFromPoint(box.left + box.width / 2, box.top + 1);
  return document.activeElement.contains(top) || top.contains(document.activeElement) || top.className;
}"""


def test_the_menu_does_not_stay_open_over_what_has_the_focus(open_page: OpenPage, group_admin: User) -> None:
    page = open_page(user=group_admin, width=360)
    page.goto("/console/groups/")
    page.get_by_role("button", name="Menu").press("Enter")
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    page.get_by_role("button", name="Sign out").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Menu")).to_have_attribute("aria-expanded", "false")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


@pytest.mark.parametrize("width", [1280, 360])
def test_escape_and_closing_give_the_focus_back_to_what_opened(
    width: int, open_page: OpenPage, group_admin: User
) -> None:
    page = open_page(user=group_admin, width=width)
    page.goto("/console/groups/")
    if width == 360:
        page.get_by_role("button", name="Menu").press("Enter")
    opener = page.get_by_role("button", name="Keyboard shortcuts")
    for close in ("Escape", "Enter"):
        opener.press("Enter")
        expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        page.keyboard.press(close)
        expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_hidden()
        if width == 360:  # the key closed the dialog alone, and not the menu that it lay on
            expect(page.locator("[data-menu-open]")).to_have_attribute("aria-expanded", "true")
        expect(opener).to_be_focused()


def test_the_top_bar_covers_nothing_that_has_the_focus(open_page: OpenPage, whole_world: Any) -> None:
    page = open_page(user=whole_world.group_admin, zoom=2, height=600, reduced_motion="reduce")
    page.goto(reverse("groups:details", args=[whole_world.facts["group_id"]]))
    covered = {}
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.get_by_role("link", name="Remove").last.focus()
    for _press in range(25):
        page.keyboard.press("Shift+Tab")
        if (by := page.evaluate(UNCOVERED)) is not True:
            covered[page.evaluate("document.activeElement.textContent.trim()")] = by
    assert covered == {}
