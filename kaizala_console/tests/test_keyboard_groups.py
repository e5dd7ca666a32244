"""By keyboard alone: what is asked of a group and given in part, who is in it, and a file of many."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts.models import Organisation, User
from connectors.models import AccessRequest, Grant
from connectors.permissions import Permission
from connectors.services import access_requests
from connectors.tests.factories import make_connector
from groups.access import get_target
from groups.models import Group, Response
from groups.tests.factories import make_group, make_public_group
from kaizala_console.tests.typist import Typist

pytestmark = [pytest.mark.once, pytest.mark.journey, pytest.mark.django_db(transaction=True)]
TypistOf = Callable[..., Typist]


@pytest.fixture
def group(organisation: Organisation, group_admin: User, member: User) -> Group:
    """With one admin and one member."""
    return make_group("Night Shift", organisation=organisation, admins=[group_admin], members=[member])


def test_a_request_is_sent_by_link_and_approved_in_part_without_a_mouse(
    typist: TypistOf, group: Group, developer: User, group_admin: User
) -> None:
    connector = make_connector(developer, "Shift Planner")
    theirs, admins = typist(developer), typist(group_admin)

    page = theirs.page
    page.goto(reverse("connectors:details", args=[connector.pk]))
    theirs.skip()
    theirs.link("Requests")
    expect(page.get_by_role("link", name="Requests", exact=False).last).to_be_visible()
    page.wait_for_url("**/requests/")
    theirs.skip()
    theirs.link("Send a request")
    page.wait_for_url("**/requests/send/**")
    theirs.skip()
    theirs.tick("Group Member List")
    theirs.press(page.locator("summary").filter(has_text="Text Message"))
    expect(page.locator("details[open] > p")).to_be_visible()
    theirs.write("Reason", "Tells each shift where it works.")
    theirs.button("Send request")
    expect(page.get_by_text("Request created. Send the link to a group admin.")).to_be_visible()
    theirs.skip()
    theirs.press(page.get_by_role("button", name="Copy Link of the request"), "Space")
    expect(page.get_by_role("button", name="Copied Link of the request")).to_be_focused()
    link = page.get_by_label("Link of the request", exact=True).input_value()

    page = admins.page
    page.goto(link[link.index("/console/") :])
    admins.skip()
    admins.choose("Group", "Night Shift")
    admins.tick("Group Information")
    admins.button("Approve selected")
    expect(page.get_by_text("who can claim the refresh token")).to_be_visible()
    assert Grant.objects.get().permissions == {Permission.TEXT_MESSAGE}

    page = theirs.page
    theirs.open("Handoffs")
    page.wait_for_url("**/handoffs/")
    theirs.skip()
    theirs.button("Claim", "Space")
    expect(page.get_by_label("Refresh token", exact=True)).to_be_visible()
    theirs.done()


def test_people_are_added_made_admin_and_removed_without_a_mouse(
    typist: TypistOf, group: Group, group_admin: User
) -> None:
    admin = typist(group_admin)
    page = admin.page
    page.goto(reverse("groups:details", args=[group.pk]))
    admin.skip()
    admin.press(page.locator("summary").filter(has_text="Add Users"), "Space")
    admin.write("Phone numbers", "12, +91 98765 43210")
    admin.button("Add Users")
    expect(page.get_by_text("1 person added.")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_focused()
    admin.write("Phone numbers", "+91 98765 43211")
    admin.button("Add Users")
    expect(admin.field("Phone numbers")).to_be_hidden()
    admin.skip()
    admin.button("Make admin Meera Nair", "Space")
    expect(page.get_by_text("Meera Nair is now an admin.")).to_be_visible()
    admin.skip()
    admin.link("Remove +91 98765 43210")
    expect(page.get_by_text("What this means")).to_be_visible()
    admin.reach(page.get_by_role("link", name="Cancel"))
    admin.press(page.get_by_role("button", name="Remove", exact=True), back=True)
    expect(page.get_by_text("+91 98765 43210 removed from the group.")).to_be_visible()
    assert group.memberships.count() == 3


def test_several_requests_are_ticked_and_refused_without_a_mouse(
    typist: TypistOf, group: Group, group_admin: User, developer: User
) -> None:
    for name in ("Rota", "Canteen"):
        connector = make_connector(developer, name)
        access_requests.ask(
            connector=connector,
            by=developer,
            permissions=connector.permissions,
            once=access_requests.new_once(),
            target=get_target(group),
        )
    admin = typist(group_admin)
    page = admin.page
    page.goto(reverse("groups:requests"))
    admin.skip()
    admin.press(page.get_by_label("Select Rota in Night Shift"), "Space")
    admin.press(page.get_by_role("button", name="Refuse", exact=True), back=True)
    expect(page.get_by_role("heading", name="Refuse 1 request")).to_be_visible()
    admin.skip()
    admin.button("Refuse")
    expect(page.get_by_text("1 request refused.")).to_be_visible()
    assert AccessRequest.objects.waiting().count() == 1


def test_several_people_are_ticked_and_removed_without_a_mouse(
    typist: TypistOf, group: Group, group_admin: User, member: User
) -> None:
    admin = typist(group_admin)
    page = admin.page
    page.goto(reverse("groups:details", args=[group.pk]))
    admin.skip()
    admin.press(page.get_by_label("All on this page"), "Space")
    admin.press(page.get_by_label("Select Arjun Mehta"), "Space")
    admin.press(page.get_by_role("button", name="Remove", exact=True), back=True)
    expect(page.get_by_text("What this means")).to_be_visible()
    admin.skip()
    admin.button("Remove")
    expect(page.get_by_text("1 person removed from the group.")).to_be_visible()
    assert group.memberships.count() == 1


def test_subscribers_are_added_and_removed_without_a_mouse(
    typist: TypistOf, organisation: Organisation, group_admin: User
) -> None:
    public = make_public_group(organisation=organisation, admins=[group_admin], subscribers=[group_admin])
    admin = typist(group_admin)
    page = admin.page
    page.goto(reverse("groups:details", args=[public.pk]))
    admin.skip()
    admin.link("Subscribers")
    expect(page.get_by_role("heading", name="Subscribers")).to_be_visible()
    admin.skip()
    admin.press(page.locator("summary").filter(has_text="Add subscribers"), "Space")
    admin.write("Phone numbers", "12, +91 98765 43210")
    admin.button("Add subscribers")
    expect(page.get_by_text("1 subscriber added.")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_focused()
    admin.write("Phone numbers", "+91 98765 43211")
    admin.button("Add subscribers")
    expect(admin.field("Phone numbers")).to_be_hidden()
    admin.skip()
    admin.link("Remove +91 98765 43210")
    expect(page.get_by_text("What this means")).to_be_visible()
    admin.reach(page.get_by_role("link", name="Cancel"))
    admin.press(page.get_by_role("button", name="Remove", exact=True), back=True)
    expect(page.get_by_text("+91 98765 43210 is no longer a subscriber.")).to_be_visible()
    assert public.subscriptions.count() == 2


def test_a_poll_is_posted_answered_and_liked_without_a_mouse(typist: TypistOf, group: Group, member: User) -> None:
    writer = typist(member)
    page = writer.page
    page.goto(reverse("groups:messages", args=[group.pk]))
    writer.skip()
    writer.write("Message", "Rain tomorrow\nStay in")
    writer.button("Send")
    expect(page.get_by_role("listitem").filter(has_text="Rain tomorrow")).to_be_visible()
    writer.skip()
    writer.press(page.locator("summary").filter(has_text="New poll"), "Space")
    writer.write("Question", "Tea?")
    writer.write("Choices", "Yes\nNo")
    writer.button("Post poll")
    expect(page.get_by_text("Posted.")).to_be_visible()
    writer.skip()
    writer.link("Answer Tea?")
    expect(page.get_by_role("radio", name="Yes")).to_be_visible()
    writer.skip()
    writer.press(page.get_by_role("radio", name="Yes"), "ArrowDown")
    writer.button("Send answer")
    expect(page.get_by_text("Answer sent.")).to_be_visible()
    assert Response.objects.get().body == {"choice": 1}
    writer.skip()
    writer.button("Like", "Space")
    expect(page.get_by_text("You like this", exact=True)).to_be_visible()


def test_one_of_many_connectors_is_found_without_a_mouse(
    typist: TypistOf, group: Group, developer: User, group_admin: User
) -> None:
    """By letters, or arrow by arrow; Escape goes back to what was chosen before."""
    for number in range(1, 10):
        make_connector(developer, f"Planner {number}")
    admin = typist(group_admin)
    page = admin.page
    page.goto(reverse("groups:connectors", args=[group.pk]))
    admin.skip()
    box = page.get_by_role("combobox", name="Connector")
    admin.reach(box)
    page.keyboard.type("planner")
    admin.key("ArrowDown")
    expect(page.get_by_role("option").nth(1)).to_have_class("is-active")
    admin.key("Enter")
    expect(page.get_by_role("heading", name="Permissions of “Planner 2” in this group")).to_be_visible()
    admin.reach(box)
    page.keyboard.press("Control+A")
    page.keyboard.type("planner 8")
    expect(page.get_by_role("option")).to_have_count(1)
    admin.key("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    expect(box).to_have_value(re.compile("Planner 2"))
    expect(box).to_be_focused()
    admin.button("Add Connector")
    expect(page.get_by_text("“Planner 2” added.")).to_be_visible()


def test_a_file_is_uploaded_checked_and_gone_on_with_without_a_mouse(
    typist: TypistOf, group: Group, group_admin: User, tmp_path: Path
) -> None:
    """The file is chosen in the system's own window, which is not the page's."""
    people = tmp_path / "people.csv"
    people.write_text("Phone number,Name\n+91 98200 00071,Asha\nnobody,somebody\n", encoding="utf-8")
    admin = typist(group_admin)
    page = admin.page
    page.goto(reverse("groups:details", args=[group.pk]))
    admin.skip()
    admin.link("Bulk Upload Users")
    expect(admin.field("CSV file")).to_be_visible()
    admin.skip()
    admin.button("Upload and check")
    expect(page.get_by_role("alert")).to_be_focused()
    with page.expect_file_chooser() as chooser:
        admin.press(admin.field("CSV file"))
    chooser.value.set_files(people)
    admin.button("Upload and check")
    expect(page.get_by_role("heading", name="Lines with problems")).to_be_visible()
    admin.skip()
    admin.button("Import")
    expect(page.get_by_role("heading", name="Result")).to_be_visible()
    assert group.memberships.count() == 3
