"""Searching for one of many connectors in a browser: with scripts the drop-down follows the words."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from connectors.models import Connector
from groups.models import Group
from groups.tests.test_add_connector_pages import tab_of
from groups.tests.test_many_connectors_pages import many
from kaizala_console.tests.looking import findings

__all__ = ["many"]
pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]
PICTURES = os.environ.get("CONSOLE_TEST_PICTURES")


def test_the_drop_down_follows_the_words(
    group: Group, many: list[Connector], group_admin: User, open_page: Callable[..., Page]
) -> None:
    page = open_page(user=group_admin, width=360)
    page.goto(tab_of(group))
    page.get_by_label("Search for a connector").last.fill("Planner 117")
    expect(page.get_by_text("Showing 1 of 120.")).to_be_visible()
    assert page.locator("#connector-choices").count() == 1
    page.wait_for_function("!document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')")
    page.get_by_label("Connector", exact=True).select_option(label="Planner 117 · Devika Rao")
    expect(page.get_by_text("Permissions of “Planner 117” in this group")).to_be_visible()
    assert findings(page, frame=False) == []
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / "many.png", full_page=True)
