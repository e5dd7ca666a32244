"""Connector secrets: two at a time, shown once, revoked at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError

from accounts.models import AuditEvent, User
from connectors.models import Connector, ConnectorSecret, OneTimeSecret
from connectors.services import connectors, one_time_secrets, secrets, token_exchange
from connectors.tests import factories
from connectors.tests.factories import Program
from kaizala_console.api.errors import WrongConnectorCredentials
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken


def proves(connector: Connector, token: str) -> bool:
    try:
        token_exchange.authenticate_client(connector_id=str(connector.pk), secret=token, at=clock.now())
    except WrongConnectorCredentials:
        return False
    return True


@pytest.mark.postgresql
def test_a_second_secret_works_beside_the_first(connector: Connector, developer: User) -> None:
    _first, old = factories.make_secret(connector)
    second, new = secrets.add(connector=connector, by=developer)
    assert second.slot == 2
    assert proves(connector, old)
    assert proves(connector, new)


@pytest.mark.postgresql
def test_a_third_secret_is_refused_and_says_what_to_do(connector: Connector, developer: User) -> None:
    secrets.add(connector=connector, by=developer)
    secrets.add(connector=connector, by=developer)
    with pytest.raises(RuleBroken, match="Revoke one first") as caught:
        secrets.add(connector=connector, by=developer)
    assert caught.value.code == "two_secrets"
    assert ConnectorSecret.objects.count() == 2


@pytest.mark.postgresql
def test_revoking_one_makes_room_for_another_in_its_slot(connector: Connector, developer: User) -> None:
    first, old = secrets.add(connector=connector, by=developer)
    second, kept = secrets.add(connector=connector, by=developer)
    secrets.revoke(secret=first, by=developer)
    third, new = secrets.add(connector=connector, by=developer)
    assert (first.slot, second.slot, third.slot) == (1, 2, 1)
    assert [proves(connector, token) for token in (old, kept, new)] == [False, True, True]


@pytest.mark.postgresql
def test_an_expired_secret_is_refused_and_makes_room(
    connector: Connector, developer: User, travel: Callable[..., dt.datetime]
) -> None:
    first, old = secrets.add(connector=connector, by=developer)
    secrets.add(connector=connector, by=developer)
    ConnectorSecret.objects.filter(pk=first.pk).update(expires_at=clock.now() + dt.timedelta(days=1))
    assert proves(connector, old)
    travel(days=1)
    assert not proves(connector, old)
    third, _new = secrets.add(connector=connector, by=developer)
    assert third.slot == 1


def test_the_first_secret_cannot_end_before_it_is_made(developer: User) -> None:
    with pytest.raises(RuleBroken) as caught:
        connectors.create(
            owner=developer, name="Late", permissions=["textmessage"], by=developer, secret_ends_at=clock.now()
        )
    assert (caught.value.code, caught.value.field) == ("ends_at", "end_date")
    assert not Connector.objects.filter(name="Late").exists()


@pytest.mark.postgresql
def test_the_same_form_sent_again_gets_the_same_secret(connector: Connector, developer: User) -> None:
    idempotency_key = one_time_secrets.new_form_key()
    first = secrets.add(connector=connector, by=developer, idempotency_key=idempotency_key)
    assert secrets.add(connector=connector, by=developer, idempotency_key=idempotency_key) == first
    assert ConnectorSecret.objects.count() == 1


def test_a_secret_that_is_shown_again_is_an_event(connector: Connector, developer: User) -> None:
    idempotency_key = one_time_secrets.new_form_key()
    _secret, token = secrets.add(connector=connector, by=developer, idempotency_key=idempotency_key)
    secrets.add(connector=connector, by=developer, idempotency_key=idempotency_key)
    other_key = one_time_secrets.new_form_key()
    for _ in range(2):
        connectors.create(
            owner=developer, name="Rota", permissions=["textmessage"], by=developer, idempotency_key=other_key
        )
    viewed = AuditEvent.objects.filter(tag="connector:secret:viewed").order_by("pk")
    assert [event.after["connector"] for event in viewed] == ["Shift Planner", "Rota"]
    assert viewed[0].after["public_part"] == token[5:21]
    assert token[24:-6] not in str(list(viewed.values()))


def test_a_form_of_another_connector_gets_nothing(connector: Connector, developer: User) -> None:
    idempotency_key = one_time_secrets.new_form_key()
    secrets.add(connector=connector, by=developer, idempotency_key=idempotency_key)
    other = factories.make_connector(developer)
    with pytest.raises(Conflict) as caught:
        secrets.add(connector=other, by=developer, idempotency_key=idempotency_key)
    assert caught.value.code == "form_used"
    assert not other.secrets.exists()


@pytest.mark.postgresql
def test_a_revoked_secret_leaves_the_screen(connector: Connector, developer: User) -> None:
    idempotency_key = one_time_secrets.new_form_key()
    secret, _token = secrets.add(connector=connector, by=developer, idempotency_key=idempotency_key)
    secrets.revoke(secret=secret, by=developer)
    assert not OneTimeSecret.objects.exists()


@pytest.mark.postgresql
def test_a_secret_is_revoked_once(connector: Connector, developer: User) -> None:
    secret, _token = secrets.add(connector=connector, by=developer)
    secrets.revoke(secret=secret, by=developer)
    with pytest.raises(Conflict):
        secrets.revoke(secret=secret, by=developer)


def test_both_acts_are_in_the_trail_without_the_secret(connector: Connector, developer: User) -> None:
    secret, token = secrets.add(connector=connector, by=developer)
    secrets.revoke(secret=secret, by=developer)
    events = AuditEvent.objects.filter(connector_id=connector.pk).order_by("id")
    assert [event.tag for event in events] == ["connector:secret:created", "connector:secret:revoked"]
    assert events[0].after["public_part"] == secret.public_part
    assert token[21:] not in str(list(events.values()))


def test_strangers_neither_add_nor_revoke(
    connector: Connector, stranger: User, group_admin: User, outsider: User, everything: Callable[[], Any]
) -> None:
    secret, _token = factories.make_secret(connector)
    before = everything()
    for user in (stranger, group_admin, outsider):
        with pytest.raises(NotFound):
            secrets.add(connector=connector, by=user)
        with pytest.raises(NotFound):
            secrets.revoke(secret=secret, by=user)
    assert everything() == before


def test_an_operator_revokes_but_does_not_add(connector: Connector, operator: User) -> None:
    secret, token = factories.make_secret(connector)
    with pytest.raises(NotFound):
        secrets.add(connector=connector, by=operator)
    secrets.revoke(secret=secret, by=operator)
    assert not proves(connector, token)


@pytest.mark.postgresql
def test_without_an_audit_row_nothing_happens(
    program: Program, developer: User, no_audit: Callable[[], None], everything: Callable[[], Any]
) -> None:
    before = everything()
    no_audit()
    with pytest.raises(DatabaseError):
        secrets.add(connector=program.connector, by=developer, idempotency_key=one_time_secrets.new_form_key())
    with pytest.raises(DatabaseError):
        secrets.revoke(secret=program.connector.secrets.get(), by=developer)
    assert everything() == before


@pytest.mark.postgresql
def test_a_secret_with_an_end_date_is_refused_from_that_moment_on(
    connector: Connector, developer: User, travel: Callable[..., dt.datetime]
) -> None:
    secret, token = secrets.add(connector=connector, by=developer, ends_at=clock.now() + dt.timedelta(days=30))
    travel(days=29, hours=23)
    assert proves(connector, token)
    travel(hours=1)
    assert not proves(connector, token)
    told = AuditEvent.objects.get(tag="connector:secret:created").after["ends_at"]
    assert secret.expires_at is not None
    assert told == secret.expires_at.isoformat()


def test_a_secret_cannot_end_before_it_begins(connector: Connector, developer: User) -> None:
    with pytest.raises(RuleBroken, match="future") as caught:
        secrets.add(connector=connector, by=developer, ends_at=clock.now())
    assert caught.value.field == "end_date"
    assert not ConnectorSecret.objects.exists()
