"""`GET /v1/groups/{groupId}/members` (wire protocol §6, Members)."""

from __future__ import annotations

from typing import Any

from accounts.models import Person, User
from accounts.tests.factories import make_person
from connectors.models import Connector
from connectors.permissions import Permission
from groups.models import Group, Membership
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_act_for, let_in, make_group, person_of, unknown_id


def test_members_are_told_with_role_number_and_whether_they_ever_came(
    wire: Wire, program: Program, group: Group, group_admin: User, member: User, newcomer: Person
) -> None:
    Person.objects.filter(pk=newcomer.pk).update(picture_url="https://img.example/l.png")
    admin, plain = person_of(group_admin), person_of(member)
    assert wire.get(f"/v1/groups/{group.pk}/members", program).json() == {
        "members": [
            {
                "id": str(admin.pk),
                "role": "Admin",
                "mobileNumber": admin.number,
                "name": "Arjun Mehta",
                "profilePic": "",
                "isProvisioned": True,
            },
            {
                "id": str(plain.pk),
                "role": "Member",
                "mobileNumber": plain.number,
                "name": "Meera Nair",
                "profilePic": "",
                "isProvisioned": True,
            },
            {
                "id": str(newcomer.pk),
                "role": "Member",
                "mobileNumber": newcomer.number,
                "name": "Lakshmi Iyer",
                "profilePic": "https://img.example/l.png",
                "isProvisioned": False,
            },
        ]
    }


def test_the_members_of_sub_groups_are_told_there(wire: Wire, program: Program, group: Group) -> None:
    below = make_group("Below", organisation=group.organisation, members=[make_person("Deep Down")], under=group)
    names = [member["name"] for member in wire.get(f"/v1/groups/{below.pk}/members", program).json()["members"]]
    assert names == ["Deep Down"]
    assert "Deep Down" not in str(wire.get(f"/v1/groups/{group.pk}/members", program).json())


def test_a_members_own_token_may_read_the_members(wire: Wire, connector: Connector, group: Group, member: User) -> None:
    answer = wire.get(f"/v1/groups/{group.pk}/members", let_act_for(connector, member))
    assert len(answer.json()["members"]) == 3


def test_a_strangers_token_is_told_the_same_as_for_no_group(
    wire: Wire, connector: Connector, group: Group, stranger: User
) -> None:
    token = let_act_for(connector, stranger)
    answers = [wire.get(f"/v1/groups/{key}/members", token) for key in (group.pk, unknown_id(), "nonsense")]
    assert len({refused(answer, 403, "Unauthorized") for answer in answers}) == 1
    assert not any(person.number in str(answer.content) for answer in answers for person in Person.objects.all())


def test_the_permission_that_is_missing_is_named(
    wire: Wire, connector: Connector, group: Group, group_admin: User
) -> None:
    program = let_in(connector, group, group_admin, permissions=[Permission.GROUP_INFORMATION])
    assert "Group Member List" in refused(wire.get(f"/v1/groups/{group.pk}/members", program), 403, "Unauthorized")


def test_it_takes_three_statements_for_three_members_and_for_three_hundred(
    wire: Wire, program: Program, group: Group, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(3):
        wire.get(f"/v1/groups/{group.pk}/members", program)
    people = Person.objects.bulk_create(Person(number=f"+9199300{n:05}") for n in range(297))
    Membership.objects.bulk_create(Membership(group=group, person=person) for person in people)
    with django_assert_num_queries(3):
        answer = wire.get(f"/v1/groups/{group.pk}/members", program)
    assert len(answer.json()["members"]) == 300
