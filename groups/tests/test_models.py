"""What the database itself refuses: every constraint, violated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Person
from groups.models import Group, GroupLink, Membership, Message, Subscription
from groups.tests.factories import make_group


def message(**fields: Any) -> Message:
    group = Group.objects.first()
    assert group is not None
    person = Membership.objects.filter(group=group).first().person  # type: ignore[union-attr]
    return Message.objects.create(**{"group": group, "person": person, "text": "Hello", **fields})


def other(group: Group) -> Group:
    return make_group("Other", organisation=group.organisation)


BROKEN: dict[str, Callable[[Group, Person], Any]] = {
    "group_has_a_name": lambda group, person: Group.objects.create(name=""),
    "group_type_is_known": lambda group, person: Group.objects.create(name="x", group_type="group"),
    "linked_once": lambda group, person: [
        GroupLink.objects.create(parent=group, child=child) for child in [other(group)] * 2
    ],
    "no_group_under_itself": lambda group, person: GroupLink.objects.create(parent=group, child=group),
    "one_membership_a_person": lambda group, person: Membership.objects.create(group=group, person=person),
    "membership_role_is_known": lambda group, person: Membership.objects.create(
        group=other(group), person=person, role="admin"
    ),
    "subscribed_once": lambda group, person: [
        Subscription.objects.create(group=group, person=person) for _ in range(2)
    ],
    "message_says_something": lambda group, person: message(text=""),
    "message_is_not_too_long": lambda group, person: message(text="x" * 4001),
    "message_audience_is_known": lambda group, person: message(audience="all"),
}


@pytest.mark.postgresql
@pytest.mark.parametrize("constraint", BROKEN)
def test_the_database_refuses_what_breaks(constraint: str, group: Group, newcomer: Person) -> None:
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        BROKEN[constraint](group, newcomer)
    # SQLite names the columns of a broken unique constraint, and the constraint otherwise.
    assert constraint in str(error.value) or str(error.value).startswith("UNIQUE constraint failed")


def test_every_constraint_has_its_test() -> None:
    models = (Group, GroupLink, Membership, Message, Subscription)
    assert {constraint.name for model in models for constraint in model._meta.constraints} == set(BROKEN)


def test_a_message_may_have_4000_characters_of_any_kind(group: Group) -> None:
    text = "न" * 3999 + "🏏"
    assert Message.objects.get(pk=message(text=text).pk).text == text


def test_nothing_that_a_group_holds_is_shown_by_its_text(group: Group, newcomer: Person) -> None:
    shown = [str(message(text="for members only")), str(Membership.objects.get(person=newcomer))]
    shown.append(str(Subscription.objects.create(group=group, person=newcomer)))
    assert not any("for members only" in text or newcomer.number in text for text in shown)
