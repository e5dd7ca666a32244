"""Connector secrets: two at a time, shown once, revoked at once, with an end date that can be moved."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import AuditEvent, User
from connectors.models import Connector, ConnectorSecret, OneTimeSecret
from connectors.queries import connectors as queries
from connectors.services import connectors, leak_reports, one_time_secrets, secrets, token_exchange
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.html_forms import form_to, text_of
from kaizala_console.api.errors import WrongConnectorCredentials
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, RuleBroken

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
Travel = Callable[..., dt.datetime]


def proves(connector: Connector, token: str) -> bool:
    try:
        token_exchange.authenticate_client(connector_id=str(connector.pk), secret=token, at=clock.now())
    except WrongConnectorCredentials:
        return False
    return True


def test_a_third_secret_is_refused(connector: Connector, developer: User) -> None:
    for _number in range(2):
        secrets.add(connector=connector, by=developer)
    with pytest.raises(RuleBroken) as caught:
        secrets.add(connector=connector, by=developer)
    assert caught.value.code == "two_secrets"
    assert ConnectorSecret.objects.count() == 2


def test_revoking_one_makes_room_for_another_in_its_slot(connector: Connector, developer: User) -> None:
    first, old = secrets.add(connector=connector, by=developer, idempotency_key="k" * 32)
    second, kept = secrets.add(connector=connector, by=developer)
    assert (proves(connector, old), proves(connector, kept)) == (True, True)
    secrets.revoke(secret=first, by=developer)
    assert not OneTimeSecret.objects.exists(), "it leaves the screen"
    with pytest.raises(Conflict):
        secrets.revoke(secret=first, by=developer)
    third, new = secrets.add(connector=connector, by=developer)
    assert (first.slot, second.slot, third.slot) == (1, 2, 1)
    assert [proves(connector, token) for token in (old, kept, new)] == [False, True, True]
    assert list(queries.list_secrets(connector)) == [third, second, first]
    events = AuditEvent.objects.filter(connector_id=connector.pk).order_by("id")
    assert [event.tag.rpartition(":")[2] for event in events] == ["created", "created", "revoked", "created"]
    assert events[0].after["public_part"] == first.public_part
    assert old[21:] not in str(list(events.values()))


def test_a_secret_that_is_shown_again_is_an_event(connector: Connector, developer: User) -> None:
    idempotency_key = one_time_secrets.new_form_key()
    secret, token = secrets.add(connector=connector, by=developer, idempotency_key=idempotency_key)
    assert secrets.add(connector=connector, by=developer, idempotency_key=idempotency_key) == (secret, token)
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


def test_a_secret_ends_at_its_end_date(connector: Connector, developer: User, travel: Travel) -> None:
    secret, token = secrets.add(connector=connector, by=developer, ends_at=clock.now() + dt.timedelta(days=30))
    travel(days=29, hours=23)
    assert proves(connector, token)
    travel(hours=1)
    assert not proves(connector, token)
    assert secret.expires_at is not None
    assert AuditEvent.objects.get().after["ends_at"] == secret.expires_at.isoformat()
    for _number in range(2):
        secrets.add(connector=connector, by=developer)


def test_a_secret_cannot_end_before_it_begins(connector: Connector, developer: User) -> None:
    with pytest.raises(RuleBroken) as caught:
        secrets.add(connector=connector, by=developer, ends_at=clock.now())
    assert caught.value.field == "end_date"
    with pytest.raises(RuleBroken) as caught:
        connectors.create(
            owner=developer, name="Late", permissions=["textmessage"], by=developer, secret_ends_at=clock.now()
        )
    assert (caught.value.code, caught.value.field) == ("ends_at", "end_date")
    assert not ConnectorSecret.objects.exists()
    assert not Connector.objects.filter(name="Late").exists()


Browser = Callable[..., Client]
CHANGED = "connector:secret:changed"


@pytest.fixture
def secret(program: Program) -> ConnectorSecret:
    return program.connector.secrets.get()


def tab(connector: Connector) -> str:
    return f"/console/connectors/{connector.pk}/credentials/"


def page_of(secret: ConnectorSecret) -> str:
    return f"{tab(secret.connector)}{secret.pk}/end-date/"


def day(days: int) -> str:
    return (clock.now() + dt.timedelta(days=days)).date().isoformat()


def end_of(secret: ConnectorSecret) -> dt.datetime | None:
    return ConnectorSecret.objects.get(pk=secret.pk).expires_at


@pytest.mark.usefixtures("travel")  # the day stays the same
def test_its_end_is_set_moved_and_taken_away(owner: Client, secret: ConnectorSecret) -> None:
    url = page_of(secret)
    assert url in owner.get(tab(secret.connector)).content.decode()
    form = form_to(owner.get(url), url)
    assert form.fields["end_date"] == [""]
    form.send(owner, {"end_date": day(2)})
    ends_at = end_of(secret)
    assert ends_at == dt.datetime.combine(clock.now() + dt.timedelta(days=3), dt.time.min, dt.UTC)

    again = form_to(owner.get(url), url)
    assert again.fields["end_date"] == [day(2)]
    again.send(owner)
    assert AuditEvent.objects.filter(tag=CHANGED).count() == 1, "the same day changes nothing"
    again.send(owner, {"end_date": day(5)})
    again.send(owner, {"end_date": ""})
    assert end_of(secret) is None
    first, _second, third = AuditEvent.objects.filter(tag=CHANGED).order_by("pk")
    assert first.before == {"ends_at": None}
    assert first.after["public_part"] == secret.public_part
    assert first.after["ends_at"] == ends_at.isoformat()
    assert third.after["ends_at"] is None


@pytest.mark.parametrize("typed", ["2020-01-01", "9999-01-01", "x"])
def test_what_is_no_day_to_come_is_refused(owner: Client, secret: ConnectorSecret, typed: str) -> None:
    answer = owner.post(page_of(secret), {"end_date": typed})
    assert answer.status_code == 400
    assert end_of(secret) is None


def test_what_is_over_stays_over(owner: Client, developer: User, secret: ConnectorSecret, travel: Travel) -> None:
    secrets.move_end(secret=secret, ends_at=clock.now() + dt.timedelta(hours=1), by=developer)
    travel(hours=2)
    with pytest.raises(Conflict, match="ended"):
        secrets.move_end(secret=secret, ends_at=None, by=developer)
    secrets.revoke(secret=secret, by=developer)
    with pytest.raises(Conflict, match="revoked"):
        secrets.move_end(secret=secret, ends_at=None, by=developer)
    answer = owner.get(page_of(secret), follow=True)
    assert "already revoked" in text_of(answer)
    assert page_of(secret) not in answer.content.decode()


def test_a_reported_secret_is_answered_first(developer: User, program: Program, secret: ConnectorSecret) -> None:
    leak_reports.report(text=program.secret, address="192.0.2.7")
    with pytest.raises(Conflict, match="leaked"):
        secrets.move_end(secret=secret, ends_at=clock.now() + dt.timedelta(days=9), by=developer)


def test_who_cools_off_may_shorten_but_not_prolong(developer: User, secret: ConnectorSecret) -> None:
    developer.credentials_locked_until = clock.now() + dt.timedelta(hours=1)
    developer.save()
    soon, later = (clock.now() + dt.timedelta(days=days) for days in (2, 4))
    secrets.move_end(secret=secret, ends_at=soon, by=developer)
    for longer in (later, None):
        with pytest.raises(RuleBroken, match="locked"):
            secrets.move_end(secret=secret, ends_at=longer, by=developer)
    assert end_of(secret) == soon
