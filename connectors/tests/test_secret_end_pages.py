"""The end date of a live secret is set, moved and taken away: so an old one ends by itself once a program has moved."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent, User
from connectors.models import Connector, ConnectorSecret
from connectors.services import leak_reports, secrets
from connectors.tests.factories import Program
from connectors.tests.html_forms import form_to, text_of
from connectors.tests.test_secrets import proves
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
CHANGED = "connector:secret:changed"


@pytest.fixture
def secret(program: Program) -> ConnectorSecret:
    return program.connector.secrets.get()


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


def tab(connector: Connector) -> str:
    return f"/console/connectors/{connector.pk}/credentials/"


def page_of(secret: ConnectorSecret) -> str:
    return f"{tab(secret.connector)}{secret.pk}/end-date/"


def day(days: int) -> str:
    return (clock.now() + dt.timedelta(days=days)).date().isoformat()


def end_of(secret: ConnectorSecret) -> dt.datetime | None:
    return ConnectorSecret.objects.get(pk=secret.pk).expires_at


@pytest.mark.usefixtures("travel")  # the day stays the same
def test_it_is_set_moved_and_taken_away(client: Client, secret: ConnectorSecret) -> None:
    url = page_of(secret)
    assert url in client.get(tab(secret.connector)).content.decode()
    form = form_to(client.get(url), url)
    assert form.fields["end_date"] == [""]
    told = text_of(form.send(client, {"end_date": day(2)}, follow=True))
    assert "Secret 1 ends" in told
    ends_at = end_of(secret)
    assert ends_at == dt.datetime.combine(clock.now() + dt.timedelta(days=3), dt.time.min, dt.UTC)

    again = form_to(client.get(url), url)
    assert again.fields["end_date"] == [day(2)]
    again.send(client)
    assert AuditEvent.objects.filter(tag=CHANGED).count() == 1, "the same day changes nothing"
    again.send(client, {"end_date": day(5)})
    none = again.send(client, {"end_date": ""}, follow=True)
    assert "Secret 1 has no end date." in text_of(none)
    assert end_of(secret) is None
    first, _second, third = AuditEvent.objects.filter(tag=CHANGED).order_by("pk")
    assert first.before == {"ends_at": None}
    assert first.after["public_part"] == secret.public_part
    assert first.after["ends_at"] == ends_at.isoformat()
    assert third.after["ends_at"] is None


def test_the_first_secret_is_refused_from_that_moment_on(
    client: Client, program: Program, secret: ConnectorSecret, travel: Callable[..., dt.datetime]
) -> None:
    client.post(page_of(secret), {"end_date": day(1)})
    assert proves(program.connector, program.secret)
    travel(days=3)
    assert not proves(program.connector, program.secret)


@pytest.mark.parametrize(
    ("typed", "says"), [("2020-01-01", "has passed"), ("9999-01-01", "hundred years"), ("x", "date")]
)
def test_what_is_no_day_to_come_is_refused_beside_the_field(
    client: Client, secret: ConnectorSecret, typed: str, says: str
) -> None:
    answer = client.post(page_of(secret), {"end_date": typed})
    assert answer.status_code == 400
    assert says in text_of(answer)
    assert end_of(secret) is None


def test_what_is_over_gets_no_other_end(
    client: Client, developer: User, secret: ConnectorSecret, travel: Callable[..., dt.datetime]
) -> None:
    secrets.move_end(secret=secret, ends_at=clock.now() + dt.timedelta(hours=1), by=developer)
    travel(hours=2)
    with pytest.raises(Conflict, match="ended") as over:
        secrets.move_end(secret=secret, ends_at=None, by=developer)
    assert over.value.code == "secret_over"
    secrets.revoke(secret=secret, by=developer)
    with pytest.raises(Conflict, match="revoked"):
        secrets.move_end(secret=secret, ends_at=None, by=developer)
    answer = client.get(page_of(secret), follow=True)
    assert "This secret is already revoked." in text_of(answer)
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


def test_an_end_that_has_passed_is_refused(developer: User, secret: ConnectorSecret) -> None:
    with pytest.raises(RuleBroken, match="future"):
        secrets.move_end(secret=secret, ends_at=clock.now(), by=developer)


def test_nobody_but_an_owner_moves_it(
    secret: ConnectorSecret,
    group_admin: User,
    stranger: User,
    outsider: User,
    operator: User,
    everything: Callable[[], Any],
) -> None:
    before = everything()
    for user in (group_admin, stranger, outsider, operator):
        with pytest.raises(NotFound):
            secrets.move_end(secret=secret, ends_at=None, by=user)
    assert everything() == before


def test_without_an_audit_row_nothing_moves(
    secret: ConnectorSecret, developer: User, no_audit: Callable[[], None]
) -> None:
    no_audit()
    with pytest.raises(Exception, match="full"):
        secrets.move_end(secret=secret, ends_at=clock.now() + dt.timedelta(days=9), by=developer)
    assert end_of(secret) is None
