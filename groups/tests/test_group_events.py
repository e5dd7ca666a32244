"""What webhooks on a group are told of its members and of the groups under it (wire protocol §6, Webhooks)."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.audit.record import SYSTEM
from accounts.models import Organisation, Person, User
from connectors.models import WebhookEvent
from connectors.tests.webhook_cast import make_webhook
from groups.models import Group
from groups.services import groups as group_services
from groups.services import hierarchy, members
from groups.tests.conftest import Wire
from groups.tests.factories import Program, make_group, person_of


def told() -> list[tuple[str, Any, Any]]:
    """Kind, data and who did it, in their order."""
    return [
        (event.event_type, event.data, event.sender.get("fromUserName") or None)
        for event in WebhookEvent.objects.order_by("pk")
    ]


@pytest.fixture
def listening(program: Program, group: Group) -> None:
    make_webhook(program.grant, "https://hooks.example/hook", group.pk)


def test_members_who_come_and_go(
    wire: Wire, program: Program, group: Group, listening: None, newcomer: Person, group_admin: User
) -> None:
    Person.objects.filter(pk=newcomer.pk).update(picture_url="https://img.example/l.png")
    wire.put(f"/v1/groups/{group.pk}/members", '{"members": ["+919930000001", "12"]}', program)
    wire.put(f"/v1/groups/{group.pk}/members", '{"members": ["+919930000001"]}', program)  # is in already
    wire.delete(f"/v1/groups/{group.pk}/members/{newcomer.pk}", program)
    assert told() == [
        (
            "MemberAdded",
            {
                "member": "+919930000001",
                "memberId": str(Person.objects.get(number="+919930000001").pk),  # ADR 0061
                "memberName": "",
                "memberProfilePic": "",
                "type": "Member",
            },
            group_admin.name,
        ),
        (
            "MemberRemoved",
            {
                "member": newcomer.number,
                "memberId": str(newcomer.pk),
                "memberName": newcomer.name,
                "memberProfilePic": "https://img.example/l.png",
                "type": "Member",
            },
            group_admin.name,
        ),
    ]


def test_groups_that_come_to_stand_under_it_and_go(
    group: Group, listening: None, organisation: Organisation, group_admin: User
) -> None:
    made = group_services.create(
        name="Gate", organisation=organisation, admin=person_of(group_admin), parent=group, by=group_admin
    ).group
    other = make_group("Office", organisation=organisation)
    hierarchy.link(parent=group, child=other, by=SYSTEM)
    hierarchy.link(parent=group, child=other, by=SYSTEM)  # stands there already
    hierarchy.unlink(parent=group, child=other, by=group_admin)
    # With the kind of group, which a program in Java reads (ADR 0061)
    gate = {"groupId": str(made.pk), "groupName": "Gate", "groupImageUrl": "", "groupType": "Group"}
    office = {"groupId": str(other.pk), "groupName": "Office", "groupImageUrl": "", "groupType": "Group"}
    assert told() == [
        ("GroupAdded", gate, group_admin.name),
        ("GroupAdded", office, None),
        ("GroupRemoved", office, group_admin.name),
    ]


def test_what_was_undone_is_never_told(group: Group, listening: None, group_admin: User) -> None:
    with transaction.atomic():
        members.add(group=group, numbers=["+919930000001"], by=group_admin)
        transaction.set_rollback(True)
    assert told() == []


def test_who_listens_is_read_once(group: Group, listening: None, group_admin: User) -> None:
    with CaptureQueriesContext(connection) as asked:
        members.add(group=group, numbers=["+919930000001", "+919930000002"], by=group_admin)
    assert len([query for query in asked if 'FROM "connectors_webhook"' in query["sql"]]) == 1
    assert len(told()) == 2


def test_five_hundred_people_take_few_statements_more_than_one(
    group: Group, listening: None, group_admin: User, django_assert_max_num_queries: Any
) -> None:
    # SQLite takes 999 values in a statement, so lines of the audit trail, events and deliveries go in some portions.
    with django_assert_max_num_queries(20 if connection.vendor == "postgresql" else 44):
        members.add(group=group, numbers=[f"+9199301{n:05}" for n in range(500)], by=group_admin)
    assert len(told()) == 500
