"""What will stop, by endpoint; and which calls a smaller set of permissions would have refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Sum
from django.test import Client

from accounts.models import User
from connectors.models import Connector, ConnectorSecret, ConnectorUsage, Grant, UsageDay, UsageHour
from connectors.permissions import Permission
from connectors.queries import usage as usage_queries
from connectors.queries.usage import EndpointCalls, EndpointLost
from connectors.services import grants, usage
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.html_forms import text_of
from kaizala_console.lib import clock

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
Browser = Callable[..., Client]
MEMBERS = "GET v1/groups/<group_id>/members"
SPELLED = "GET /v1/groups/{groupId}/members"


def used(program: Program, operation: str, *, calls: int, ago: dt.timedelta, scope: str = "", **outcome: int) -> None:
    factories.make_use(program.grant, operation, at=clock.now() - ago, calls=calls, scope=scope, **outcome)


HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


def test_calls_are_summed_over_a_day_and_a_week_and_the_busiest_endpoint_comes_first(program: Program) -> None:
    used(program, "GET v1/accessToken", calls=2, ago=HOUR)
    used(program, MEMBERS, calls=5, ago=HOUR)
    used(program, MEMBERS, calls=7, ago=3 * DAY)
    used(program, MEMBERS, calls=100, ago=8 * DAY)
    assert usage_queries.count_by_endpoint(Grant.objects.all()) == [
        EndpointCalls(SPELLED, 5, 12),
        EndpointCalls("GET /v1/accessToken", 2, 2),
    ]


def test_only_the_grants_that_are_asked_about_count(program: Program, developer: User, group_admin: User) -> None:
    other = factories.make_program(factories.make_connector(developer), group_admin)
    used(other, MEMBERS, calls=5, ago=HOUR)
    assert usage_queries.count_by_endpoint(Grant.objects.filter(connector=program.connector)) == []


def test_without_a_permission_the_calls_that_were_answered_would_have_failed(program: Program) -> None:
    used(program, MEMBERS, calls=10, refused=2, failed=1, ago=20 * DAY, scope="groupmember.read")
    used(program, MEMBERS, calls=4, refused=4, ago=2 * DAY, scope="groupmember.read")
    used(program, MEMBERS, calls=50, ago=31 * DAY, scope="groupmember.read")
    used(program, "GET v1/groups", calls=9, ago=HOUR, scope="groupinfo.read")
    lost = usage_queries.count_lost_by_endpoint(program.connector, [Permission.GROUP_MEMBER_LIST, Permission.MEDIA])
    assert lost == [EndpointLost(SPELLED, Permission.GROUP_MEMBER_LIST, 0, 0, 7)]
    assert usage_queries.count_lost_by_endpoint(program.connector, []) == []


def test_what_was_really_called_is_what_the_preview_counts(program: Program, developer: User) -> None:
    headers = program.headers()
    token = Client().get("/v1/accessToken", headers=headers).json()["accessToken"]
    for _ in range(3):
        assert Client().get("/v1/groups", headers={"accessToken": token}).status_code == 200
    usage.flush()
    lost = usage_queries.count_lost_by_endpoint(program.connector, [Permission.GROUP_INFORMATION])
    assert [(row.endpoint, row.calls) for row in lost] == [("GET /v1/groups", 3)]


# Pages ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def busy(program: Program) -> Program:
    used(program, MEMBERS, calls=5, ago=HOUR, scope="groupmember.read")
    used(program, MEMBERS, calls=7, ago=3 * DAY, scope="groupmember.read")
    return program


@pytest.mark.parametrize("verb", ["suspend", "delete"])
def test_before_a_connector_stops_its_calls_are_told_by_endpoint(
    busy: Program, developer: User, browser_of: Browser, verb: str
) -> None:
    text = text_of(browser_of(developer).get(f"/console/connectors/{busy.connector.pk}/state/{verb}/"))
    assert "calls in the last 24 hours 5 calls in the last 7 days 12" in text
    assert f"{SPELLED} 5 12" in text


def test_before_the_last_secret_is_revoked_all_that_stops_is_told(
    busy: Program, developer: User, browser_of: Browser
) -> None:
    client = browser_of(developer)
    url = f"/console/connectors/{busy.connector.pk}/credentials/{ConnectorSecret.objects.get().pk}/revoke/"
    assert f"{SPELLED} 5 12" in text_of(client.get(url))
    factories.make_secret(busy.connector, 2)
    text = text_of(client.get(url))
    assert SPELLED not in text
    assert "What will stop" not in text


def test_before_permissions_shrink_the_calls_that_would_fail_are_told(
    busy: Program, developer: User, browser_of: Browser
) -> None:
    url = f"/console/connectors/{busy.connector.pk}/permissions/"
    page = browser_of(developer).post(url, {"permissions": ["groupinfo", "textmessage"], "reason": ""})
    assert "calls of the last 30 days that would have failed 12" in text_of(page)
    assert f"{SPELLED} 5 12 12" in text_of(page)


def test_more_use_costs_no_more_queries(
    busy: Program, connector: Connector, developer: User, browser_of: Browser, django_assert_max_num_queries: Any
) -> None:
    client = browser_of(developer)

    def cost() -> int:
        with django_assert_max_num_queries(40) as seen:
            client.get(f"/console/connectors/{connector.pk}/state/suspend/")
        return len(seen.captured_queries)

    few = cost()
    for n in range(30):
        used(busy, f"GET v1/thing{n}", calls=1, ago=HOUR)
    assert cost() == few
    assert "And 11 more endpoints." in text_of(client.get(f"/console/connectors/{connector.pk}/state/suspend/"))


# What is kept of a whole connector ------------------------------------------------------------------------------------


def test_the_sums_of_a_connector_are_those_of_its_grants(program: Program, developer: User, group_admin: User) -> None:
    second = factories.let_in(program.connector, group_admin).grant
    other = factories.let_in(factories.make_connector(developer), group_admin).grant
    now = clock.now()
    for grant, ago, outcome in (
        (program.grant, HOUR, {}),
        (second, HOUR, {"refused": 1}),
        (second, 2 * DAY, {"throttled": 2}),
        (other, HOUR, {"failed": 1}),
        (program.grant, HOUR, {"failed": 2}),
    ):
        factories.make_use(grant, MEMBERS, at=now - ago, calls=5, scope="groupmember.read", **outcome)
    hours, days = (ConnectorUsage.objects.filter(bucket=bucket) for bucket in ConnectorUsage.Bucket)
    assert summed(hours, "connector", "at") == summed(UsageHour.objects.all(), "grant__connector", "hour") != []
    each_day = summed(UsageDay.objects.all(), "grant__connector", "day")
    assert [(row[0], row[1].date(), *row[2:]) for row in summed(days, "connector", "at")] == each_day != []
    assert set(hours.values_list("scope", flat=True)) == {"groupmember.read"}


def summed(rows: Any, whose: str, when: str) -> list[tuple[Any, ...]]:
    sums = [Sum(name) for name in ("calls", "refused", "throttled", "failed")]
    return sorted(rows.order_by().values_list(whose, when, "operation").annotate(*sums), key=str)


def test_of_a_connector_what_ended_grants_called_stops_no_more(
    program: Program, group_admin: User, django_assert_num_queries: Any
) -> None:
    ended = factories.let_in(program.connector, group_admin).grant
    used(program, MEMBERS, calls=5, ago=HOUR)
    for operation in (MEMBERS, "GET v1/groups"):
        factories.make_use(ended, operation, at=clock.now() - HOUR, calls=3)
    with django_assert_num_queries(2):
        assert usage_queries.count_by_endpoint(program.connector) == [
            EndpointCalls(SPELLED, 8, 8),
            EndpointCalls("GET /v1/groups", 3, 3),
        ]
    grants.revoke(grant=ended, by=group_admin)
    assert usage_queries.count_by_endpoint(program.connector) == [EndpointCalls(SPELLED, 5, 5)]
    assert usage_queries.count_by_endpoint(Grant.objects.present()) == [EndpointCalls(SPELLED, 5, 5)]
