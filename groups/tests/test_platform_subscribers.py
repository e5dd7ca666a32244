"""`/v1/groups/{groupId}/subscribers` (wire protocol §6, Subscribers)."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from accounts.audit.record import SYSTEM
from accounts.models import AuditEvent, Person, User
from accounts.tests.factories import make_organisation
from connectors.models import Connector
from connectors.permissions import Permission
from groups.models import Group, Subscription
from groups.services import subscribers
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_act_for, let_in, make_group, unknown_id
from groups.tests.pages import everything
from groups.tests.threads import together

NUMBERS = [f"+9199300000{n:02}" for n in range(1, 4)]


@pytest.fixture
def public(group: Group) -> Group:
    Group.objects.filter(pk=group.pk).update(group_type=Group.Type.CONNECT)
    group.refresh_from_db()
    return group


def path(group: Any, more: str = "") -> str:
    return f"/v1/groups/{group.pk if isinstance(group, Group) else group}/subscribers{more}"


def following(group: Group) -> set[str]:
    return set(Subscription.objects.filter(group=group).values_list("person__number", flat=True))


def test_subscribers_are_added_each_with_a_result(wire: Wire, program: Program, public: Group) -> None:
    answer = wire.put(path(public, "/add"), json.dumps({"subscribers": NUMBERS[:2]}), program)
    assert (answer.status_code, answer.json()) == (
        200,
        {"result": {number: {"isAdded": True} for number in NUMBERS[:2]}},
    )
    assert following(public) == set(NUMBERS[:2])
    event = AuditEvent.objects.get(tag="group:subscribers:added")
    assert (event.group_id, event.after["count"]) == (public.pk, 2)
    assert not any(number in str(event.__dict__) for number in NUMBERS)


def test_one_that_cannot_be_a_number_fails_alone_with_a_reason(wire: Wire, program: Program, public: Group) -> None:
    body = json.dumps({"subscribers": [NUMBERS[0], "12", "+91 99300 00002"]})
    result = wire.put(path(public, "/add"), body, program).json()["result"]
    assert list(result) == [NUMBERS[0], "12", "+91 99300 00002"]
    assert result["12"]["isAdded"] is False
    assert result["12"]["reason"]
    assert following(public) == set(NUMBERS[:2])


@pytest.mark.postgresql
def test_who_is_a_subscriber_already_stays_one(wire: Wire, program: Program, public: Group) -> None:
    for _twice in range(2):
        answer = wire.put(path(public, "/add"), "{subscribers: ['+919930000001', '+91 9930000001',]}", program)
        assert answer.json()["result"]["+919930000001"] == {"isAdded": True}
    assert following(public) == {NUMBERS[0]}
    assert AuditEvent.objects.filter(tag="group:subscribers:added").count() == 1


def test_subscribers_are_removed_each_with_a_result(wire: Wire, program: Program, public: Group) -> None:
    subscribers.add(group=public, numbers=NUMBERS[:2], by=SYSTEM)
    body = json.dumps({"Subscribers": [NUMBERS[0], NUMBERS[2], "12"]})
    result = wire.put(path(public, "/Remove/"), body, program).json()["result"]
    assert result[NUMBERS[0]] == {"isRemoved": True}
    assert [result[number]["isRemoved"] for number in (NUMBERS[2], "12")] == [False, False]
    assert all(result[number]["reason"] for number in (NUMBERS[2], "12"))
    assert following(public) == {NUMBERS[1]}
    assert AuditEvent.objects.get(tag="group:subscribers:removed").after["count"] == 1


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_page_is_told_with_every_field_and_no_cursor_when_it_is_the_last(
    wire: Wire, program: Program, public: Group, method: str
) -> None:
    subscribers.add(group=public, numbers=NUMBERS[:1], by=SYSTEM)
    person = Person.objects.get(number=NUMBERS[0])
    answer = wire.get(path(public), program) if method == "get" else wire.post(path(public), "", program)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "subscribers": [
                {
                    "id": str(person.pk),
                    "mobileNumber": NUMBERS[0],
                    "name": "",
                    "profilePic": "",
                    "isProvisioned": False,
                }
            ]
        },
    )


@pytest.mark.postgresql
def test_pages_of_up_to_fifty_go_through_everybody_once(wire: Wire, program: Program, public: Group) -> None:
    numbers = [f"+9199300{n:05}" for n in range(120)]
    subscribers.add(group=public, numbers=numbers, by=SYSTEM)
    seen: list[list[str]] = []
    body: dict[str, Any] = {}
    while True:
        told = wire.post(path(public), json.dumps(body), program).json()
        seen.append([subscriber["mobileNumber"] for subscriber in told["subscribers"]])
        if "cursor" not in told:
            break
        body = {"Cursor": told["cursor"]}
    assert [len(page) for page in seen] == [50, 50, 20]
    assert sorted(number for page in seen for number in page) == numbers
    small = wire.post(path(public), '{"count": "7"}', program).json()
    assert len(small["subscribers"]) == 7
    assert len(wire.get(f"{path(public)}?cursor={small['cursor']}&count=3", program).json()["subscribers"]) == 3


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
def test_a_wrong_count_or_cursor_is_named(wire: Wire, program: Program, public: Group, body: str, named: str) -> None:
    assert named in refused(wire.post(path(public), body, program), 400, "InvalidParameters", "ValidationException")


def test_a_get_may_bring_its_page_in_a_body_as_the_documents_of_those_years_read(
    wire: Wire, program: Program, public: Group
) -> None:
    subscribers.add(group=public, numbers=NUMBERS, by=SYSTEM)
    get = partial(wire.client.generic, "GET", path(public), headers={"accessToken": program.access_token})
    seen: list[list[str]] = []
    body: dict[str, Any] = {"count": 2}
    for _turn in NUMBERS:  # a client that is told the first page again and again would never end
        told = get(data=json.dumps(body), content_type="application/json").json()
        seen.append([each["mobileNumber"] for each in told["subscribers"]])
        if "cursor" not in told:
            break
        body["cursor"] = told["cursor"]
    assert seen == [NUMBERS[:2], NUMBERS[2:]]
    assert "count" in refused(get(data="{count: 51}"), 400, "InvalidParameters", "ValidationException")


@pytest.mark.postgresql
def test_a_page_takes_as_many_statements_for_one_as_for_fifty(
    wire: Wire, program: Program, public: Group, django_assert_num_queries: Any
) -> None:
    for count in (1, 50):
        subscribers.add(group=public, numbers=[f"+9199300{n:05}" for n in range(count)], by=SYSTEM)
        with django_assert_num_queries(4):
            assert len(wire.get(path(public), program).json()["subscribers"]) == count


def calls(wire: Wire, token: Any, group: Any) -> list[Any]:
    body = json.dumps({"subscribers": NUMBERS})
    return [wire.put(path(group, "/add"), body, token), wire.put(path(group, "/remove"), body, token)]


def reads(wire: Wire, token: Any, group: Any) -> list[Any]:
    return [wire.get(path(group), token), wire.post(path(group), "{}", token)]


def test_a_plain_group_has_no_subscribers(wire: Wire, program: Program, group: Group) -> None:
    before = everything()
    for answer in (*calls(wire, program, group), *reads(wire, program, group)):
        assert "ConnectGroup" in refused(answer, 400, "InvalidParameters", "ValidationException")
    assert everything() == before


@pytest.mark.parametrize("body", ["", "{}", '{"subscribers": "+91"}', '{"subscribers": [[]]}'])
def test_a_body_without_subscribers_is_refused_by_name(wire: Wire, program: Program, public: Group, body: str) -> None:
    for more in ("/add", "/remove"):
        answer = wire.put(path(public, more), body, program)
        assert "subscribers" in refused(answer, 400, "InvalidParameters", "ValidationException")


def test_a_members_own_token_reads_and_changes_nothing(
    wire: Wire, connector: Connector, public: Group, member: User
) -> None:
    token = let_act_for(connector, member)
    before = everything()
    for answer in calls(wire, token, public):
        assert "admin" in refused(answer, 403, "Unauthorized")
    assert [answer.status_code for answer in reads(wire, token, public)] == [200, 200]
    assert everything() == before


def test_a_stranger_is_told_the_same_as_for_no_group_and_changes_nothing(
    wire: Wire, connector: Connector, public: Group, stranger: User
) -> None:
    token = let_act_for(connector, stranger)
    before = everything()
    answers = [
        answer for key in (public, unknown_id(), "x") for answer in (*calls(wire, token, key), *reads(wire, token, key))
    ]
    assert len({refused(answer, 403, "Unauthorized") for answer in answers}) == 1
    assert everything() == before


def test_without_the_permission_nothing_is_told_or_changed(
    wire: Wire, connector: Connector, public: Group, group_admin: User
) -> None:
    token = let_in(connector, public, group_admin, permissions=[Permission.GROUP_INFORMATION])
    before = everything()
    for answer in (*calls(wire, token, public), *reads(wire, token, public)):
        assert "Group Member List" in refused(answer, 403, "Unauthorized")
    for answer in (*calls(wire, None, public), *reads(wire, None, public)):
        refused(answer, 401, "InvalidToken")
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
