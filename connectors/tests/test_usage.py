"""What is counted of a program's calls, when its credentials were used last, and what is read of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.test import Client

from accounts.models import User
from connectors.models import ConnectorSecret, ConnectorUsage, Grant, RefreshToken, UsageDay, UsageHour
from connectors.permissions import Permission
from connectors.queries import usage as usage_queries
from connectors.queries.usage import EndpointCalls, EndpointLost
from connectors.services import grants, usage
from connectors.tests import factories
from connectors.tests.factories import Program, exchange
from kaizala_console.lib import clock, ids

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("travel"), pytest.mark.postgresql]

# No hour ends between calls that are counted in one.
Travel = Callable[..., dt.datetime]
ADDRESS = "203.0.113.9"


def exchange_over_http(program: Program, **headers: str) -> Any:
    return Client().get("/v1/accessToken", headers=program.headers(**headers), REMOTE_ADDR=ADDRESS)


def call(token: str, path: str = "/v1/users/me") -> int:
    return Client().get(path, headers={"accessToken": token}, REMOTE_ADDR=ADDRESS).status_code


def counted(program: Program) -> dict[str, tuple[int, int, int, int]]:
    """(calls, refused, throttled, failed) of each operation."""
    usage.flush()
    rows = UsageHour.objects.filter(grant=program.grant)
    return {row.operation: (row.calls, row.refused, row.throttled, row.failed) for row in rows}


def test_exchanges_and_calls_are_counted_by_grant_operation_and_hour(program: Program) -> None:
    token = exchange_over_http(program).json()["accessToken"]
    for _ in range(3):
        call(token, "/V1/Users/Me/")
    assert counted(program) == {"GET v1/accessToken": (1, 0, 0, 0), "GET v1/users/me": (3, 3, 0, 0)}


def test_a_call_without_the_permission_is_counted_as_refused_with_its_scope(program: Program) -> None:
    token = exchange(program).access_token
    assert call(token) == 403
    assert call(token, "/v1/groups") == 200
    usage.flush()
    rows = {row.operation: row for row in UsageHour.objects.all()}
    assert (rows["GET v1/users/me"].scope, rows["GET v1/users/me"].refused) == ("profile.read", 1)
    assert (rows["GET v1/groups"].scope, rows["GET v1/groups"].refused) == ("groupinfo.read", 0)


def test_a_refused_exchange_is_counted_when_the_token_was_this_programs(program: Program, group_admin: User) -> None:
    grants.revoke(grant=program.grant, by=group_admin)
    assert exchange_over_http(program).status_code == 401
    assert counted(program) == {"GET v1/accessToken": (1, 1, 0, 0)}


def test_strangers_are_not_counted(program: Program) -> None:
    assert exchange_over_http(program, applicationSecret="ABCDEFGHIJ").status_code == 401
    assert call("kzat_nobody") == 401
    assert usage.flush() == 0


def test_later_counts_add_to_the_row_of_their_hour(program: Program, travel: Travel) -> None:
    travel()
    exchange(program)
    usage.flush()
    exchange(program)
    exchange(program)
    usage.flush()
    travel(hours=1)
    exchange(program)
    usage.flush()
    assert sorted(UsageHour.objects.values_list("calls", flat=True)) == [1, 3]
    hours = UsageHour.objects.order_by("hour").values_list("hour", flat=True)
    assert [hour.minute for hour in hours] == [0, 0]
    assert hours[1] - hours[0] == dt.timedelta(hours=1)


def test_the_last_use_of_a_credential_says_when_and_from_where(program: Program, travel: Travel) -> None:
    travel(hours=3)
    exchange_over_http(program)
    at = travel(minutes=5)
    exchange_over_http(program)
    usage.flush()
    for row in (ConnectorSecret.objects.get(), RefreshToken.objects.get()):
        assert (row.last_used_at, row.last_used_from) == (at, ADDRESS)


def test_a_call_is_a_use_of_the_refresh_token_that_it_stands_on(program: Program, travel: Travel) -> None:
    token = exchange(program).access_token
    at = travel(hours=2)
    call(token)
    usage.flush()
    assert RefreshToken.objects.get().last_used_at == at


def test_a_write_that_comes_late_does_not_turn_the_last_use_back(program: Program) -> None:
    token = RefreshToken.objects.get()
    later = clock.now() + dt.timedelta(minutes=1)
    RefreshToken.objects.update(last_used_at=later)
    usage.note_token_used(token.pk, at=clock.now())
    usage.flush()
    assert RefreshToken.objects.get().last_used_at == later


def test_a_wrong_secret_is_no_use_of_the_right_one(program: Program) -> None:
    wrong = program.secret[:-6] + ("AAAAAA" if program.secret[-6:] != "AAAAAA" else "BBBBBB")
    exchange_over_http(program, applicationSecret=wrong)
    usage.flush()
    assert ConnectorSecret.objects.get().last_used_at is None


def test_many_counts_are_written_in_few_statements(program: Program, django_assert_max_num_queries: Any) -> None:
    for n in range(40):
        usage.count(program.grant.pk, f"GET v1/thing{n}", status=200, at=clock.now())
    # The transaction, the grants that exist, all hours, all days, both of their connectors, its end.
    with django_assert_max_num_queries(7):
        usage.flush()
    assert UsageHour.objects.count() == 40


def test_what_belongs_to_no_grant_is_dropped_and_the_rest_is_written(program: Program) -> None:
    usage.count(ids.new_id(), "GET v1/groups", status=200, at=clock.now())
    usage.count(program.grant.pk, "GET v1/groups", status=429, at=clock.now())
    usage.count(program.grant.pk, "GET v1/groups", status=500, at=clock.now())
    assert counted(program) == {"GET v1/groups": (2, 0, 1, 1)}


def test_counts_are_forgotten_after_their_days(program: Program, travel: Travel) -> None:
    exchange(program)
    usage.flush()
    travel(days=101)
    exchange(program)
    usage.flush()
    assert usage.sweep() == 4  # an hour and a day, of the grant and of its connector
    assert [table.objects.count() for table in (UsageHour, UsageDay, ConnectorUsage)] == [1, 1, 2]
    assert usage.sweep() == 0


def test_outcomes_cannot_outnumber_calls(program: Program) -> None:
    with pytest.raises(IntegrityError, match="usage_outcomes_are_calls"), transaction.atomic():
        UsageHour.objects.create(grant=program.grant, hour=clock.now(), operation="GET v1/x", calls=1, refused=2)


def days_of(program: Program) -> dict[str, tuple[int, int]]:
    """(calls, throttled) of each day."""
    return {str(row.day): (row.calls, row.throttled) for row in UsageDay.objects.filter(grant=program.grant)}


def test_hours_are_added_up_to_days_as_they_are_written(program: Program) -> None:
    at = dt.datetime(2026, 11, 23, 22, 30, tzinfo=dt.UTC)
    for hours, status in ((0, 200), (1, 429), (1, 200), (2, 200)):
        usage.count(program.grant.pk, "GET v1/groups", status=status, at=at + dt.timedelta(hours=hours))
    usage.flush()
    usage.count(program.grant.pk, "GET v1/groups", status=429, at=at)
    usage.flush()
    assert days_of(program) == {"2026-11-23": (4, 2), "2026-11-24": (1, 0)}


def test_days_from_before_days_were_counted_are_summed_up_once(program: Program) -> None:
    at = dt.datetime(2026, 11, 20, 22, tzinfo=dt.UTC)
    for hours in range(3):
        usage.count(program.grant.pk, "GET v1/groups", status=429, at=at + dt.timedelta(hours=hours))
    usage.flush()
    UsageDay.objects.all().delete()
    assert usage.roll_up() == 2
    assert days_of(program) == {"2026-11-20": (2, 2), "2026-11-21": (1, 1)}
    assert usage.roll_up() == 0
    usage.count(program.grant.pk, "GET v1/groups", status=200, at=at)
    usage.flush()
    assert days_of(program)["2026-11-20"] == (3, 2)


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_processes_that_write_at_once_lose_no_count(program: Program, together: Callable[..., list[Any]]) -> None:
    """Each thread is a process with a buffer of its own; all touch the same rows, noted in different orders."""
    now = clock.now().replace(minute=0, second=0, microsecond=0)
    operations = [f"GET v1/thing{n}" for n in range(20)]
    token = RefreshToken.objects.get()

    def write() -> None:
        facts: dict[Any, Any] = {
            usage.Hour(program.grant.pk, now, operation, ""): usage.Counted() for operation in reversed(operations)
        }
        facts[usage.Used(RefreshToken, token.pk)] = usage.Seen(clock.now(), ADDRESS)
        for _ in range(10):
            usage._write(facts)

    assert together(4, write) == [None] * 4
    for table in (UsageHour, UsageDay, ConnectorUsage):
        assert set(table.objects.values_list("calls", flat=True)) == {40}


MEMBERS = "GET v1/groups/<group_id>/members"
SPELLED = "GET /v1/groups/{groupId}/members"


def used(program: Program, operation: str, *, calls: int, ago: dt.timedelta, scope: str = "", **outcome: int) -> None:
    factories.make_use(program.grant, operation, at=clock.now() - ago, calls=calls, scope=scope, **outcome)


HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


def test_calls_are_summed_over_a_day_and_a_week_and_the_busiest_endpoint_comes_first(
    program: Program, developer: User, group_admin: User
) -> None:
    used(program, "GET v1/accessToken", calls=2, ago=HOUR)
    used(program, MEMBERS, calls=5, ago=HOUR)
    used(program, MEMBERS, calls=7, ago=3 * DAY)
    used(program, MEMBERS, calls=100, ago=8 * DAY)
    used(factories.make_program(factories.make_connector(developer), group_admin), MEMBERS, calls=50, ago=HOUR)
    assert usage_queries.count_by_endpoint(Grant.objects.filter(connector=program.connector)) == [
        EndpointCalls(SPELLED, 5, 12),
        EndpointCalls("GET /v1/accessToken", 2, 2),
    ]


def test_without_a_permission_the_calls_that_were_answered_would_have_failed(program: Program) -> None:
    used(program, MEMBERS, calls=10, refused=2, failed=1, ago=20 * DAY, scope="groupmember.read")
    used(program, MEMBERS, calls=4, refused=4, ago=2 * DAY, scope="groupmember.read")
    used(program, MEMBERS, calls=50, ago=31 * DAY, scope="groupmember.read")
    used(program, "GET v1/groups", calls=9, ago=HOUR, scope="groupinfo.read")
    lost = usage_queries.count_lost_by_endpoint(program.connector, [Permission.GROUP_MEMBER_LIST, Permission.MEDIA])
    assert lost == [EndpointLost(SPELLED, Permission.GROUP_MEMBER_LIST, 0, 0, 7)]
    assert usage_queries.count_lost_by_endpoint(program.connector, []) == []


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


def test_calls_of_ended_grants_stop_no_more(
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
