"""`GET /v1/users/me` (wire protocol §6, Users)."""

from __future__ import annotations

from accounts.models import Person, User
from connectors.models import Connector
from connectors.scopes import Permission
from groups.models import Group
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_act_for, let_in, person_of


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
