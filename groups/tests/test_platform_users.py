"""`/v1/users/me` (wire protocol §6, Users)."""

from __future__ import annotations

import pytest

from accounts.models import AuditEvent, Person, User
from connectors.models import Connector
from connectors.permissions import Permission
from groups.models import Group
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_act_for, let_in, person_of
from groups.tests.pages import everything


def test_a_user_token_is_told_its_user(wire: Wire, connector: Connector, member: User) -> None:
    person = person_of(member)
    Person.objects.filter(pk=person.pk).update(picture_url="https://img.example/m.png")
    assert wire.get("/v1/users/me", let_act_for(connector, member)).json() == {
        "id": str(person.pk),
        "mobileNumber": person.number,
        "name": "Meera Nair",
        "profilePic": "https://img.example/m.png",
    }


def test_a_group_token_is_told_the_admin_whose_role_it_carries(wire: Wire, program: Program, group_admin: User) -> None:
    assert wire.get("/v1/users/me", program).json()["id"] == str(person_of(group_admin).pk)


def test_old_ways_to_write_the_path(wire: Wire, program: Program) -> None:
    for path in ("/users/me", "/v1/Users/Me/", "//v1/users/me"):
        assert wire.get(path, program).status_code == 200, path


def test_the_permission_that_is_missing_is_named(
    wire: Wire, connector: Connector, group: Group, group_admin: User
) -> None:
    program = let_in(connector, group, group_admin, permissions=[Permission.TEXT_MESSAGE])
    assert "User Profile" in refused(wire.get("/v1/users/me", program), 403, "Unauthorized")


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
    wire: Wire, connector: Connector, member: User, body: str, name: str, picture: str
) -> None:
    person = person_of(member)
    Person.objects.filter(pk=person.pk).update(picture_url="https://img.example/m.png")
    token = let_act_for(connector, member)
    answer = wire.put("/v1/users/me", body, token)
    assert answer.status_code == 200
    told = {"id": str(person.pk), "mobileNumber": person.number, "name": name, "profilePic": picture}
    assert answer.json() == wire.get("/v1/users/me", token).json() == told


def test_what_changed_stands_in_the_audit_trail_without_the_pictures_address(
    wire: Wire, connector: Connector, member: User
) -> None:
    token = let_act_for(connector, member)
    AuditEvent.objects.all().delete()
    for _twice in range(2):
        wire.put("/v1/users/me", '{"name": "Meera N.", "profilePic": "https://img.example/?sig=s3cret"}', token)
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
        ('{"name": " "}', "name"),
        ('{"name": "%s"}' % ("x" * 121), "name"),
        ('{"name": "nul\\u0000"}', "NUL"),
        ('{"name": "half \\ud83c"}', "surrogate"),
        ('{"name": {}}', "name"),
        ('{"name": "New", "profilePic": "javascript:alert(1)"}', "profilePic"),
        ('{"profilePic": "https://img.example/%s"}' % ("x" * 500), "profilePic"),
        ('{"profilePic": "picture.png"}', "profilePic"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_changes(
    wire: Wire, connector: Connector, member: User, body: str, named: str
) -> None:
    token = let_act_for(connector, member)
    before = everything(), list(Person.objects.values_list())
    answer = wire.put("/v1/users/me", body, token)
    assert named in refused(answer, 400, "InvalidParameters", "ValidationException")
    assert (everything(), list(Person.objects.values_list())) == before


def test_without_the_permission_nobody_is_changed(
    wire: Wire, connector: Connector, group: Group, group_admin: User
) -> None:
    program = let_in(connector, group, group_admin, permissions=[Permission.GROUP_INFORMATION])
    before = everything(), list(Person.objects.values_list())
    assert "User Profile" in refused(wire.put("/v1/users/me", '{"name":"x"}', program), 403, "Unauthorized")
    refused(wire.put("/v1/users/me", '{"name":"x"}'), 401, "InvalidToken")
    assert (everything(), list(Person.objects.values_list())) == before
