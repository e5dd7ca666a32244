"""A developer asks by a link, an admin gives part of it, and later part of more: two people in real browsers."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from accounts.models import Organisation, User
from connectors.models import Grant
from connectors.permissions import Permission
from connectors.tests.factories import make_connector
from groups.tests.factories import make_group
from kaizala_console.lib.tests.cast import OpenPage
from kaizala_console.tests.browser import assert_accessible, assert_fits

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]
SCREENS = pytest.mark.parametrize(
    "options",
    [{"width": 1280}, {"width": 360, "height": 740, "dark": True}, {"width": 1280, "scripts": False}],
    ids=["wide", "narrow and dark", "without scripts"],
)


@SCREENS
@pytest.mark.capability
def test_a_link_is_sent_answered_in_part_and_so_is_the_wish_for_more(
    open_page: OpenPage, organisation: Organisation, developer: User, group_admin: User, options: dict[str, object]
) -> None:
    make_group("Night Shift", organisation=organisation, admins=[group_admin])
    connector = make_connector(developer, "Shift Planner")
    looks_right = _nothing if options.get("scripts") is False else _looks_right
    theirs, admins = open_page(user=developer, **options), open_page(user=group_admin, **options)

    theirs.goto(f"/console/connectors/{connector.pk}/requests/")
    looks_right(theirs)
    theirs.get_by_role("link", name="Send a request").first.click()
    looks_right(theirs)
    theirs.get_by_label("Group Member List", exact=True).uncheck()
    theirs.get_by_label("Reason").fill("Tells each shift where it works.")
    theirs.get_by_role("button", name="Send request").click()
    expect(theirs.get_by_text("Request created. Send the link to a group admin.")).to_be_visible()
    looks_right(theirs)
    link = theirs.get_by_label("Link of the request").input_value()

    admins.goto(link[link.index("/console/") :])
    expect(admins.get_by_text("Tells each shift where it works.")).to_be_visible()
    looks_right(admins)
    choice = admins.locator("select[name=group]")
    choice.select_option(choice.locator("option", has_text="Night Shift").get_attribute("value"), force=True)
    admins.get_by_label("Group Information", exact=True).uncheck()
    admins.get_by_role("button", name="Approve selected").click()
    expect(admins.get_by_text("who can claim the refresh token.")).to_be_visible()
    assert Grant.objects.get().permissions == {Permission.TEXT_MESSAGE}

    theirs.goto(f"/console/connectors/{connector.pk}/permissions/")
    looks_right(theirs)
    theirs.get_by_label("Reactions", exact=True).check()
    theirs.get_by_label("Media", exact=True).check()
    theirs.get_by_label("Group Member List", exact=True).uncheck()
    theirs.get_by_role("button", name="Continue").click()
    looks_right(theirs)
    theirs.get_by_label("Name of the connector").fill("Shift Planner")
    theirs.get_by_role("button", name="Change permissions").click()
    expect(theirs.get_by_text("1 group must approve the added permissions.")).to_be_visible()

    admins.goto("/console/")
    admins.get_by_role("main").get_by_role("link", name="View request").click()
    expect(admins.get_by_role("heading", name="Current permissions")).to_be_visible()
    looks_right(admins)
    admins.get_by_label("Media", exact=True).uncheck()
    admins.get_by_role("button", name="Approve selected").click()
    expect(admins.get_by_text("Approved. “Shift Planner” has the permissions now.")).to_be_visible()
    assert Grant.objects.get().permissions == {Permission.TEXT_MESSAGE, Permission.REACTIONS}

    theirs.goto(f"/console/connectors/{connector.pk}/requests/?show=earlier")
    expect(theirs.get_by_text("Text Message", exact=True).first).to_be_visible()
    looks_right(theirs)


def _looks_right(page: Page) -> None:
    assert_fits(page)
    assert_accessible(page)


def _nothing(_page: Page) -> None:
    """Without scripts neither can be measured; the same pages are measured with them."""
