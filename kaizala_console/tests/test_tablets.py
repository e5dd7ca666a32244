"""Between a phone and a desk: where a list is a table already, it does not push the page sideways."""

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

WIDTHS = (768, 800, 992, 1100)
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
    for visit in LISTS:
        page = visitors.open(visit)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert_fits(page)
