"""Every page in every state: usable by everybody, of one make, and none forgotten."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.urls import reverse
from playwright.sync_api import Page, Route

from accounts.models import PersonName, User
from connectors.models import Bot, Connector
from groups.models import Group
from kaizala_console.lib.tests.cast import BrowserOf, OpenPage
from kaizala_console.tests.browser import AXE, accessibility_findings, assert_fits
from kaizala_console.tests.every_page import (
    BOSS,
    DEVELOPER,
    GROUP_ADMIN,
    MEMBER,
    NEWCOMER,
    NOBODY,
    PAGES,
    Visit,
    parameters,
    visits,
)
from kaizala_console.tests.looking import NARROW, WIDE, findings
from kaizala_console.tests.not_pages import NOT_PAGES
from kaizala_console.tests.visiting import WATCH_SHIFTS, Visitors, faults_of, steady
from kaizala_console.tests.whole_world import World

WORDS = {"kind": "users", "verb": "suspend", "provider_id": "nobody"}
# What `make test` looks at: a page of each kind, on a phone and on a screen.
SAMPLE = {
    "account_login",
    "home",
    "accounts:confirm",
    "activity",
    "help",
    "connectors:list",
    "connectors:credentials",
    "connectors:webhook",
    "handoffs",
    "groups:details",
    "groups:grant",
    "groups:action",
    "groups:bulk",
    "operators:index",
}
NUMBERS = ("secret_id", "key_id", "delivery_id", "session_id", "phone_id", "device_id", "user_id")
NO_ID = "01900000-0000-7000-8000-000000000000"


def _any_address(name: str) -> str:
    """An address of the kind, of nothing that is there."""
    known = {**WORDS, **dict.fromkeys(NUMBERS, 1)}
    return reverse(name, kwargs={key: known.get(key, NO_ID) for key in parameters()[name]})


@pytest.mark.django_db
def test_every_address_stands_in_one_of_the_tables(browser_of: BrowserOf, operator: Any) -> None:
    shown = {visit.name for visit in visits()}
    assert shown - set(parameters()) == set(), "these are gone"
    assert set(NOT_PAGES) - set(parameters()) == set(), "these are gone"
    assert shown & set(NOT_PAGES) == set()
    client, forgotten = browser_of(operator), []
    for name in set(parameters()) - shown - set(NOT_PAGES):
        if client.get(_any_address(name)).status_code != 405:  # what refuses a GET shows no page
            forgotten.append(name)
    assert forgotten == [], "add these to every_page.py"


@pytest.mark.once
@pytest.mark.capability
@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
def test_a_page_of_each_kind_can_be_used_by_everybody(
    whole_world: World, open_page: OpenPage, browser_of: BrowserOf, live_server: Any
) -> None:
    visitors = Visitors(whole_world, open_page, browser_of, {"width": 360}, live_server.url)
    wrong: list[str] = []
    met: set[str] = set()
    for visit in visits():
        if visit.name in SAMPLE - met:
            met.add(visit.name)
            page = visitors.open(visit)
            for width in (360, WIDE):
                page.set_viewport_size({"width": width, "height": 800})
                assert_fits(page)
                wrong += [f"{visit} at {width}: {what}" for what in accessibility_findings(page)]
    assert met == SAMPLE
    assert wrong == [], "\n".join(wrong)


@pytest.mark.once
@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_of_four", range(4))  # each has a world of its own, and a browser
def test_every_page_can_be_used_by_everybody_and_stands_still(
    round_of_four: int, whole_world: World, open_page: OpenPage, browser_of: BrowserOf, live_server: Any
) -> None:
    """Each page wide and narrow, opened in one of them by turns; its other states narrow, where space is scarce."""
    scripts = (WATCH_SHIFTS, AXE.read_text())
    visitors = Visitors(whole_world, open_page, browser_of, {"width": NARROW}, live_server.url, scripts)
    wrong, met = [], set()
    for visit in (visit for section in list(PAGES)[round_of_four::4] for visit in PAGES[section]):
        widths = (NARROW,) if visit.name in met else (NARROW, WIDE)
        try:
            page = visitors.open(visit, widths)
        except AssertionError as error:
            wrong.append(f"{visit}: {error}")
            continue
        found = faults_of(page) + findings(page, frame=visit.who not in met, widths=widths, stay=True)
        wrong += [f"{visit}: {what}" for what in found]
        met |= {visit.name, visit.who}
    assert wrong == [], "\n".join(wrong)


NAME = "Nachtschichtvertretungsplanung" * 3
LONG = [
    *(Visit(f"connectors:{name}", DEVELOPER) for name in ("list", "details", "owners", "groups", "bots")),
    *(Visit(f"connectors:{name}", DEVELOPER) for name in ("handoff", "webhooks", "webhook", "usage", "activity")),
    Visit("connectors:change_state", DEVELOPER, ids={"verb": "delete"}),
    Visit("connectors:consent", MEMBER),
    Visit("connectors:acting", MEMBER),
    *(
        Visit(f"groups:{name}", GROUP_ADMIN)
        for name in ("details", "connectors", "grant", "grant_remove", "sub_groups")
    ),
    *(Visit(f"groups:{name}", GROUP_ADMIN) for name in ("request", "requests", "messages", "policies", "list")),
    Visit("groups:list", GROUP_ADMIN, "?view=tree"),
    Visit("search", GROUP_ADMIN, "?q=nacht"),
    *(Visit(f"groups:{name}", BOSS) for name in ("directory", "person", "person_remove")),
    Visit("handoffs", DEVELOPER),
    *(Visit(name, GROUP_ADMIN) for name in ("home", "activity", "accounts:settings")),
]


@pytest.mark.once
@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
def test_a_name_of_one_long_word_breaks_no_page(
    whole_world: World, open_page: OpenPage, browser_of: BrowserOf, live_server: Any
) -> None:
    named: tuple[Any, ...] = (Connector, Group, Bot, PersonName, User)
    for model in named:
        for number, pk in enumerate(model.objects.values_list("pk", flat=True)):
            model.objects.filter(pk=pk).update(name=f"{NAME[:77]}{number:03}")
    visitors = Visitors(whole_world, open_page, browser_of, {"width": NARROW}, live_server.url, (AXE.read_text(),))
    wrong = []
    for visit in LONG:
        page = visitors.open(visit)
        wrong += [f"{visit}: {what}" for what in findings(page, frame=visit.name == "home", stay=True)]
    assert wrong == [], "\n".join(wrong)


WIDTHS = (768, 834, 992, 1024, 1100)
IN_A_FRAME = """() => [...document.querySelectorAll(".table-frame")]
  .filter((frame) => frame.scrollWidth > frame.clientWidth + 1)
  .map((frame) => `${frame.querySelector("caption").textContent}: ${frame.scrollWidth - frame.clientWidth} px too wide`)
"""
LISTS = [
    *(Visit(f"connectors:{name}", DEVELOPER) for name in ("list", "groups", "webhooks", "webhook", "usage", "bots")),
    Visit("connectors:acting", MEMBER),
    *(Visit(f"groups:{name}", GROUP_ADMIN) for name in ("list", "details", "connectors", "bulk", "directory")),
]


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
def test_lists_fit_on_a_tablet(
    whole_world: World, open_page: OpenPage, browser_of: BrowserOf, live_server: Any
) -> None:
    visitors = Visitors(whole_world, open_page, browser_of, {"width": WIDTHS[0]}, live_server.url)
    wrong = []
    for visit in LISTS:
        page = visitors.open(visit)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert_fits(page)
            wrong += [f"{width}, {visit}: {what}" for what in page.evaluate(IN_A_FRAME)]
    assert wrong == []


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
def test_what_is_folded_below_its_row_is_named_and_stays_a_cell_of_its_column(
    whole_world: World, open_page: OpenPage, browser_of: BrowserOf, live_server: Any
) -> None:
    visitors = Visitors(whole_world, open_page, browser_of, {"width": 834}, live_server.url)
    page = visitors.open(Visit("connectors:list", DEVELOPER))
    row = page.get_by_role("row", name="Depot Stock")
    folded = row.get_by_role("cell").nth(1)
    assert folded.evaluate("cell => getComputedStyle(cell, '::before').content") == '"Permissions"'
    below, name = folded.bounding_box(), row.get_by_role("rowheader").bounding_box()
    assert below is not None
    assert name is not None
    assert below["y"] >= name["y"] + name["height"]
    heads = page.get_by_role("table").get_by_role("columnheader").all_inner_texts()
    assert heads[:4] == ["Name", "State", "Permissions", "Groups"]


# Each has something that a script shows, hides or rewrites, and the gallery has all components.
WITH_SCRIPTS = [
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
    whole_world: World, open_page: OpenPage, browser_of: BrowserOf, live_server: Any, width: int
) -> None:
    visitors = Visitors(whole_world, open_page, browser_of, {"width": width}, live_server.url)
    found = []
    for visit in WITH_SCRIPTS:
        found += shifts_with_late_scripts(visitors.page_of(visit.who), visit.address(whole_world))
    assert found == []
