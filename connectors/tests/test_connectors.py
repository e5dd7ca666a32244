"""Registering, changing and ending a connector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError

from accounts.models import AuditEvent, User
from connectors import token_format
from connectors.models import Connector, ConnectorSecret, Grant, Handoff, OneTimeSecret, RefreshToken
from connectors.permissions import Permission
from connectors.services import connectors, one_time_secrets
from connectors.tests import factories
from connectors.tests.factories import Program
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound, RuleBroken

Everything = Callable[[], Any]

FIELDS: dict[str, Any] = {
    "name": "Shift Planner",
    "description": "Posts the roster.",
    "home_page": "https://contoso.example/planner",
    "redirect_urls": ["https://contoso.example/callback"],
    "permissions": ["textmessage", "groupinfo"],
}
ACTS = [
    *(connectors.update, connectors.deactivate, connectors.reactivate),
    *(connectors.suspend, connectors.resume, connectors.delete),
]


def create(owner: User, **other: Any) -> tuple[Connector, str]:
    return connectors.create(owner=owner, by=owner, **{**FIELDS, **other})


def test_a_new_connector_is_its_owners_and_comes_with_one_secret(developer: User) -> None:
    connector, token = create(developer)
    connector.refresh_from_db()
    assert connector.owner == developer
    assert connector.organisation == developer.organisation
    assert connector.permissions == {Permission.TEXT_MESSAGE, Permission.GROUP_INFORMATION}
    parsed = token_format.parse(token_format.CredentialKind.SECRET, token)
    secret = connector.secrets.get()
    assert parsed is not None
    assert parsed.matches(secret.pepper_id, secret.digest)


def test_creating_is_written_into_the_trail_without_the_secret(developer: User) -> None:
    connector, token = create(developer)
    events = AuditEvent.objects.filter(connector_id=connector.pk).order_by("id")
    assert [event.tag for event in events] == ["connector:account:created", "connector:secret:created"]
    assert events[0].after["permissions"] == ["groupinfo", "textmessage"]
    assert token[21:] not in str(list(events.values()))


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("name", "", "name_missing"),
        ("name", " \t\n ", "name_missing"),
        ("name", "\0", "name_missing"),
        ("name", "N" * 81, "name_too_long"),
        ("description", "D" * 501, "description_too_long"),
        ("home_page", "contoso", "home_page"),
        ("home_page", "javascript:alert(1)", "home_page"),
        ("home_page", "https://contoso.example/" + "a" * 200, "home_page"),
        ("redirect_urls", ["http://contoso.example/callback"], "redirect_url"),
        ("redirect_urls", ["https://contoso.example/callback#part"], "redirect_url"),
        ("redirect_urls", ["https://user:word@contoso.example/"], "redirect_url"),
        ("redirect_urls", ["myapp:callback"], "redirect_url"),
        ("redirect_urls", ["https://[contoso/"], "redirect_url"),
        ("redirect_urls", [f"https://contoso.example/{n}" for n in range(11)], "redirect_urls"),
        ("permissions", [], "permission_missing"),
        ("permissions", ["everything"], "permission_unknown"),
    ],
)
def test_what_cannot_be_is_refused(developer: User, everything: Everything, field: str, value: Any, code: str) -> None:
    before = everything()
    with pytest.raises(RuleBroken) as caught:
        create(developer, **{field: value})
    assert (caught.value.field, caught.value.code) == (field, code)
    assert everything() == before


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/callback", "http://127.0.0.1/cb", "http://[::1]:5000/", "https://localhost/x"]
)
def test_a_redirect_to_the_developers_own_machine_may_be_plain_http(developer: User, url: str) -> None:
    connector, _token = create(developer, redirect_urls=[url, url, " "])
    assert connector.redirect_urls == [url]


def test_a_name_that_the_owner_uses_already_is_refused(developer: User, connector: Connector) -> None:
    with pytest.raises(RuleBroken) as caught:
        create(developer, name=f"  {connector.name.upper()} ")
    assert (caught.value.field, caught.value.code) == ("name", "name_taken")
    assert Connector.objects.count() == 1


def test_nobody_creates_a_connector_for_somebody_else(developer: User, stranger: User) -> None:
    with pytest.raises(NotAllowed):
        connectors.create(owner=developer, by=stranger, **FIELDS)
    assert not Connector.objects.exists()


def test_an_account_that_is_switched_off_creates_nothing(developer: User) -> None:
    developer.is_active = False
    with pytest.raises(NotAllowed):
        create(developer)


def test_the_same_form_sent_again_gets_the_same_connector_and_secret_until_done(developer: User) -> None:
    idempotency_key = one_time_secrets.new_form_key()
    first = create(developer, idempotency_key=idempotency_key)
    assert create(developer, idempotency_key=idempotency_key) == first
    assert Connector.objects.count() == ConnectorSecret.objects.count() == 1
    one_time_secrets.done(user=developer, idempotency_key=idempotency_key)
    with pytest.raises(RuleBroken, match="already"):
        create(developer, idempotency_key=idempotency_key)


def test_a_form_key_that_is_none_creates_nothing(developer: User) -> None:
    with pytest.raises(RuleBroken) as caught:
        create(developer, idempotency_key="short")
    assert caught.value.code == "idempotency_key"
    assert not Connector.objects.exists()


def test_a_form_that_showed_something_else_creates_nothing(developer: User, connector: Connector) -> None:
    idempotency_key = one_time_secrets.new_form_key()
    one_time_secrets.remember(user=developer, idempotency_key=idempotency_key, subject=Handoff(), token="t")
    with pytest.raises(Conflict) as caught:
        create(developer, name="Another", idempotency_key=idempotency_key)
    assert caught.value.code == "form_used"
    assert Connector.objects.count() == 1


# Changing -------------------------------------------------------------------------------------------------------


def test_an_owner_and_a_co_owner_change_its_details(connector: Connector, developer: User, member: User) -> None:
    connectors.update(connector=connector, by=developer, name="Roster")
    connectors.update(connector=connector, by=developer, name="Roster")  # no event: nothing changes
    connector.co_owners.add(member)
    connectors.update(connector=connector, by=member, description="Plans shifts.", home_page="https://a.example")
    connector.refresh_from_db()
    says = (connector.name, connector.description, connector.home_page)
    assert says == ("Roster", "Plans shifts.", "https://a.example")
    assert list(AuditEvent.objects.values_list("before", "after").order_by("id")) == [
        ({"name": "Shift Planner"}, {"name": "Roster"}),
        ({"description": "", "home_page": ""}, {"description": "Plans shifts.", "home_page": "https://a.example"}),
    ]


def test_a_change_to_a_taken_name_is_refused(connector: Connector, developer: User) -> None:
    factories.make_connector(developer, "Roster")
    with pytest.raises(RuleBroken) as caught:
        connectors.update(connector=connector, by=developer, name="roster")
    assert caught.value.code == "name_taken"


# Its three ends --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "back", "state", "back_tag"),
    [
        (connectors.deactivate, connectors.reactivate, "deactivated", "reactivated"),
        (connectors.suspend, connectors.resume, "suspended", "resumed"),
    ],
)
def test_it_goes_there_and_back(
    connector: Connector, developer: User, there: Any, back: Any, state: str, back_tag: str
) -> None:
    with pytest.raises(Conflict):
        back(connector=connector, by=developer)
    assert there(connector=connector, by=developer).state == state
    with pytest.raises(Conflict):
        there(connector=connector, by=developer)
    assert back(connector=connector, by=developer).state == "live"
    tags = AuditEvent.objects.order_by("id").values_list("tag", flat=True)
    assert list(tags) == [f"connector:account:{state}", f"connector:account:{back_tag}"]


def test_deleting_ends_everything_for_good(program: Program, developer: User) -> None:
    idempotency_key = one_time_secrets.new_form_key()
    one_time_secrets.remember(
        user=developer, idempotency_key=idempotency_key, subject=program.handoff, token=program.refresh_token
    )
    deleted = connectors.delete(connector=program.connector, by=developer)
    assert deleted.state == "deleted"
    assert not Grant.objects.present().exists()
    assert not RefreshToken.objects.filter(revoked_at__isnull=True).exists()
    assert not ConnectorSecret.objects.filter(revoked_at__isnull=True).exists()
    assert not OneTimeSecret.objects.exists()
    handoff = Handoff.objects.get()
    assert handoff.state == "withdrawn"
    assert handoff.sealed is None


def test_what_is_deleted_is_not_there(connector: Connector, developer: User) -> None:
    connectors.delete(connector=connector, by=developer)
    for act in (connectors.delete, connectors.suspend, connectors.reactivate, connectors.update):
        with pytest.raises(NotFound):
            act(connector=connector, by=developer)


def test_deleting_leaves_other_connectors_alone(program: Program, developer: User, group_admin: User) -> None:
    other = factories.make_program(factories.make_connector(developer), group_admin)
    connectors.delete(connector=program.connector, by=developer)
    assert Grant.objects.present().get() == other.grant
    assert RefreshToken.objects.get(revoked_at__isnull=True).grant == other.grant
    assert Handoff.objects.waiting().get() == other.handoff


@pytest.mark.parametrize("act", ACTS)
def test_to_a_stranger_it_is_not_there(
    program: Program, stranger: User, outsider: User, group_admin: User, everything: Everything, act: Any
) -> None:
    before = everything()
    for user in (stranger, outsider, group_admin):
        with pytest.raises(NotFound):
            act(connector=program.connector, by=user)
    assert everything() == before


@pytest.mark.parametrize("act", [connectors.deactivate, connectors.suspend, connectors.delete])
def test_an_operator_may_stop_a_connector_but_not_rename_it(program: Program, operator: User, act: Any) -> None:
    with pytest.raises(NotFound):
        connectors.update(connector=program.connector, by=operator, name="Mine")
    assert act(connector=program.connector, by=operator).state != "live"


@pytest.mark.parametrize("act", [connectors.deactivate, connectors.suspend, connectors.delete])
def test_without_an_audit_row_nothing_happens(
    program: Program, developer: User, no_audit: Callable[[], None], everything: Everything, act: Any
) -> None:
    before = everything()
    no_audit()
    with pytest.raises(DatabaseError):
        act(connector=program.connector, by=developer)
    assert everything() == before


def test_without_an_audit_row_nothing_is_created_or_changed(
    connector: Connector, developer: User, no_audit: Callable[[], None], everything: Everything
) -> None:
    before = everything()
    no_audit()
    with pytest.raises(DatabaseError):
        create(developer, name="Another", idempotency_key=one_time_secrets.new_form_key())
    with pytest.raises(DatabaseError):
        connectors.update(connector=connector, by=developer, name="Roster")
    assert everything() == before


def test_a_name_is_tidied_and_cannot_turn_the_text_around_it(developer: User) -> None:
    connector, _token = create(developer, name="  Shift\u202e\n Planner\t")
    assert connector.name == "Shift Planner"
