"""Every page in every state: usable by everybody, of one make, and none forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page

from kaizala_console.tests.browser import AXE, accessibility_findings, assert_fits
from kaizala_console.tests.every_page import PAGES, parameters, visits
from kaizala_console.tests.looking import NARROW, WIDE, findings
from kaizala_console.tests.not_pages import NOT_PAGES
from kaizala_console.tests.visiting import WATCH_SHIFTS, Visitors, faults_of
from kaizala_console.tests.whole_world import World

WORDS = {"kind": "users", "verb": "suspend", "provider_id": "nobody"}
# Each round has a world of its own, and a browser.
ROUNDS = {
    "people": ("outside", "accounts", "help", "directory", "operators"),
    "connectors": ("connectors", "bots", "acting"),
    "programs": ("credentials", "webhooks", "shown-once"),
    "groups": ("groups", "group-connectors", "bulk"),
}
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
def test_every_address_stands_in_one_of_the_tables(browser_of: Callable[..., Client], operator: Any) -> None:
    shown = {visit.name for visit in visits()}
    assert shown - set(parameters()) == set(), "these are gone"
    assert set(NOT_PAGES) - set(parameters()) == set(), "these are gone"
    assert shown & set(NOT_PAGES) == set()
    client, forgotten = browser_of(operator), []
    for name in set(parameters()) - shown - set(NOT_PAGES):
        if client.get(_any_address(name)).status_code != 405:  # what refuses a GET shows no page
            forgotten.append(name)
    assert forgotten == [], "add these to every_page.py"


def test_every_section_stands_in_one_round() -> None:
    assert sorted(section for sections in ROUNDS.values() for section in sections) == sorted(PAGES)


@pytest.mark.once
@pytest.mark.capability
@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
def test_a_page_of_each_kind_can_be_used_by_everybody(
    whole_world: World, open_page: Callable[..., Page], browser_of: Callable[..., Client], live_server: Any
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
@pytest.mark.parametrize("sections", list(ROUNDS.values()), ids=list(ROUNDS))
def test_every_page_can_be_used_by_everybody_and_stands_still(
    sections: tuple[str, ...],
    whole_world: World,
    open_page: Callable[..., Page],
    browser_of: Callable[..., Client],
    live_server: Any,
) -> None:
    """Each page wide and narrow, opened in one of them by turns; its other states narrow, where space is scarce.

    What scripts do that come late is in test_stands_still.py.
    """
    scripts = (WATCH_SHIFTS, AXE.read_text())
    visitors = Visitors(whole_world, open_page, browser_of, {"width": NARROW}, live_server.url, scripts)
    wrong, met = [], set()
    for visit in (visit for section in sections for visit in PAGES[section]):
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
