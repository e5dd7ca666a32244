"""Before a webhook's time is over people hear of it 90, 30, 14, 7, 3 and 1 days ahead: once each, never in a flood."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import Notice, User
from accounts.services import notifications
from connectors.models import Connector, Grant, Webhook
from connectors.services import grants, reminders
from connectors.tasks import remind_of_webhooks
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.webhook_cast import make_webhook
from connectors.webhooks import management
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db
Travel = Callable[..., dt.datetime]
DAY = dt.timedelta(days=1)


def told(user: User) -> list[int]:
    found = Notice.objects.filter(user=user, template="connectors/webhook_ends").order_by("created_at", "id")
    return [notice.context["days"] for notice in found]


def listening(grant: Grant, days: float, **fields: Any) -> Webhook:
    address = f"https://{fields.pop('host', 'hooks.example.com')}/in?key=of-theirs"
    return make_webhook(grant, address, uuid4(), expires_at=clock.now() + days * DAY, **fields)


def run_daily(travel: Travel, days: int) -> None:
    for _ in range(days):
        travel(days=1)
        remind_of_webhooks()


def test_developer_and_group_admin_hear_of_it_six_times(
    program: Program, developer: User, group_admin: User, travel: Travel
) -> None:
    listening(program.grant, 100)
    run_daily(travel, 101)
    assert told(developer) == told(group_admin) == [90, 30, 14, 7, 3, 1]


def test_after_a_month_off_they_hear_of_the_nearest_day_only(program: Program, developer: User, travel: Travel) -> None:
    listening(program.grant, 100)
    travel(days=65)
    remind_of_webhooks()
    travel(days=30)
    remind_of_webhooks()
    remind_of_webhooks()
    assert told(developer) == [90, 7]


def test_many_of_one_day_are_one_mail_that_names_no_secret(
    program: Program, developer: User, group_admin: User, travel: Travel
) -> None:
    for number in range(23):
        listening(program.grant, 31, host=f"hook{number:02}.example.com")
    travel(days=2)
    remind_of_webhooks()
    assert Notice.objects.filter(template="connectors/webhook_ends").count() == 2
    for user in (developer, group_admin):
        subject, body = notifications.render(Notice.objects.get(user=user, template="connectors/webhook_ends"))
        assert subject == "Shift Planner: webhooks end within 30 days"
        assert body.count(".example.com, for “Night shift”") == 20
        assert "and 3 more" in body
        assert "of-theirs" not in body
        assert ("validity" in body) is (user == developer)


def test_one_of_them_is_named_with_its_id(program: Program, developer: User, travel: Travel) -> None:
    webhook = listening(program.grant, 31)
    travel(days=2)
    remind_of_webhooks()
    subject, body = notifications.render(Notice.objects.get(user=developer, template="connectors/webhook_ends"))
    assert subject == "Shift Planner: a webhook ends within 30 days"
    assert str(webhook.pk) in body
    assert f"/console/connectors/{program.connector.pk}/webhooks/" in body


def test_a_later_validity_is_told_of_anew_in_its_time(program: Program, developer: User, travel: Travel) -> None:
    webhook = listening(program.grant, 8)
    run_daily(travel, 2)
    assert told(developer) == [7]
    Webhook.objects.filter(pk=webhook.pk).update(expires_at=clock.now() + 20 * DAY)
    run_daily(travel, 20)
    assert told(developer) == [7, 14, 7, 3, 1]


@pytest.mark.parametrize("end", ["removed", "over", "revoked", "grant ends sooner", "brief"])
def test_what_is_over_or_told_otherwise_is_not_announced(
    program: Program, developer: User, group_admin: User, travel: Travel, end: str
) -> None:
    webhook = listening(program.grant, 2 if end == "brief" else 31)
    if end == "removed":
        management.delete(webhook=webhook, by=developer)
    elif end == "over":
        Webhook.objects.update(inactive_because="reach", inactive_at=clock.now())
    elif end == "revoked":
        grants.revoke(grant=program.grant, by=group_admin)
    elif end == "grant ends sooner":
        grants.move(grant=program.grant, ends_at=clock.now() + 31 * DAY, by=group_admin)
    elif end == "brief":
        remind_of_webhooks()
        assert told(developer) == [], "made for two days: said when it was made"
        return
    travel(days=3)
    remind_of_webhooks()
    assert told(developer) == told(group_admin) == []


def test_one_that_is_paused_is_announced(program: Program, developer: User, travel: Travel) -> None:
    management.pause(webhook=listening(program.grant, 31), by=developer)
    travel(days=2)
    remind_of_webhooks()
    assert told(developer) == [30]


def test_each_connector_has_a_mail_of_its_own(
    program: Program, developer: User, group_admin: User, travel: Travel
) -> None:
    other = factories.let_in(factories.make_connector(developer, "Canteen"), group_admin).grant
    listening(program.grant, 31)
    listening(other, 31)
    travel(days=2)
    remind_of_webhooks()
    assert told(developer) == [30, 30]
    assert told(group_admin) == [30, 30]


def test_what_was_told_costs_two_queries(
    program: Program, connector: Connector, travel: Travel, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for days in (31, 32, 33):
        listening(program.grant, days)
    travel(days=4)
    assert reminders.remind_of_webhooks() == 6
    with django_assert_num_queries(2):
        assert reminders.remind_of_webhooks() == 0
