"""Looking further back in a browser, by keyboard alone and without scripts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from accounts import trail_sought
from accounts.audit.tags import Tag
from accounts.models import User
from accounts.tests.test_activity_page import ACTIVITY, happened
from kaizala_console.tests.browser import assert_accessible

OpenPage = Callable[..., Page]
pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def far_back(member: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """One event that is looked for, and so many newer ones that a page does not come to it."""
    monkeypatch.setattr(trail_sought, "LOOKED_AT", 4)
    happened(member, Tag.CONNECTOR_CREATED, subject_name="Heron")
    for _number in range(7):
        happened(member)


@pytest.mark.usefixtures("far_back")
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_word_is_found_by_looking_further_back(member: User, open_page: OpenPage, scripts: bool) -> None:
    page = open_page(user=member, scripts=scripts)
    page.goto(ACTIVITY)
    page.get_by_label("Who or what").fill("heron")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing matches so far")).to_be_visible()
    further = page.get_by_role("link", name="Look further back")
    further.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Meera Nair created the connector “Heron”")).to_be_visible()
    expect(page.get_by_label("Who or what")).to_have_value("heron")
    expect(further).to_have_count(0)
    page.get_by_role("link", name="Newer").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Looked through everything up to")).to_be_visible()


@pytest.mark.usefixtures("far_back")
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_that_has_found_nothing_so_far_keeps_the_rules(
    member: User, open_page: OpenPage, width: int, dark: bool
) -> None:
    page = open_page(user=member, width=width, dark=dark, kept=True)
    page.goto(f"{ACTIVITY}?q=heron")
    expect(page.get_by_role("link", name="Look further back")).to_be_visible()
    assert_accessible(page)
