"""By keyboard alone: the directory of an organisation, its files, and the archive of what was said before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import Locator, expect

from accounts.models import Organisation, User
from groups.models import ArchivedMessage, BulkJob, Group, PersonAttribute, PersonAttributeValue
from groups.services import directory
from groups.tests.factories import make_group, person_of
from kaizala_console.tests.typist import Typist

pytestmark = [pytest.mark.once, pytest.mark.journey, pytest.mark.django_db(transaction=True)]
TypistOf = Callable[..., Typist]


@pytest.fixture
def group(organisation: Organisation, group_admin: User, member: User) -> Group:
    """With one admin and one member."""
    return make_group("Night Shift", organisation=organisation, admins=[group_admin], members=[member])


@pytest.fixture
def boss(typist: TypistOf, group: Group, organisation_admin: User) -> Typist:
    """The organisation's admin, who alone may do all that."""
    return typist(organisation_admin)


def upload(who: Typist, path: Path, content: str) -> None:
    """Chooses a file, in the system's own window, and sends it to be checked."""
    path.write_text(content, encoding="utf-8")
    with who.page.expect_file_chooser() as chooser:
        who.press(who.field("CSV file"))
    chooser.value.set_files(path)
    who.button("Upload and check")
    who.skip()


def download(who: Typist, wanted: Locator) -> str:
    """What a button or a link gives as a file."""
    with who.page.expect_download() as file:
        who.press(wanted)
    return str(file.value.path().read_text(encoding="utf-8"))


def test_attributes_are_made_ordered_noted_and_deleted_and_a_person_removed_everywhere(
    boss: Typist, group: Group, member: User
) -> None:
    page = boss.page
    boss.visit(reverse("groups:attributes"))
    boss.button("Add attribute")
    expect(page.get_by_role("alert")).to_be_focused()
    for name in ("Location", "Department"):
        boss.write("Name", name)
        boss.button("Add attribute", "Space")
        boss.skip()
    boss.button("Move up Department")
    boss.skip()
    boss.link("Location")
    boss.skip()
    boss.tick("Visible to colleagues")
    boss.button("Save attribute")
    assert list(PersonAttribute.objects.values_list("name", "for_colleagues")) == [
        ("Department", False),
        ("Location", True),
    ]
    boss.visit(reverse("groups:directory"))
    boss.write("Search by name or number", "meera")
    boss.key("Enter")
    boss.skip()
    boss.link("Meera Nair")
    boss.skip()
    boss.write("Department", "Gate")
    boss.button("Save attributes")
    assert PersonAttributeValue.objects.get().text == "Gate"
    boss.visit(reverse("groups:attributes"))
    boss.link("Delete Location")
    boss.skip()
    boss.write("Name of the attribute", "Location")
    boss.button("Delete attribute")
    assert PersonAttribute.objects.get().name == "Department"

    boss.visit(reverse("groups:person", args=[person_of(member).pk]))
    boss.link("Remove from all groups")
    boss.skip()
    boss.write("Name of the person", "Meera Nair")
    boss.button("Remove from all groups")
    assert group.memberships.count() == 1


def test_files_of_people_and_of_parent_groups_go_out_and_come_back(
    boss: Typist, group: Group, organisation_admin: User, tmp_path: Path
) -> None:
    directory.add_attribute(name="Department", by=organisation_admin)
    page, main = boss.page, boss.page.get_by_role("main")
    boss.visit(reverse("groups:people_upload"))
    people = download(boss, main.get_by_role("button", name="Export people"))
    upload(boss, tmp_path / "people.csv", people.replace('"Meera Nair",""', '"Meera Nair","Gate"'))
    boss.button("Import")
    assert PersonAttributeValue.objects.get().text == "Gate"
    boss.visit(reverse("groups:people_upload"))
    boss.link("people.csv")
    expect(page.get_by_role("heading", name="Result")).to_be_visible()

    gate = make_group("Gate", organisation=group.organisation)
    boss.visit(reverse("groups:mapping"))
    assert "Gate" not in download(boss, main.get_by_role("button", name="Export parent groups"))
    upload(boss, tmp_path / "parents.csv", f"Group ID,Parent Group ID\n{gate.pk},{group.pk}\nnone,none\n")
    assert "none,none" in download(boss, page.get_by_role("link", name="Bad lines"))
    boss.button("Import", "Space")
    assert gate.parent_links.get().parent == group

    boss.visit(reverse("groups:bulk", args=[group.pk]))
    assert "Meera Nair" in download(boss, main.get_by_role("button", name="Export users"))
    upload(boss, tmp_path / "users.csv", "Phone number\n+91 98200 00071\n")
    boss.button("Cancel", "Space")
    assert BulkJob.objects.get(file_name="users.csv").cancelled_at
    assert group.memberships.count() == 2


def test_old_messages_are_imported_with_columns_of_their_own_and_found(boss: Typist, tmp_path: Path) -> None:
    page = boss.page
    boss.visit(reverse("groups:archive"))
    boss.link("Import")
    boss.skip()
    old = "When;Where;Key;Who;Kind;Files\n2019-03-01T09:30:00Z;Depot;m-1;Asha;Text;\n"
    upload(boss, tmp_path / "old.csv", old)
    for label, column in (("Timestamp", "When"), ("Group Name", "Where"), ("MessageID", "Key"), ("Sender", "Who")):
        boss.choose(label, column)
    boss.button("Check the lines")
    boss.skip()
    boss.button("Import")
    assert ArchivedMessage.objects.get().sender == "Asha"
    boss.visit(reverse("groups:archive"))
    boss.write("Group", "dep")
    boss.reach(boss.field("To"))
    page.keyboard.type("12122020")
    boss.button("Search")
    expect(page.get_by_role("cell", name="Asha")).to_be_visible()
    boss.skip()
    boss.press(page.get_by_role("list", name="Filters in use").get_by_role("link").last)
    boss.arrive()
    expect(page.get_by_role("list", name="Filters in use").get_by_role("link")).to_have_count(1)
