"""Making groups, each id once; people who come, go and change roles; and what the database itself refuses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from accounts.audit.record import SYSTEM
from accounts.models import AuditEvent, Organisation, Person, User
from accounts.tests.factories import make_person
from groups.models import Group, GroupLink, Membership, Message, Subscription
from groups.services import groups, members
from groups.services.members import Role
from groups.tests.factories import make_group, person_of
from groups.tests.threads import together
from kaizala_console.lib.errors import Conflict, RuleBroken


def create(admin: User, **fields: Any) -> groups.Created:
    return groups.create(
        **{"name": "Safety", "organisation": admin.organisation, "admin": person_of(admin), "by": admin, **fields}
    )


def test_a_private_group_is_not_made_under_an_organisations_group_and_nothing_is_left(
    group_admin: User, group: Group
) -> None:
    with pytest.raises(RuleBroken):
        create(group_admin, organisation=None, parent=group)
    assert Group.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "half \ud83c"),
        ("welcome_message", "x" * 501),
        ("short_description", "x" * 201),
        ("long_description", "x" * 2001),
        ("image_url", "x" * 201),
        ("group_type", "Broadcast"),
    ],
)
def test_what_cannot_be_stored_is_refused_in_words(group_admin: User, field: str, value: str) -> None:
    with pytest.raises(RuleBroken) as error:
        create(group_admin, **{field: value})
    assert error.value.field == field
    assert not Group.objects.exists()


ID = UUID("0f0e0d0c-0b0a-4908-8706-050403020100")


@pytest.mark.postgresql
def test_a_group_that_is_asked_for_twice_is_made_once_with_everything_in_it(group: Group, group_admin: User) -> None:
    first, second = (create(group_admin, group_id=ID, numbers=["+919930000001"], parent=group) for _time in range(2))
    assert first.group == second.group
    assert first.group.pk == ID
    assert Membership.objects.filter(group=first.group).count() == 2
    assert GroupLink.objects.count() == 1
    assert AuditEvent.objects.filter(tag="group:account:created").count() == 1


def test_nobody_gets_anothers_group_by_its_id(group_admin: User, stranger: User, member: User) -> None:
    made = create(group_admin, group_id=ID, numbers=[person_of(member).number]).group
    before = list(Membership.objects.order_by("pk").values_list())
    for other in (stranger, member):
        with pytest.raises(Conflict):
            create(other, group_id=ID)
    assert Group.objects.get() == made
    assert list(Membership.objects.order_by("pk").values_list()) == before
    Membership.objects.update(role="Member")  # nor who runs it no more
    with pytest.raises(Conflict):
        create(group_admin, group_id=ID)


def make_message(**fields: Any) -> Message:
    group = Group.objects.first()
    assert group is not None
    person = Membership.objects.filter(group=group).first().person  # type: ignore[union-attr]
    return Message.objects.create(**{"group": group, "person": person, "text": "Hello", **fields})


BROKEN: dict[str, Callable[[Group, Person], Any]] = {
    "group_has_a_name": lambda group, person: Group.objects.create(name=""),
    "group_type_is_known": lambda group, person: Group.objects.create(name="x", group_type="group"),
    "linked_once": lambda group, person: [
        GroupLink.objects.create(parent=group, child=child) for child in [make_group("Other")] * 2
    ],
    "no_group_under_itself": lambda group, person: GroupLink.objects.create(parent=group, child=group),
    "one_membership_a_person": lambda group, person: Membership.objects.create(group=group, person=person),
    "membership_role_is_known": lambda group, person: Membership.objects.create(
        group=make_group("Other"), person=person, role="admin"
    ),
    "subscribed_once": lambda group, person: [
        Subscription.objects.create(group=group, person=person) for _ in range(2)
    ],
    "message_says_something": lambda group, person: make_message(text=""),
    "message_is_not_too_long": lambda group, person: make_message(text="x" * 4001),
    "message_audience_is_known": lambda group, person: make_message(audience="all"),
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


def test_nothing_that_a_group_holds_is_shown_by_its_text(group: Group, newcomer: Person) -> None:
    shown = [str(make_message(text="for members only")), str(Membership.objects.get(person=newcomer))]
    shown.append(str(Subscription.objects.create(group=group, person=newcomer)))
    assert not any("for members only" in text or newcomer.number in text for text in shown)


def roles(group: Group) -> dict[str, str]:
    return dict(Membership.objects.filter(group=group).values_list("person__names__name", "role"))


def test_every_change_stands_in_the_audit_trail_without_a_number(
    group: Group, group_admin: User, newcomer: Person
) -> None:
    other = make_person("Imran Sheikh")
    members.add(group=group, numbers=[other.number], by=group_admin)
    members.set_role(group=group, person_id=newcomer.pk, role=Role.ADMIN, by=group_admin)
    members.remove(group=group, person_id=newcomer.pk, by=group_admin)
    events = list(AuditEvent.objects.order_by("id"))
    assert [(event.tag, event.subject_name) for event in events] == [
        ("group:member:added", "Imran Sheikh"),
        ("group:member:changed", "Lakshmi Iyer"),
        ("group:member:removed", "Lakshmi Iyer"),
    ]
    assert {(event.group_id, event.organisation_id) for event in events} == {(group.pk, group.organisation_id)}
    assert not any(other.number in str(event.__dict__) for event in events)


@pytest.mark.postgresql
def test_nothing_is_changed_when_the_audit_trail_cannot_be_written(
    group: Group, group_admin: User, newcomer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = roles(group)

    def full(*_rows: Any, **_options: Any) -> None:
        raise DatabaseError("full")

    monkeypatch.setattr(AuditEvent.objects, "bulk_create", full)
    for act in (
        lambda: members.add(group=group, numbers=["+919930000001"], by=group_admin),
        lambda: members.set_role(group=group, person_id=newcomer.pk, role=Role.ADMIN, by=group_admin),
        lambda: members.remove(group=group, person_id=newcomer.pk, by=group_admin),
    ):
        with pytest.raises(DatabaseError):
            act()
    assert roles(group) == before
    assert not Person.objects.filter(number="+919930000001").exists()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_several_removed_and_several_demoted_at_the_same_moment_leave_an_admin() -> None:
    organisation = Organisation.objects.create(name="Contoso", entra_tenant_id="t")
    for _attempt in range(5):
        admins = [make_person(f"Admin {n}") for n in range(4)]
        group = make_group(organisation=organisation, admins=admins)
        halves = [[person.pk for person in half] for half in (admins[:2], admins[2:])]
        results = together(
            partial(members.remove_several, group=group, person_ids=halves[0], by=SYSTEM),
            partial(members.set_roles, group=group, person_ids=halves[1], role=Role.MEMBER, by=SYSTEM),
        )
        assert sum(isinstance(result, RuleBroken) for result in results) == 1, results
        assert Membership.objects.admins().filter(group=group).count() == 2


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_admins_who_leave_at_the_same_moment_do_not_leave_the_group_without_one() -> None:
    organisation = Organisation.objects.create(name="Contoso", entra_tenant_id="t")
    for _attempt in range(5):
        pair = [make_person("Kavita"), make_person("Harpreet")]
        group = make_group(organisation=organisation, admins=pair)
        results = together(*(partial(members.remove, group=group, person_id=person.pk, by=SYSTEM) for person in pair))
        assert sorted(isinstance(result, RuleBroken) for result in results) == [False, True], results
        assert Membership.objects.admins().filter(group=group).count() == 1


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_the_same_people_added_twice_at_the_same_moment_are_in_once() -> None:
    group = make_group(organisation=Organisation.objects.create(name="Contoso", entra_tenant_id="t"))
    for attempt in range(1, 4):
        numbers = [f"+91993{attempt}00{n:04}" for n in range(200)]
        results = together(
            *(partial(members.add, group=group, numbers=order, by=SYSTEM) for order in (numbers, numbers[::-1]))
        )
        assert not any(isinstance(result, Exception) for result in results), results
        assert Membership.objects.filter(group=group).count() == attempt * 200
