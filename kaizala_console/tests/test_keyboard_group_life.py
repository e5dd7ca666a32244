"""By keyboard alone: a group from its first day to its last, and what is said and asked in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts.models import Organisation, User
from groups.models import Action, Group, Reaction, Response
from groups.services import actions
from groups.tests.cards import POLL
from groups.tests.factories import make_group, person_of
from kaizala_console.tests.typist import Typist

pytestmark = [pytest.mark.once, pytest.mark.journey, pytest.mark.django_db(transaction=True)]
TypistOf = Callable[..., Typist]


@pytest.fixture
def group(organisation: Organisation, group_admin: User, member: User, developer: User) -> Group:
    """With two admins and one member."""
    return make_group("Night Shift", organisation=organisation, admins=[group_admin, developer], members=[member])


def at(name: str, group: Group, *more: object) -> str:
    return reverse(f"groups:{name}", args=[group.pk, *more])


def test_a_group_is_made_gets_sub_groups_and_rules_and_is_deleted(
    typist: TypistOf, organisation: Organisation, group_admin: User
) -> None:
    office = make_group("Office", organisation=organisation, admins=[group_admin])
    admin = typist(group_admin)
    page = admin.page
    admin.visit(reverse("groups:create"))
    admin.button("Create group")
    expect(page.get_by_role("alert")).to_be_focused()
    admin.write("Name", "Depot")
    admin.key("Enter")
    admin.arrive()
    depot = Group.objects.get(name="Depot")
    admin.visit(at("sub_groups", depot))
    admin.write("Name of the sub-group", "Gate")
    admin.button("Create sub-group")
    admin.visit(at("sub_groups", depot))
    admin.link("Attach an existing group")
    admin.skip()
    admin.write("Search by name or ID", "off")
    admin.key("Enter")
    admin.skip()
    admin.link("Attach Office")
    admin.skip()
    admin.button("Attach", "Space")
    assert {link.child.name for link in depot.child_links.all()} == {"Gate", "Office"}
    admin.skip()
    admin.link("Detach Office")
    admin.skip()
    admin.button("Detach")
    assert not office.parent_links.exists()

    admin.visit(at("policies", depot))
    admin.write("Short description", "All vans")
    admin.button("Save details")
    admin.skip()
    for question in ("Who can post", "Who can see members"):
        choices = page.get_by_role("group", name=question).get_by_role("radio")
        admin.press(choices.first, "ArrowDown")
        expect(choices.last).to_be_checked()
    admin.button("Save rules", "Space")
    depot.refresh_from_db()
    assert (depot.short_description, depot.only_admins_post) == ("All vans", True)
    admin.skip()
    admin.link("Delete this group")
    admin.skip()
    admin.write("Name of the group", "Depot")
    admin.button("Delete this group")
    depot.refresh_from_db()
    assert depot.removed_at


def test_cards_are_posted_answered_exported_and_commented_on_and_an_admin_steps_back(
    typist: TypistOf, group: Group, group_admin: User, tmp_path: Path
) -> None:
    """An answer that is missing leads to its choices."""
    poll = actions.post(group=group, action_type="Poll", body=POLL, person=person_of(group_admin), by=group_admin)
    note = tmp_path / "note.txt"
    note.write_text("Bring the long ladder.\n")
    admin = typist(group_admin)
    page = admin.page
    admin.visit(at("messages", group))
    admin.unfold("New announcement")
    admin.write("Title", "New vests")
    admin.write("Text", "From Monday.")
    admin.button("Post announcement")
    assert Action.objects.filter(kind="Announcement").exists()
    admin.skip()
    admin.unfold("Pictures and files")
    with page.expect_file_chooser() as chooser:
        admin.press(admin.field("Files"))
    chooser.value.set_files(note)
    admin.button("Post files", "Space")
    expect(page.get_by_text("note.txt").first).to_be_visible()

    admin.visit(at("action", group, poll.pk))
    admin.button("Send answer")
    expect(page.get_by_role("alert")).to_be_focused()
    admin.press(page.get_by_role("alert").get_by_role("link"))
    expect(page.get_by_role("main").get_by_role("group")).to_be_focused()
    assert admin.is_seen()
    admin.press(page.get_by_role("radio").first, "ArrowDown")
    admin.button("Send answer")
    assert Response.objects.get().body == {"choice": 1}
    admin.skip()
    with page.expect_download() as export:
        admin.press(page.get_by_role("button", name="Export answers"), "Space")
    assert "No" in export.value.path().read_text()
    admin.write("Comment", "Thank you")
    admin.button("Comment")
    assert Reaction.objects.get().comment == "Thank you"

    admin.visit(at("details", group))
    admin.button("Make member Devika Rao")
    assert group.memberships.filter(role="Admin").count() == 1
    admin.skip()
    admin.button("Make member Arjun Mehta", "Space")
    expect(page.get_by_role("alert")).to_be_focused()
    admin.write("Search by name or number", "meera")
    admin.key("Enter")
    admin.arrive()
    expect(page.get_by_role("row")).to_have_count(2)
