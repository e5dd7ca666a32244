"""Between a phone and a desk: where a list is a table already, all of it is seen without moving it sideways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page

from kaizala_console.tests.browser import assert_fits
from kaizala_console.tests.every_page import DEVELOPER, GROUP_ADMIN, MEMBER, Visit
from kaizala_console.tests.visiting import Visitors
from kaizala_console.tests.whole_world import World

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
    whole_world: World, open_page: Callable[..., Page], browser_of: Callable[..., Client], live_server: Any
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
    whole_world: World, open_page: Callable[..., Page], browser_of: Callable[..., Client], live_server: Any
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
