"""Making groups."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import AuditEvent, Organisation, User
from groups.models import Group, GroupLink, Membership
from groups.services import groups
from groups.tests.factories import make_group, person_of
from kaizala_console.lib.errors import RuleBroken


def create(admin: User, **fields: Any) -> groups.Created:
    return groups.create(
        **{"name": "Safety", "organisation": admin.organisation, "admin": person_of(admin), "by": admin, **fields}
    )


def test_a_new_group_has_its_admin_and_its_members(group_admin: User, member: User) -> None:
    made = create(group_admin, name="  Safety ", welcome_message="Welcome!", numbers=[person_of(member).number])
    assert (made.group.name, made.group.welcome_message, made.group.group_type) == ("Safety", "Welcome!", "Group")
    assert dict(Membership.objects.filter(group=made.group).values_list("person__names__name", "role")) == {
        group_admin.name: "Admin",
        member.name: "Member",
    }
    assert made.failed == []


def test_a_wrong_number_is_told_and_does_not_keep_the_group_from_being_made(group_admin: User) -> None:
    made = create(group_admin, numbers=["+919930000001", "nonsense"])
    assert [failure.number for failure in made.failed] == ["nonsense"]
    assert Membership.objects.filter(group=made.group).count() == 2


def test_a_private_group_belongs_to_no_organisation_nor_does_its_audit_row(group_admin: User) -> None:
    made = create(group_admin, organisation=None)
    assert made.group.organisation is None
    assert AuditEvent.objects.get(tag="group:account:created").organisation is None


def test_a_group_with_a_parent_is_its_sub_group(group_admin: User, group: Group) -> None:
    made = create(group_admin, parent=group)
    assert GroupLink.objects.get().parent == group
    assert [event.tag for event in AuditEvent.objects.order_by("id")] == [
        "group:account:created",
        "group:subgroup:linked",
    ]
    assert made.group in Group.objects.under([group.pk])


def test_a_private_group_is_not_made_under_an_organisations_group_and_nothing_is_left(
    group_admin: User, group: Group
) -> None:
    with pytest.raises(RuleBroken):
        create(group_admin, organisation=None, parent=group)
    assert Group.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": " \t\n"}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "nul\x00"}, "name"),
        ({"name": "half \ud83c"}, "name"),
        ({"welcome_message": "x" * 501}, "welcome_message"),
        ({"short_description": "x" * 201}, "short_description"),
        ({"long_description": "x" * 2001}, "long_description"),
        ({"image_url": "x" * 201}, "image_url"),
        ({"group_type": "Broadcast"}, "group_type"),
    ],
)
def test_what_cannot_be_stored_is_refused_in_words(group_admin: User, fields: dict[str, str], field: str) -> None:
    with pytest.raises(RuleBroken) as error:
        create(group_admin, **fields)
    assert error.value.field == field
    assert not Group.objects.exists()


def test_names_are_not_unique(group_admin: User, organisation: Organisation) -> None:
    make_group("Safety", organisation=organisation)
    assert create(group_admin).group.name == "Safety"
