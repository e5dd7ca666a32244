"""On a slow phone scripts arrive last. Nothing that has been drawn moves when they do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route

from kaizala_console.tests.every_page import DEVELOPER, GROUP_ADMIN, NEWCOMER, NOBODY, Visit
from kaizala_console.tests.visiting import WATCH_SHIFTS, Visitors, steady
from kaizala_console.tests.whole_world import World

OpenPage = Callable[..., Page]
# Each has something that a script shows, hides or rewrites, and the gallery has all components.
PAGES = [
    Visit("accounts:sms", NOBODY),
    Visit("accounts:phone_pin", NEWCOMER),
    Visit("groups:details", GROUP_ADMIN),
    Visit("connectors:credentials", DEVELOPER),
]
BEFORE_PAINT = re.compile(r'<script src="([^"]+)"(?: defer blocking="render")?></script>')
PAINTED = "() => performance.getEntriesByType('paint').length > 0"
IN_PARTS = """() => {
  const [page] = performance.getEntriesByType("navigation"), [paint] = performance.getEntriesByType("paint");
  return paint.startTime < page.domInteractive;
}"""


def shifts_with_late_scripts(page: Page, address: str) -> list[str]:
    """Opens the page, and keeps back until it is drawn every script for which that does not wait."""
    at_once = BEFORE_PAINT.findall(page.request.get(address).text())
    held: list[Route] = []

    def answer(route: Route) -> None:
        if not held_back or urlsplit(route.request.url).path in at_once:
            route.continue_()
        else:
            held.append(route)

    held_back = True
    page.unroute_all()
    page.route("**/*.js", answer)
    page.goto(address, wait_until="commit")
    page.wait_for_function(PAINTED, polling=20)
    held_back = False
    assert held, "the page has scripts that come later"
    for route in held:
        route.continue_()
    page.wait_for_load_state()
    steady(page)
    if page.evaluate(IN_PARTS):
        return [f"{address} is drawn while it still arrives: its tables move with every row"]
    moved: float = page.evaluate("window.shifts || 0")
    return [f"{address} shifts by {moved:.3f}: {page.evaluate('window.shifted')[:6]}"] if moved >= 0.001 else []


@pytest.mark.journey
@pytest.mark.django_db
@pytest.mark.parametrize("width", [1280, 360])
def test_no_component_moves_when_the_scripts_arrive(open_page: OpenPage, width: int) -> None:
    page = open_page(width=width)
    page.add_init_script(WATCH_SHIFTS)
    assert shifts_with_late_scripts(page, "/gallery/") == []


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("width", [1280, 360])
def test_no_page_moves_when_the_scripts_arrive(
    whole_world: World, open_page: OpenPage, browser_of: Callable[..., Any], live_server: Any, width: int
) -> None:
    visitors = Visitors(whole_world, open_page, browser_of, {"width": width}, live_server.url)
    found = []
    for visit in PAGES:
        found += shifts_with_late_scripts(visitors.page_of(visit.who), visit.address(whole_world))
    assert found == []
