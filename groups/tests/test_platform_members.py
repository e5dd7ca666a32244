"""Members, subscribers and `/v1/users/me` (wire protocol §6, Members, Subscribers, Users)."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from django.test import Client

from accounts.audit.record import SYSTEM
from accounts.models import AuditEvent, Person, User
from accounts.tests.factories import make_organisation, make_person
from connectors.models import Connector
from groups.models import Group, Membership, Subscription
from groups.services import subscribers
from groups.tests.conftest import invalid, not_found
from groups.tests.factories import Program, let_act_for, make_group, person_of, unknown_id
from groups.tests.pages import everything
from groups.tests.threads import together


def test_members_are_told_with_role_number_and_whether_they_ever_came(
    program: Program, group: Group, group_admin: User, member: User, newcomer: Person
) -> None:
    picture = "https://img.example/l.png"
    Person.objects.filter(pk=newcomer.pk).update(picture_url=picture)
    rows = [
        (person_of(group_admin), "Admin", "Arjun Mehta", "", True),
        (person_of(member), "Member", "Meera Nair", "", True),
        (newcomer, "Member", "Lakshmi Iyer", picture, False),
    ]
    assert program.get(f"/v1/groups/{group.pk}/members").json()["members"] == [
        {
            "id": str(person.pk),
            "role": role,
            "mobileNumber": person.number,
            "name": name,
            "profilePic": shown,
            "isProvisioned": is_provisioned,
        }
        for person, role, name, shown, is_provisioned in rows
    ]


def test_the_members_of_sub_groups_are_told_there(program: Program, group: Group) -> None:
    below = make_group("Below", organisation=group.organisation, members=[make_person("Deep Down")], under=group)
    names = [member["name"] for member in program.get(f"/v1/groups/{below.pk}/members").json()["members"]]
    assert names == ["Deep Down"]
    assert "Deep Down" not in str(program.get(f"/v1/groups/{group.pk}/members").json())


def test_it_takes_three_statements_for_three_members_and_for_three_hundred(
    program: Program, group: Group, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(3):
        program.get(f"/v1/groups/{group.pk}/members")
    people = Person.objects.bulk_create(Person(number=f"+9199300{n:05}") for n in range(297))
    Membership.objects.bulk_create(Membership(group=group, person=person) for person in people)
    with django_assert_num_queries(3):
        answer = program.get(f"/v1/groups/{group.pk}/members")
    assert len(answer.json()["members"]) == 300


def roles(group: Group) -> dict[str, str]:
    return dict(Membership.objects.filter(group=group).values_list("person__names__name", "role"))


@pytest.mark.postgresql
def test_members_are_added_by_number_who_is_in_stays_admin_and_those_that_failed_are_listed(
    program: Program, group: Group, group_admin: User, stranger: User
) -> None:
    numbers = ["+91 99300 00001", person_of(stranger).number, person_of(group_admin).number]
    answer = program.put(f"/v1/groups/{group.pk}/members", {"members": numbers})
    assert (answer.status_code, answer.json()) == (200, {"result": True})
    assert (roles(group)["Sunil Verma"], roles(group)[group_admin.name]) == ("Member", "Admin")
    answer = program.put(f"/v1/groups/{group.pk}/members", {"members": ["+919930000002", "12", "x" * 100]})
    assert (answer.status_code, answer.json()["result"]) == (200, False)
    assert [failed["number"] for failed in answer.json()["failed"]] == ["12", "x" * 100]
    assert all(failed["reason"] for failed in answer.json()["failed"])
    assert Membership.objects.filter(group=group).count() == 6


@pytest.mark.parametrize(
    ("path", "field", "wrong"),
    [
        ("members", "members", (None, {}, [["+91"]])),
        ("members/{person}", "role", (None, "Owner", 1, ["Admin"])),
        ("subscribers/add", "subscribers", (None, "+91", [[]])),
        ("subscribers/remove", "subscribers", (None, "+91", [[]])),
    ],
)
def test_a_body_without_what_is_needed_is_refused_by_name(
    program: Program, public: Group, newcomer: Person, path: str, field: str, wrong: tuple[Any, ...]
) -> None:
    before, address = everything(), f"/v1/groups/{public.pk}/{path.format(person=newcomer.pk)}"
    assert field in invalid(program.put(address))
    for body in ({}, *({field: value} for value in wrong)):
        assert field in invalid(program.put(address, body))
    assert everything() == before


@pytest.mark.parametrize("role", ["Admin", "admin"])
def test_a_member_is_promoted_and_removed(program: Program, group: Group, newcomer: Person, role: str) -> None:
    path = f"/v1/groups/{group.pk}/members/{newcomer.pk}"
    assert program.put(path, {"role": role}).json() == {"result": True}
    assert roles(group)[newcomer.name] == "Admin"
    assert program.delete(path).json() == {"result": True}
    assert newcomer.name not in roles(group)
    not_found(program.delete(path))


@pytest.mark.postgresql
def test_an_admin_is_demoted_or_removed_unless_it_is_the_last_one(
    program: Program, group: Group, group_admin: User, newcomer: Person
) -> None:
    path = f"/v1/groups/{group.pk}/members/{person_of(group_admin).pk}"
    before = everything()
    for answer in (program.put(path, '{"role":"Member"}'), program.delete(path)):
        assert "last admin" in invalid(answer)
    assert everything() == before
    Membership.objects.filter(group=group, person=newcomer).update(role="Admin")
    assert program.put(path, '{"role":"Member"}').json() == {"result": True}
    assert roles(group)[group_admin.name] == "Member"


@pytest.mark.parametrize("spelled", ["{number}", "%2B{digits}", "{digits}", "%20{digits}"])
def test_a_member_is_named_by_phone_number_too(program: Program, group: Group, newcomer: Person, spelled: str) -> None:
    written = spelled.format(number=newcomer.number, digits=newcomer.number[1:])
    assert program.put(f"/v1/groups/{group.pk}/members/{written}", '{"role":"Admin"}').json() == {"result": True}
    assert program.delete(f"/v1/groups/{group.pk}/members/{written}").json() == {"result": True}
    assert newcomer.name not in roles(group)


def test_who_is_not_in_the_group_is_not_found(program: Program, group: Group, stranger: User) -> None:
    person = person_of(stranger)
    before = everything()
    for written in (person.pk, person.number, unknown_id(), "+919930000001", "nobody", "12", "x" * 200):
        path = f"/v1/groups/{group.pk}/members/{written}"
        not_found(program.delete(path))
        not_found(program.put(path, '{"role":"Admin"}'))
    assert everything() == before


NUMBERS = [f"+9199300000{n:02}" for n in range(1, 4)]


@pytest.fixture
def public(group: Group) -> Group:
    Group.objects.filter(pk=group.pk).update(group_type=Group.Type.CONNECT)
    group.refresh_from_db()
    return group


def subscribers_of(group: Group, more: str = "") -> str:
    return f"/v1/groups/{group.pk}/subscribers{more}"


def following(group: Group) -> set[str]:
    return set(Subscription.objects.filter(group=group).values_list("person__number", flat=True))


def test_subscribers_are_added_each_with_a_result(program: Program, public: Group) -> None:
    answer = program.put(subscribers_of(public, "/add"), {"subscribers": [NUMBERS[0], "12", "+91 99300 00002"]})
    result = answer.json()["result"]
    assert list(result) == [NUMBERS[0], "12", "+91 99300 00002"]
    assert result[NUMBERS[0]] == result["+91 99300 00002"] == {"isAdded": True}
    assert (result["12"]["isAdded"], bool(result["12"]["reason"])) == (False, True)
    assert following(public) == set(NUMBERS[:2])
    event = AuditEvent.objects.get(tag="group:subscribers:added")
    assert (event.group_id, event.after["count"]) == (public.pk, 2)
    assert not any(number in str(event.__dict__) for number in NUMBERS)


@pytest.mark.postgresql
def test_who_is_a_subscriber_already_stays_one(program: Program, public: Group) -> None:
    for _twice in range(2):
        answer = program.put(subscribers_of(public, "/add"), "{subscribers: ['+919930000001', '+91 9930000001',]}")
        assert answer.json()["result"]["+919930000001"] == {"isAdded": True}
    assert following(public) == {NUMBERS[0]}
    assert AuditEvent.objects.filter(tag="group:subscribers:added").count() == 1


def test_subscribers_are_removed_each_with_a_result(program: Program, public: Group) -> None:
    subscribers.add(group=public, numbers=NUMBERS[:2], by=SYSTEM)
    body = json.dumps({"Subscribers": [NUMBERS[0], NUMBERS[2], "12"]})
    result = program.put(subscribers_of(public, "/Remove/"), body).json()["result"]
    assert result[NUMBERS[0]] == {"isRemoved": True}
    assert [result[number]["isRemoved"] for number in (NUMBERS[2], "12")] == [False, False]
    assert all(result[number]["reason"] for number in (NUMBERS[2], "12"))
    assert following(public) == {NUMBERS[1]}
    assert AuditEvent.objects.get(tag="group:subscribers:removed").after["count"] == 1


def test_a_page_is_told_with_every_field_and_no_cursor_when_it_is_the_last(program: Program, public: Group) -> None:
    subscribers.add(group=public, numbers=NUMBERS[:1], by=SYSTEM)
    key = str(Person.objects.get(number=NUMBERS[0]).pk)
    told = {"id": key, "mobileNumber": NUMBERS[0], "name": "", "profilePic": "", "isProvisioned": False}
    for answer in (program.get(subscribers_of(public)), program.post(subscribers_of(public), "")):
        assert (answer.status_code, answer.json()) == (200, {"subscribers": [told]})


@pytest.mark.postgresql
def test_pages_of_up_to_fifty_go_through_everybody_once(program: Program, public: Group) -> None:
    numbers = [f"+9199300{n:05}" for n in range(120)]
    subscribers.add(group=public, numbers=numbers, by=SYSTEM)
    seen: list[list[str]] = []
    body: dict[str, Any] = {}
    while True:
        told = program.post(subscribers_of(public), body).json()
        seen.append([subscriber["mobileNumber"] for subscriber in told["subscribers"]])
        if "cursor" not in told:
            break
        body = {"Cursor": told["cursor"]}
    assert [len(page) for page in seen] == [50, 50, 20]
    assert sorted(number for page in seen for number in page) == numbers
    small = program.post(subscribers_of(public), '{"count": "7"}').json()
    assert len(small["subscribers"]) == 7
    assert len(program.get(f"{subscribers_of(public)}?cursor={small['cursor']}&count=3").json()["subscribers"]) == 3


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ('{"count": 51}', "count"),
        ('{"count": 0}', "count"),
        ('{"count": "many"}', "count"),
        ('{"cursor": "nonsense"}', "cursor"),
        ('{"cursor": 12}', "cursor"),
        ('{"cursor": {}}', "cursor"),
        ('{"cursor": "%s"}' % ("A" * 5000), "cursor"),
    ],
)
def test_a_wrong_count_or_cursor_is_named(program: Program, public: Group, body: str, named: str) -> None:
    assert named in invalid(program.post(subscribers_of(public), body))


def test_a_get_may_bring_its_page_in_a_body_as_the_documents_of_those_years_read(
    program: Program, public: Group
) -> None:
    subscribers.add(group=public, numbers=NUMBERS, by=SYSTEM)
    get = partial(Client().generic, "GET", subscribers_of(public), headers={"accessToken": program.access_token})
    seen: list[list[str]] = []
    body: dict[str, Any] = {"count": 2}
    for _turn in NUMBERS:  # a client that is told the first page again and again would never end
        told = get(data=json.dumps(body), content_type="application/json").json()
        seen.append([each["mobileNumber"] for each in told["subscribers"]])
        if "cursor" not in told:
            break
        body["cursor"] = told["cursor"]
    assert seen == [NUMBERS[:2], NUMBERS[2:]]
    assert "count" in invalid(get(data="{count: 51}"))


@pytest.mark.postgresql
def test_a_page_takes_as_many_statements_for_one_as_for_fifty(
    program: Program, public: Group, django_assert_num_queries: Any
) -> None:
    for count in (1, 50):
        subscribers.add(group=public, numbers=[f"+9199300{n:05}" for n in range(count)], by=SYSTEM)
        with django_assert_num_queries(4):
            assert len(program.get(subscribers_of(public)).json()["subscribers"]) == count


def test_a_plain_group_has_no_subscribers(program: Program, group: Group) -> None:
    before, body = everything(), json.dumps({"subscribers": NUMBERS})
    for answer in (
        program.put(subscribers_of(group, "/add"), body),
        program.put(subscribers_of(group, "/remove"), body),
        program.get(subscribers_of(group)),
        program.post(subscribers_of(group), "{}"),
    ):
        assert "ConnectGroup" in invalid(answer)
    assert everything() == before


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_the_same_people_added_twice_at_the_same_moment_subscribe_once(transactional_db: None) -> None:
    group = make_group(organisation=make_organisation("Contoso"), group_type=Group.Type.CONNECT)
    numbers = [f"+9199300001{n:02}" for n in range(20)]
    results = together(
        *(partial(subscribers.add, group=group, numbers=order, by=SYSTEM) for order in (numbers, numbers[::-1]))
    )
    assert not any(isinstance(result, Exception) for result in results), results
    assert following(group) == set(numbers)
    assert sum(event.after["count"] for event in AuditEvent.objects.filter(tag="group:subscribers:added")) == 20


def test_a_token_is_told_the_person_whose_role_it_carries(
    connector: Connector, program: Program, group_admin: User, member: User
) -> None:
    person = person_of(member)
    Person.objects.filter(pk=person.pk).update(picture_url="https://img.example/m.png")
    assert let_act_for(connector, member).get("/v1/users/me").json() == {
        "id": str(person.pk),
        "mobileNumber": person.number,
        "name": "Meera Nair",
        "profilePic": "https://img.example/m.png",
    }
    assert program.get("/v1/users/me").json()["id"] == str(person_of(group_admin).pk)


@pytest.mark.parametrize(
    ("body", "name", "picture"),
    [
        ('{"name": "Meera N.", "profilePic": "https://img.example/n.png"}', "Meera N.", "https://img.example/n.png"),
        ("{Name: 'Meera N.'}", "Meera N.", "https://img.example/m.png"),
        ('{"PROFILEPIC": ""}', "Meera Nair", ""),
        ('{"name": "Meera Nair", "profilePic": null}', "Meera Nair", "https://img.example/m.png"),
    ],
)
def test_name_and_picture_are_changed_and_what_is_left_out_stays(
    connector: Connector, member: User, body: str, name: str, picture: str
) -> None:
    person = person_of(member)
    Person.objects.filter(pk=person.pk).update(picture_url="https://img.example/m.png")
    token = let_act_for(connector, member)
    answer = token.put("/v1/users/me", body)
    assert answer.status_code == 200
    told = {"id": str(person.pk), "mobileNumber": person.number, "name": name, "profilePic": picture}
    assert answer.json() == token.get("/v1/users/me").json() == told


def test_what_changed_stands_in_the_audit_trail_without_the_pictures_address(
    connector: Connector, member: User
) -> None:
    token = let_act_for(connector, member)
    AuditEvent.objects.all().delete()
    for _twice in range(2):
        token.put("/v1/users/me", '{"name": "Meera N.", "profilePic": "https://img.example/?sig=s3cret"}')
    events = list(AuditEvent.objects.order_by("id"))
    assert [event.tag for event in events] == ["person:picture:changed", "person:name:changed"]
    assert {(event.actor_kind, event.person_id) for event in events} == {("connector", person_of(member).pk)}
    assert "s3cret" not in str([event.__dict__ for event in events])


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("", "name"),
        ("{}", "profilePic"),
        ('{"name": ""}', "name"),
        ('{"name": "%s"}' % ("x" * 121), "name"),
        ('{"name": {}}', "name"),
        ('{"name": "New", "profilePic": "javascript:alert(1)"}', "profilePic"),
        ('{"profilePic": "https://img.example/%s"}' % ("x" * 500), "profilePic"),
        ('{"profilePic": "picture.png"}', "profilePic"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_changes(connector: Connector, member: User, body: str, named: str) -> None:
    token = let_act_for(connector, member)
    before = everything(), list(Person.objects.values_list())
    answer = token.put("/v1/users/me", body)
    assert named in invalid(answer)
    assert (everything(), list(Person.objects.values_list())) == before
