"""The exchange: who gets an access token, and in which words the others are refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import AuditEvent, Organisation, User
from connectors import token_format
from connectors.models import Connector, Grant, RefreshToken
from connectors.permissions import Permission
from connectors.services import connectors, grants, secrets, token_exchange
from connectors.services.token_exchange import Exchange
from connectors.tests import factories
from connectors.tests.factories import Program
from kaizala_console.api.errors import PermanentRedirect, RefreshTokenRefused, WrongConnectorCredentials
from kaizala_console.lib import clock, ids

pytestmark = pytest.mark.usefixtures("way")
Travel = Callable[..., dt.datetime]
ADDRESS = "192.0.2.7"
FIRST_USE = pytest.mark.parametrize("way", ["ordinary"], indirect=True)


def exchange(program: Program, **other: str) -> Exchange:
    headers = program.headers(**other)
    return token_exchange.exchange(
        connector_id=headers["applicationId"],
        secret=headers["applicationSecret"],
        refresh_token=headers["refreshToken"],
        address=ADDRESS,
    )


def why(program: Program, **other: str) -> str:
    """The words in which the exchange is refused; they never repeat a credential."""
    with pytest.raises(RefreshTokenRefused) as caught:
        exchange(program, **other)
    said = str(caught.value)
    for value in program.headers(**other).values():
        assert not value.strip() or value[5:] not in said
    return said


@pytest.mark.postgresql
def test_the_exchange_gives_what_the_protocol_says(program: Program, settings: Settings, travel: Travel) -> None:
    now = travel()
    result = exchange(program)
    assert result.expires_at == clock.from_epoch_ms(clock.epoch_ms(now + dt.timedelta(hours=24)))
    assert result.successor == ""
    assert result.endpoint_url == settings.CONSOLE_BASE_URL
    assert ",".join(result.scopes) == (
        "groupinfo.read,groupinfo.write,groupinfo.update,groupinfo.remove,"
        "groupmember.read,groupmember.write,groupmember.update,groupmember.remove,"
        "textmessage.read,textmessage.write"
    )
    claims = token_format.read_access_token(result.access_token)
    assert claims is not None
    assert claims.expires_at == result.expires_at
    assert result.access_token not in repr(result)


@pytest.mark.parametrize(
    "spelling",
    [str.upper, lambda text: text.replace("-", ""), lambda text: f"{{{text}}}", lambda text: f" {text} "],
)
def test_the_connector_id_may_be_spelled_in_any_way(program: Program, spelling: Callable[[str], str]) -> None:
    assert exchange(program, applicationId=spelling(str(program.connector.pk)))


@pytest.mark.parametrize(
    "header",
    [
        {"applicationId": ""},
        {"applicationId": "not an id"},
        {"applicationId": "0123456789abcdef01234567"},
        {"applicationId": "0123456789ABCDEF" * 4},
        {"applicationId": str(ids.new_id())},
        {"applicationSecret": ""},
        {"applicationSecret": "AB12CD34EF"},
        {"applicationSecret": "x" * 10_000},
        {"applicationSecret": "\x00\xff"},
        {"applicationSecret": token_format.generate(token_format.CredentialKind.SECRET).token},
    ],
)
def test_a_wrong_id_or_secret_is_refused_without_saying_which(program: Program, header: dict[str, str]) -> None:
    with pytest.raises(WrongConnectorCredentials) as caught:
        exchange(program, **header)
    assert str(caught.value) == "Dont have correct applicationId and secret in header!"


def test_the_secret_of_another_connector_is_wrong(program: Program, developer: User) -> None:
    _secret, text = factories.make_secret(factories.make_connector(developer))
    with pytest.raises(WrongConnectorCredentials):
        exchange(program, applicationSecret=text)


def test_a_secret_whose_public_part_was_guessed_is_wrong(program: Program) -> None:
    forged = token_format.generate(token_format.CredentialKind.SECRET)
    body = program.secret[:21] + forged.token[21:-6]
    with pytest.raises(WrongConnectorCredentials):
        exchange(program, applicationSecret=body + token_format._checksum(body))


@pytest.mark.postgresql
def test_a_revoked_secret_and_a_deleted_connector_are_wrong_credentials(program: Program, developer: User) -> None:
    connector = program.connector
    _second, text = secrets.add(connector=connector, by=developer)
    secrets.revoke(secret=connector.secrets.get(slot=1), by=developer)
    with pytest.raises(WrongConnectorCredentials):
        exchange(program)
    assert exchange(program, applicationSecret=text)
    connectors.delete(connector=connector, by=developer)
    with pytest.raises(WrongConnectorCredentials):
        exchange(program, applicationSecret=text)


# The refresh token, in plain words -------------------------------------------------------------------------------


def test_an_unknown_refresh_token_is_called_unknown(program: Program, developer: User, group_admin: User) -> None:
    assert why(program, refreshToken="") == "Refresh token unknown: the header refreshToken is missing."
    not_whole = (
        "Refresh token unknown: this is not a whole refresh token of this service. Check that nothing was cut off "
        "when it was copied."
    )
    assert why(program, refreshToken=program.refresh_token[:-1]) == not_whole
    assert why(program, refreshToken="eyJhbGciOi.an.old.one") == not_whole
    assert why(program, refreshToken=program.secret) == not_whole
    not_made = "Refresh token unknown: no such token was made for this connector."
    assert why(program, refreshToken=token_format.generate(token_format.CredentialKind.REFRESH).token) == not_made
    other = factories.make_program(factories.make_connector(developer), group_admin)
    assert why(program, refreshToken=other.refresh_token) == not_made
    body = program.refresh_token[:21] + other.refresh_token[21:-6]
    assert why(program, refreshToken=body + token_format._checksum(body)) == not_made


@pytest.mark.postgresql
def test_an_expired_refresh_token_is_called_expired(program: Program, travel: Travel) -> None:
    now = travel(days=365)
    assert why(program) == (f"Refresh token expired on {now:%Y-%m-%d %H:%M} UTC. Ask an admin to generate a new one.")


@pytest.mark.postgresql
def test_a_grant_past_its_end_date_is_called_expired(connector: Connector, group_admin: User, travel: Travel) -> None:
    ends_at = clock.now() + dt.timedelta(days=10)
    program = factories.make_program(connector, group_admin, ends_at=ends_at)
    assert exchange(program)
    travel(days=10, seconds=1)
    assert why(program).startswith(f"Refresh token expired on {ends_at:%Y-%m-%d %H:%M} UTC.")


@pytest.mark.postgresql
def test_a_superseded_refresh_token_is_called_superseded(program: Program, group_admin: User, travel: Travel) -> None:
    now = travel(days=2)
    grants.regenerate(grant=program.grant, by=group_admin)
    assert why(program) == (
        f"Refresh token superseded: a new one was generated on {now:%Y-%m-%d %H:%M} UTC. Use the new one, which was "
        "handed to the connector's owner."
    )
    travel(days=1)
    grants.revoke(grant=program.grant, by=group_admin)
    assert why(program).startswith("Refresh token superseded")


@pytest.mark.postgresql
def test_a_revoked_refresh_token_is_called_revoked(program: Program, group_admin: User, travel: Travel) -> None:
    now = travel(days=2)
    grants.revoke(grant=program.grant, by=group_admin)
    travel(days=400)
    assert why(program) == (
        f"Refresh token revoked: the connector's access was removed on {now:%Y-%m-%d %H:%M} UTC. Ask an admin to add "
        "the connector again."
    )


def test_a_grant_that_ended_is_enough_to_refuse_its_tokens(program: Program) -> None:
    """Whatever way it ended: also when its tokens were not revoked with it."""
    Grant.objects.update(revoked_at=clock.now())
    assert "revoked" in why(program)


@pytest.mark.postgresql
def test_a_suspension_says_whose_it_is_and_ends_with_it(program: Program, developer: User, group_admin: User) -> None:
    connectors.suspend(connector=program.connector, by=developer)
    assert "revoked for now: the connector is suspended since" in why(program)
    connectors.resume(connector=program.connector, by=developer)
    grants.suspend(grant=program.grant, by=group_admin)
    assert "revoked for now: an admin has suspended this access" in why(program)
    grants.resume(grant=program.grant, by=group_admin)
    assert exchange(program)


# What an access token may do, and until when ----------------------------------------------------------------------


def test_scopes_are_what_grant_and_connector_have_in_common_now(program: Program) -> None:
    Connector.objects.update(permissions=[Permission.TEXT_MESSAGE, Permission.MEDIA])
    assert exchange(program).scopes == ("textmessage.read", "textmessage.write")


@pytest.mark.postgresql
def test_an_access_token_ends_no_later_than_what_it_stands_on(
    connector: Connector, group_admin: User, travel: Travel
) -> None:
    now = travel()
    ends_at = now + dt.timedelta(hours=30)
    program = factories.make_program(connector, group_admin, ends_at=ends_at)
    assert exchange(program).expires_at == clock.from_epoch_ms(clock.epoch_ms(now + dt.timedelta(hours=24)))
    travel(hours=10)
    assert exchange(program).expires_at == clock.from_epoch_ms(clock.epoch_ms(ends_at))
    Grant.objects.update(ends_at=now + dt.timedelta(hours=12))
    assert exchange(program).expires_at == clock.from_epoch_ms(clock.epoch_ms(now + dt.timedelta(hours=12)))


def test_an_organisation_that_has_moved_sends_its_programs_on_once_they_proved_who_they_are(program: Program) -> None:
    Organisation.objects.update(moved_to="https://new.example/console/")
    with pytest.raises(PermanentRedirect) as caught:
        exchange(program)
    assert caught.value.headers == {"Location": "https://new.example/console/v1/accessToken"}
    with pytest.raises(WrongConnectorCredentials):
        exchange(program, applicationSecret="AB12CD34EF")


# First use --------------------------------------------------------------------------------------------------------


@FIRST_USE
@pytest.mark.postgresql
def test_the_first_use_is_written_down_once(program: Program, travel: Travel) -> None:
    now = travel(hours=1)
    exchange(program)
    travel(hours=1)
    exchange(program)
    token = RefreshToken.objects.get()
    assert (token.first_used_at, token.first_used_from) == (now, ADDRESS)
    event = AuditEvent.objects.get(tag="grant:token:used")
    assert (event.actor_kind, event.actor_name) == ("connector", program.connector.name)
    assert program.refresh_token[5:] not in str(event.after)


@FIRST_USE
def test_a_refused_exchange_is_no_use(program: Program) -> None:
    why(program, refreshToken=program.refresh_token[:-1])
    assert RefreshToken.objects.get().first_used_at is None


@FIRST_USE
@pytest.mark.postgresql
def test_without_an_audit_row_there_is_no_first_use(
    program: Program, no_audit: Callable[[], None], everything: Callable[[], Any]
) -> None:
    before = everything()
    no_audit()
    with pytest.raises(DatabaseError):
        exchange(program)
    assert everything() == before


@pytest.mark.postgresql
def test_an_exchange_is_two_selects_and_no_write_or_one_by_the_quick_way(program: Program, way: str) -> None:
    exchange(program)  # the first use is written down
    with CaptureQueriesContext(connection) as captured:
        exchange(program)
    statements = [query["sql"] for query in captured.captured_queries]
    assert len(statements) == (1 if way == "quick" else 2)
    assert all(statement.startswith("SELECT") for statement in statements)
