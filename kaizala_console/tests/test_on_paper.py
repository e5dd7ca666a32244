"""Printed pages: what they say, in ink on white, as tables, without what only a screen can do."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from groups.tests import factories
from kaizala_console.lib.tests.cast import OpenPage

A4 = 718  # the width that Chromium leaves between its margins, in pixels


@pytest.fixture
def printed(open_page: OpenPage, group_admin: User, member: User) -> Page:
    """The users of a group, by a reader who prefers dark pages."""
    group = factories.make_group("Field Service Mumbai", admins=[group_admin], members=[member])
    page = open_page(user=group_admin, width=A4, dark=True)
    page.goto(f"/console/groups/{group.pk}/")
    page.emulate_media(media="print")
    return page


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
def test_a_list_is_printed_as_a_table_without_buttons(printed: Page) -> None:
    row = printed.get_by_role("row", name="Meera Nair")
    expect(row).to_have_css("display", "table-row")
    expect(printed.get_by_role("heading", name="Field Service Mumbai")).to_be_visible()
    for unseen in (".btn", ".search-box", ".menu", ".topbar", ".tabs a:not([aria-current])"):
        assert not [one for one in printed.locator(unseen).all() if one.is_visible()], unseen


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
def test_it_is_printed_in_dark_ink_whatever_the_screen_has(printed: Page) -> None:
    expect(printed.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
    expect(printed.get_by_role("heading", name="Field Service Mumbai")).to_have_css("color", "rgb(20, 33, 61)")


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
def test_when_it_was_is_printed_with_the_moment_itself(printed: Page) -> None:
    time = printed.locator("td time").first
    assert time.get_attribute("title") in time.evaluate("(time) => getComputedStyle(time, '::after').content")
