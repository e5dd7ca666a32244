"""Before something ends people hear of it 90, 30, 14, 7, 3 and 1 days ahead: once each, and never in a flood."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import Notice, User
from accounts.services import notifications
from connectors import hooks
from connectors.models import Connector, ConnectorSecret, Grant, RefreshToken, Webhook
from connectors.services import connectors, grants, handoffs, refresh_tokens, reminders, secrets, user_tokens
from connectors.services.one_time_secrets import new_form_key
from connectors.tasks import remind
from connectors.tests import factories
from connectors.tests.factories import Program, exchange
from connectors.tests.webhook_cast import make_webhook
from connectors.webhooks import management
from kaizala_console.lib import clock

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]

Travel = Callable[..., dt.datetime]
DAY = dt.timedelta(days=1)


def told(user: User, what: str) -> list[int]:
    """The distances at which `user` was told of the end of a secret, token, grant or webhook, in order."""
    found = Notice.objects.filter(user=user, template=f"connectors/{what}_ends").order_by("created_at", "id")
    return [notice.context["days"] for notice in found]


def run_daily(travel: Travel, days: int) -> None:
    for _ in range(days):
        travel(days=1)
        remind()


def run_near_the_days(travel: Travel, left: int) -> None:
    """With so many days left, to the end: the worker comes by on each day of a notice, and on the days beside it."""
    for days in sorted({told + beside for told in reminders.DAYS for beside in (1, 0, -1)}, reverse=True):
        if days < left:
            travel(days=left - days)
            remind()
            left = days


@pytest.fixture
def claimed(program: Program, developer: User, travel: Travel) -> Program:
    handoffs.claim(handoff=program.handoff, by=developer, idempotency_key=new_form_key(), address=None)
    return program


def test_both_sides_hear_of_a_token(claimed: Program, developer: User, group_admin: User, travel: Travel) -> None:
    travel(days=270)
    remind()
    assert told(developer, "token") == []
    run_near_the_days(travel, 95)
    assert told(developer, "token") == told(group_admin, "token") == [90, 30, 14, 7, 3, 1]


def test_after_a_month_off_the_nearest_day_counts(claimed: Program, developer: User, travel: Travel) -> None:
    travel(days=365 - 35)
    remind()
    travel(days=30)
    remind()
    remind()
    assert told(developer, "token") == [90, 7]
    run_daily(travel, 6)
    assert told(developer, "token") == [90, 7, 3, 1]


def test_five_days_are_not_told_at_once(
    connector: Connector, developer: User, group_admin: User, travel: Travel
) -> None:
    factories.let_in(connector, group_admin, ends_at=clock.now() + dt.timedelta(days=5))
    travel(minutes=1)
    remind()
    assert told(developer, "grant") == []
    run_daily(travel, 6)
    assert told(developer, "grant") == told(group_admin, "grant") == [3, 1]


def test_tokens_that_end_with_a_grant(connector: Connector, developer: User, group_admin: User, travel: Travel) -> None:
    factories.let_in(connector, group_admin, ends_at=clock.now() + dt.timedelta(days=20))
    run_daily(travel, 20)
    assert told(developer, "token") == []
    assert told(developer, "grant") == [14, 7, 3, 1]


def test_a_moved_end_is_told_of_anew(connector: Connector, developer: User, group_admin: User, travel: Travel) -> None:
    factories.let_in(connector, group_admin, ends_at=clock.now() + dt.timedelta(days=20))
    run_daily(travel, 18)
    assert told(developer, "grant") == [14, 7, 3]
    Grant.objects.update(ends_at=clock.now() + dt.timedelta(days=100))
    run_near_the_days(travel, 100)
    assert told(developer, "grant") == [14, 7, 3, 90, 30, 14, 7, 3, 1]


def test_secrets_are_the_developers(claimed: Program, developer: User, group_admin: User, travel: Travel) -> None:
    ConnectorSecret.objects.update(expires_at=clock.now() + dt.timedelta(days=40))
    run_near_the_days(travel, 40)
    assert told(developer, "secret") == [30, 14, 7, 3, 1]
    assert told(group_admin, "secret") == []


def test_with_a_successor_in_use_nothing_is_told(claimed: Program, developer: User, travel: Travel) -> None:
    travel(days=329)
    refresh_tokens.rotate_due()
    exchange(claimed, exchange(claimed).successor)
    run_near_the_days(travel, 36)
    assert told(developer, "token") == []


@pytest.mark.parametrize("end", ["revoke", "delete", "revoke_secret", "over"])
def test_what_ended_is_not_told(claimed: Program, developer: User, group_admin: User, travel: Travel, end: str) -> None:
    ConnectorSecret.objects.update(expires_at=clock.now() + 365 * DAY)
    expected = set()
    match end:
        case "revoke":
            grants.revoke(grant=claimed.grant, by=group_admin)
            expected = {"connectors/secret_ends"}
        case "delete":
            connectors.delete(connector=claimed.connector, by=developer)
        case "revoke_secret":
            secrets.revoke(secret=ConnectorSecret.objects.get(), by=developer)
            expected = {"connectors/token_ends"}
        case "over":
            travel(days=366)
    travel(days=300)
    remind()
    assert set(Notice.objects.filter(template__endswith="_ends").values_list("template", flat=True)) == expected


def test_many_groups_are_one_mail(connector: Connector, developer: User, group_admin: User, travel: Travel) -> None:
    for number in range(23):
        factories.let_in(connector, group_admin, target_name=f"Ward {number:02}")
    travel(days=336)
    assert reminders.remind() == 2
    text = notifications.render(Notice.objects.get(template="connectors/token_ends", user=developer))[1]
    assert "“Ward 00”" in text
    assert "and 3 more" in text


@pytest.mark.parametrize("grant_ends", [True, False])
def test_every_mail_names_the_connector_and_a_page(claimed: Program, travel: Travel, grant_ends: bool) -> None:
    ConnectorSecret.objects.update(expires_at=clock.now() + 365 * DAY)
    if grant_ends:
        Grant.objects.update(ends_at=RefreshToken.objects.get().expires_at)
    travel(days=365 - 14, seconds=1)
    remind()
    notices = Notice.objects.filter(template__endswith="_ends")
    assert len(notices) == 3
    for notice in notices:
        subject, body = notifications.render(notice)
        assert "\n" not in subject
        assert "/console/" in body
        assert "Shift Planner" in body


def test_when_the_granter_runs_the_group_no_more_the_admins_of_now_hear_it(
    claimed: Program,
    group_admin: User,
    member: User,
    travel: Travel,
    resigned: set[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resigned.add(group_admin.pk)
    monkeypatch.setattr(hooks, "administrators", lambda _target: [member])
    travel(days=280)
    remind()
    assert told(group_admin, "token") == []
    assert told(member, "token") == [90]


def test_somebody_who_is_both_hears_it_once(connector: Connector, developer: User, travel: Travel) -> None:
    factories.let_in(connector, developer)
    travel(days=280)
    remind()
    assert told(developer, "token") == [90]


def test_nothing_due_costs_a_query_a_kind(claimed: Program, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(4):
        assert reminders.remind() == 0
    assert RefreshToken.objects.get().reminded_for is None


def test_a_mail_leads_to_the_user_token(connector: Connector, developer: User, member: User, travel: Travel) -> None:
    handoff = user_tokens.generate(connector=connector, person=factories.person_of(member), by=member)
    handoffs.claim(handoff=handoff, by=developer, idempotency_key=new_form_key(), address=None)
    travel(days=365 - 30)
    remind()
    body = notifications.render(Notice.objects.get(user=member, template="connectors/token_ends"))[1]
    assert f"/console/connectors/{connector.pk}/user-token/" in body


def listening(grant: Grant, days: float, **fields: Any) -> Webhook:
    address = f"https://{fields.pop('host', 'hooks.example.com')}/in?key=of-theirs"
    return make_webhook(grant, address, uuid4(), expires_at=clock.now() + days * DAY, **fields)


def test_both_sides_hear_of_a_webhook(program: Program, developer: User, group_admin: User, travel: Travel) -> None:
    listening(program.grant, 100)
    run_near_the_days(travel, 100)
    assert told(developer, "webhook") == told(group_admin, "webhook") == [90, 30, 14, 7, 3, 1]


def test_many_webhooks_are_one_mail(program: Program, developer: User, group_admin: User, travel: Travel) -> None:
    for number in range(23):
        listening(program.grant, 31, host=f"hook{number:02}.example.com")
    travel(days=2)
    remind()
    assert Notice.objects.filter(template="connectors/webhook_ends").count() == 2
    for user in (developer, group_admin):
        subject, body = notifications.render(Notice.objects.get(user=user, template="connectors/webhook_ends"))
        assert "Shift Planner" in subject
        assert (f"/console/connectors/{program.connector.pk}/webhooks/" in body) is (user == developer)
        assert body.count(".example.com, for “Night shift”") == 20
        assert "and 3 more" in body
        assert "of-theirs" not in body
        assert ("validity" in body) is (user == developer)


@pytest.mark.parametrize("end", ["removed", "over", "revoked", "grant ends sooner", "brief", "paused"])
def test_what_is_over_or_told_otherwise_is_not_announced(
    program: Program, developer: User, group_admin: User, travel: Travel, end: str
) -> None:
    webhook = listening(program.grant, 30 if end == "brief" else 31)
    match end:
        case "removed":
            management.delete(webhook=webhook, by=developer)
        case "over":
            Webhook.objects.update(inactive_because="reach", inactive_at=clock.now())
        case "revoked":
            grants.revoke(grant=program.grant, by=group_admin)
        case "grant ends sooner":
            grants.move(grant=program.grant, ends_at=clock.now() + 31 * DAY, by=group_admin)
        case "paused":
            management.pause(webhook=webhook, by=developer)
    travel(days=3)
    remind()
    expected = [30] if end == "paused" else []
    assert told(developer, "webhook") == told(group_admin, "webhook") == expected


def test_what_was_told_of_costs_no_more(
    program: Program, travel: Travel, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for days in (31, 32, 33):
        listening(program.grant, days)
    travel(days=4)
    assert reminders.remind() == 2
    with django_assert_num_queries(4):
        assert reminders.remind() == 0
