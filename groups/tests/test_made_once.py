"""Asked twice for the same id, a group is made once and a message is posted once; and nobody gets another's."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from accounts.models import AuditEvent, User
from groups.models import Group, GroupLink, Membership, Message
from groups.services import groups, messages
from groups.services.groups import Created
from groups.tests.factories import make_group, person_of
from kaizala_console.lib.errors import Conflict

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]

ID = UUID("0f0e0d0c-0b0a-4908-8706-050403020100")


def create(admin: User, **fields: Any) -> Created:
    return groups.create(
        **{"name": "Safety", "organisation": None, "admin": person_of(admin), "by": admin, "group_id": ID, **fields}
    )


def post(group: Group, by: User, text: str = "Hello", message_id: UUID | None = ID) -> Message:
    return messages.post(group=group, text=text, person=person_of(by), by=by, message_id=message_id)


def test_a_group_that_is_asked_for_twice_is_made_once_with_everything_in_it(group: Group, group_admin: User) -> None:
    organisation = group.organisation
    asked: dict[str, Any] = {"numbers": ["+919930000001"], "parent": group, "organisation": organisation}
    first, second = create(group_admin, **asked), create(group_admin, **asked)
    assert first.group == second.group
    assert first.group.pk == ID
    assert Membership.objects.filter(group=first.group).count() == 2
    assert GroupLink.objects.count() == 1
    assert AuditEvent.objects.filter(tag="group:account:created").count() == 1


def test_a_group_that_was_renamed_since_is_given_as_it_is_now(group_admin: User) -> None:
    create(group_admin)
    Group.objects.filter(pk=ID).update(name="Safety first")
    assert create(group_admin).group.name == "Safety first"


def test_nobody_gets_anothers_group_by_its_id(group_admin: User, stranger: User, member: User) -> None:
    made = create(group_admin, numbers=[person_of(member).number]).group
    before = list(Membership.objects.order_by("pk").values_list())
    for other in (stranger, member):
        with pytest.raises(Conflict):
            create(other)
    assert Group.objects.get() == made
    assert list(Membership.objects.order_by("pk").values_list()) == before


def test_who_is_no_admin_there_any_more_does_not_get_it_either(group_admin: User) -> None:
    create(group_admin)
    Membership.objects.update(role="Member")
    with pytest.raises(Conflict):
        create(group_admin)


def test_without_an_id_each_call_makes_a_group(group_admin: User) -> None:
    assert create(group_admin, group_id=None).group != create(group_admin, group_id=None).group


def test_a_message_that_is_asked_for_twice_is_posted_once(group: Group, group_admin: User) -> None:
    first, second = post(group, group_admin), post(group, group_admin)
    assert first == second
    assert Message.objects.count() == 1


def test_nobody_posts_or_gets_anothers_message_by_its_id(group: Group, group_admin: User, member: User) -> None:
    post(group, group_admin, "for this group")
    other = make_group("Other", admins=[group_admin])
    with pytest.raises(Conflict):
        post(group, member, "mine")
    with pytest.raises(Conflict):
        post(other, group_admin, "elsewhere")
    assert Message.objects.get().text == "for this group"


def test_without_an_id_each_call_posts_a_message(group: Group, group_admin: User) -> None:
    for _ in range(2):
        post(group, group_admin, message_id=None)
    assert Message.objects.count() == 2
