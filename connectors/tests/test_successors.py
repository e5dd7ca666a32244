"""From 90 % of its life a refresh token brings forth a successor: the same whenever it is asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.db import DatabaseError
from pytest_django import Settings

from accounts.models import AuditEvent, User
from connectors.models import Connector, RefreshToken
from connectors.services import grants, token_exchange
from connectors.services.refresh_tokens import get_successor_start
from connectors.services.token_exchange import Exchange
from connectors.tests import factories
from connectors.tests.factories import Program
from kaizala_console.api.errors import RefreshTokenRefused
from kaizala_console.lib import clock

pytestmark = pytest.mark.postgresql


def exchange(program: Program, refresh_token: str = "") -> Exchange:
    return token_exchange.exchange(
        connector_id=str(program.connector.pk),
        secret=program.secret,
        refresh_token=refresh_token or program.refresh_token,
        address=None,
    )


def test_before_328_days_there_is_none_and_from_then_on_there_is(
    program: Program, travel: Callable[..., dt.datetime]
) -> None:
    travel(days=327, hours=23)
    assert exchange(program).successor == ""
    assert RefreshToken.objects.count() == 1
    travel(hours=1, seconds=1)
    assert exchange(program).successor.startswith("kzrt_")


def test_asked_again_it_is_the_same_and_the_old_token_works_to_its_own_end(
    program: Program, travel: Callable[..., dt.datetime]
) -> None:
    travel(days=330)
    first = exchange(program).successor
    travel(days=34)
    assert exchange(program).successor == first
    assert RefreshToken.objects.count() == 2
    travel(days=1)
    with pytest.raises(RefreshTokenRefused, match="expired"):
        exchange(program)
    assert exchange(program, first).access_token


def test_the_successor_is_a_whole_token_with_a_year_of_its_own(
    program: Program, travel: Callable[..., dt.datetime]
) -> None:
    now = travel(days=330)
    successor = exchange(program).successor
    assert exchange(program, successor).successor == ""
    row = RefreshToken.objects.get(predecessor__isnull=False)
    assert row.expires_at == now + dt.timedelta(days=365)
    assert row.first_used_at == now
    travel(days=329)
    third = exchange(program, successor).successor
    assert third not in {"", successor, program.refresh_token}


def test_only_digests_of_it_are_stored_and_the_trail_says_that_it_was_made(
    program: Program, travel: Callable[..., dt.datetime]
) -> None:
    travel(days=330)
    successor = exchange(program).successor
    exchange(program)
    assert successor[21:] not in str(list(RefreshToken.objects.values())) + str(list(AuditEvent.objects.values()))
    assert AuditEvent.objects.filter(tag="grant:token:succeeded").count() == 1


def test_a_new_pepper_changes_nothing_about_a_successor_that_was_made(
    program: Program, travel: Callable[..., dt.datetime], settings: Settings
) -> None:
    travel(days=330)
    successor = exchange(program).successor
    settings.CREDENTIAL_PEPPERS = [("2027a", b"n" * 32), *settings.CREDENTIAL_PEPPERS]
    assert exchange(program).successor == successor
    assert exchange(program, successor).access_token


def test_regenerating_ends_the_successor_too(
    program: Program, group_admin: User, travel: Callable[..., dt.datetime]
) -> None:
    travel(days=330)
    successor = exchange(program).successor
    grants.regenerate(grant=program.grant, by=group_admin)
    for token in (program.refresh_token, successor):
        with pytest.raises(RefreshTokenRefused, match="superseded"):
            exchange(program, token)


def test_a_grant_that_ends_with_its_token_has_no_successor(
    connector: Connector, group_admin: User, travel: Callable[..., dt.datetime]
) -> None:
    program = factories.make_program(connector, group_admin, ends_at=clock.now() + dt.timedelta(days=100))
    travel(days=99)
    assert exchange(program).successor == ""
    assert RefreshToken.objects.count() == 1


def test_the_successor_ends_with_its_grant(
    connector: Connector, group_admin: User, travel: Callable[..., dt.datetime]
) -> None:
    ends_at = clock.now() + dt.timedelta(days=400)
    program = factories.make_program(connector, group_admin, ends_at=ends_at)
    travel(days=330)
    exchange(program)
    assert RefreshToken.objects.get(predecessor__isnull=False).expires_at == ends_at


def test_without_an_audit_row_no_successor_is_made(
    program: Program, travel: Callable[..., dt.datetime], no_audit: Callable[[], None]
) -> None:
    exchange(program)
    travel(days=330)
    no_audit()
    with pytest.raises(DatabaseError):
        exchange(program)
    assert RefreshToken.objects.count() == 1


@pytest.mark.parametrize(
    ("life", "offered_after"),
    [
        (dt.timedelta(days=365), dt.timedelta(days=328)),
        (dt.timedelta(days=90), dt.timedelta(days=81)),
        (dt.timedelta(days=10), dt.timedelta(days=9)),
        (dt.timedelta(days=1), dt.timedelta(hours=21, minutes=36)),
    ],
)
def test_ninety_percent_are_counted_in_whole_days_where_there_are_enough(
    life: dt.timedelta, offered_after: dt.timedelta
) -> None:
    issued_at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    token = RefreshToken(issued_at=issued_at, expires_at=issued_at + life)
    assert get_successor_start(token) == issued_at + offered_after
