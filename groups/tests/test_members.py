"""Adding, promoting, demoting and removing; and that a group always keeps an admin."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from django.db import DatabaseError, connection

from accounts.audit.record import SYSTEM
from accounts.models import AuditEvent, Organisation, Person, User
from accounts.tests.factories import make_person
from groups.models import Group, Membership
from groups.services import members
from groups.services.members import Role
from groups.tests.factories import make_group, person_of
from groups.tests.threads import together
from kaizala_console.lib import ids
from kaizala_console.lib.errors import NotFound, RuleBroken


def roles(group: Group) -> dict[str, str]:
    return dict(Membership.objects.filter(group=group).values_list("person__names__name", "role"))


def test_people_are_added_by_number_and_numbers_that_are_none_are_refused_one_by_one(
    group: Group, group_admin: User, stranger: User
) -> None:
    numbers = [person_of(stranger).number, "+91 99300 00001", "12", "no number", ""]
    added = members.add(group=group, numbers=numbers, by=group_admin)
    assert [person.number for person in added.added] == [person_of(stranger).number, "+919930000001"]
    assert [failure.number for failure in added.failed] == ["12", "no number", ""]
    assert all(failure.reason for failure in added.failed)
    assert added.present == []
    unknown = Person.objects.get(number="+919930000001")
    assert unknown.provisioned_at is None
    assert Membership.objects.get(group=group, person=unknown).role == Role.MEMBER


@pytest.mark.postgresql
def test_who_is_in_already_stays_as_they_are_and_is_no_failure(group: Group, group_admin: User) -> None:
    number = person_of(group_admin).number
    added = members.add(group=group, numbers=[number, number.replace("+91", "+91 ")], by=group_admin)
    assert [person.number for person in added.present] == [number]
    assert (added.added, added.failed) == ([], [])
    assert roles(group)[group_admin.name] == "Admin"


@pytest.mark.postgresql
def test_adding_takes_as_many_lookups_for_one_as_for_fifty(
    group: Group, group_admin: User, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(13):
        members.add(group=group, numbers=["+919930000001"], by=group_admin)
    # SQLite takes 999 values in a statement: the lines of the audit trail go in two.
    with django_assert_num_queries(13 if connection.vendor == "postgresql" else 14):
        members.add(group=group, numbers=[f"+9199300001{n:02}" for n in range(50)], by=group_admin)


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


def test_promoting_and_demoting(group: Group, group_admin: User, member: User) -> None:
    members.set_role(group=group, person_id=person_of(group_admin).pk, role=Role.ADMIN, by=group_admin)
    assert not AuditEvent.objects.exists(), "that is their role already"
    members.set_role(group=group, person_id=person_of(member).pk, role=Role.ADMIN, by=group_admin)
    assert roles(group)[member.name] == "Admin"
    members.set_role(group=group, person_id=person_of(group_admin).pk, role=Role.MEMBER, by=member)
    assert roles(group) == {group_admin.name: "Member", member.name: "Admin", "Lakshmi Iyer": "Member"}


@pytest.mark.postgresql
def test_the_last_admin_can_neither_be_removed_nor_demoted(group: Group, group_admin: User) -> None:
    person = person_of(group_admin)
    with pytest.raises(RuleBroken) as removed:
        members.remove(group=group, person_id=person.pk, by=group_admin)
    with pytest.raises(RuleBroken) as demoted:
        members.set_role(group=group, person_id=person.pk, role=Role.MEMBER, by=group_admin)
    assert removed.value.code == demoted.value.code == "last_admin"
    assert "last admin" in str(removed.value)
    assert roles(group)[group_admin.name] == "Admin"


def test_somebody_who_is_not_in_the_group_is_not_found(group: Group, group_admin: User, stranger: User) -> None:
    for person_id in (person_of(stranger).pk, ids.new_id()):
        with pytest.raises(NotFound):
            members.remove(group=group, person_id=person_id, by=group_admin)
        with pytest.raises(NotFound):
            members.set_role(group=group, person_id=person_id, role=Role.ADMIN, by=group_admin)


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
