"""Usage beside the period before, and in the days and hours of the reader's zone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client, RequestFactory

from accounts.models import Organisation, User
from accounts.views.time_zones import COOKIE, get_time_zone
from connectors.models import Connector
from connectors.queries import usage as usage_queries
from connectors.queries.usage import Period, UsageBefore, UsageScope, UsageSums
from connectors.services import usage
from connectors.tests.factories import Program
from connectors.tests.html_forms import text_of
from connectors.tests.test_usage_pages import MEMBERS, OVERALL, lines_of, of
from connectors.views import usage as views_usage
from kaizala_console.lib import clock

Browser = Callable[..., Client]
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
KOLKATA, BERLIN = ZoneInfo("Asia/Kolkata"), ZoneInfo("Europe/Berlin")


@pytest.fixture
def old(program: Program) -> Connector:
    """A connector that is there for years."""
    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    Connector.objects.filter(pk=program.connector.pk).update(created_at=long_ago)
    Organisation.objects.filter(pk=program.connector.organisation_id).update(created_at=long_ago)
    program.connector.refresh_from_db()
    return program.connector


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def called(program: Program, moment: str, times: int = 1) -> None:
    for _number in range(times):
        usage.count(program.grant.pk, MEMBERS, status=200, at=at(moment))
    usage.flush()


def days_of(connector: Connector, zone: dt.tzinfo, period: Period = Period.WEEK) -> dict[str, int]:
    rows = UsageScope(connector, period, zone).over_time()
    return {f"{day:%m-%d}": sums.calls for day, sums in rows if sums.calls}


# The period before ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("zone", [dt.UTC, KOLKATA])
def test_it_is_compared_as_far_as_this_period_has_come(
    old: Connector, program: Program, zone: dt.tzinfo, time_machine: Any
) -> None:
    time_machine.move_to(at("2026-03-20T12:10:00Z"), tick=False)
    for moment in ("2026-03-20T12:00:00Z", "2026-03-19T03:00:00Z"):
        called(program, moment)
    called(program, "2026-03-13T12:00:00Z", 2)  # a week ago, in this hour
    called(program, "2026-03-13T13:00:00Z", 4)  # a week ago, but later than now: in neither
    called(program, "2026-03-07T02:00:00Z", 8)
    called(program, "2026-03-06T12:00:00Z", 16)  # before both
    scope = UsageScope(old, Period.WEEK, zone)
    assert usage_queries.sum_usage(sums for _at, sums in scope.over_time()).calls == 2
    assert scope.before() == UsageBefore(UsageSums(10))


@pytest.mark.django_db
def test_48_hours_are_compared_with_the_48_before(old: Connector, program: Program, time_machine: Any) -> None:
    time_machine.move_to(at("2026-03-20T12:10:00Z"), tick=False)
    called(program, "2026-03-18T13:00:00Z")
    called(program, "2026-03-18T12:00:00Z", 2)
    called(program, "2026-03-16T13:00:00Z", 4)
    called(program, "2026-03-16T12:00:00Z", 8)
    assert UsageScope(old, Period.HOURS).before() == UsageBefore(UsageSums(6))
    assert UsageScope(old.organisation, Period.HOURS).before() == UsageBefore(UsageSums(6))


@pytest.mark.django_db
def test_what_is_not_kept_or_was_not_there_is_not_compared(old: Connector, program: Program, settings: Any) -> None:
    settings.USAGE_DAYS = 100
    assert UsageScope(old, Period.QUARTER).before() == UsageBefore(is_kept=False)
    settings.USAGE_DAYS = 181
    assert UsageScope(old, Period.QUARTER).before() == UsageBefore()
    old.created_at = clock.now() - DAY
    assert UsageScope(old, Period.MONTH).before() == UsageBefore(is_new=True)


@pytest.mark.once
@pytest.mark.parametrize(
    ("calls", "before", "says"),
    [
        (1204, UsageBefore(UsageSums(1075)), "1,204 calls, 12 % more than the previous 7 days (1,075)."),
        (1, UsageBefore(UsageSums(4)), "1 call, 75 % fewer than the previous 7 days (4)."),
        (1000, UsageBefore(UsageSums(999)), "1,000 calls, about the same as in the previous 7 days (999)."),
        (50, UsageBefore(UsageSums(4)), "50 calls, 12 times the previous 7 days (4)."),
        (3, UsageBefore(), "3 calls, none in the previous 7 days."),
        (0, UsageBefore(UsageSums(9)), "0 calls, 9 in the previous 7 days."),
        (7, UsageBefore(is_kept=False), "7 calls. Data for the previous 7 days is no longer stored."),
        (
            7,
            UsageBefore(is_new=True),
            "7 calls. No data for the previous 7 days.",
        ),
    ],
)
def test_the_comparison_is_said_in_words(calls: int, before: UsageBefore, says: str) -> None:
    assert views_usage.compared(UsageSums(calls), before, "7 days").replace("\xa0", " ") == says


# The reader's zone ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_days_begin_at_the_readers_midnight(old: Connector, program: Program, time_machine: Any) -> None:
    time_machine.move_to(at("2026-03-20T12:10:00Z"), tick=False)
    called(program, "2026-03-18T17:00:00Z", 1)  # 22:30 in India
    called(program, "2026-03-18T18:00:00Z", 2)  # 23:30 to 00:30: in the day in which it begins
    called(program, "2026-03-18T19:00:00Z", 4)  # 00:30 of the next day
    called(program, "2026-03-18T23:00:00Z", 8)  # midnight in Berlin
    assert days_of(old, dt.UTC) == {"03-18": 15}
    assert days_of(old, KOLKATA) == {"03-18": 3, "03-19": 12}
    assert days_of(old, BERLIN) == {"03-18": 7, "03-19": 8}
    assert UsageScope(old, Period.WEEK, KOLKATA).by_endpoint()[0].sums.calls == 15, "the tables have the same hours"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("now", "day", "hours"), [("2026-03-31T12:00:00Z", "03-29", 23), ("2026-10-27T12:00:00Z", "10-25", 25)]
)
def test_a_day_of_23_or_25_hours_is_one_day(
    old: Connector, program: Program, now: str, day: str, hours: int, time_machine: Any
) -> None:
    time_machine.move_to(at(now), tick=False)
    hour = at(now).replace(day=int(day[-2:])) - 24 * HOUR
    while hour <= at(now).replace(day=int(day[-2:])) + 24 * HOUR:
        usage.count(program.grant.pk, MEMBERS, status=200, at=hour)
        hour += HOUR
    usage.flush()
    assert days_of(old, BERLIN)[day] == hours
    assert len(UsageScope(old, Period.WEEK, BERLIN).over_time()) == 7


@pytest.mark.django_db
def test_the_page_says_in_which_zone_its_days_and_hours_are(
    old: Connector, program: Program, developer: User, organisation_admin: User, browser_of: Browser, time_machine: Any
) -> None:
    time_machine.move_to(at("2026-03-20T12:10:00Z"), tick=False)
    called(program, "2026-03-20T10:00:00Z", 60)
    called(program, "2026-03-18T19:00:00Z")
    browser = browser_of(developer)
    shown = text_of(browser.get(of(old), {"period": "7d"}))
    assert "When (UTC)" in shown
    assert "Hours and days are in UTC. May lag" in shown
    browser.cookies[COOKIE] = "Asia%2FCalcutta"  # as Chromium calls it
    shown = text_of(browser.get(of(old), {"period": "7d"}))
    assert "When (India Time)" in shown
    assert "Hours and days are in India Time." in shown
    assert "Thu 19 Mar 2026 1" in shown
    assert "May lag by seconds. Days are split at full UTC hours." in shown
    hours = text_of(browser.get(of(old), {"period": "48h"}))
    assert "20 Mar, 15:30 60" in hours
    assert "Busiest hour: 60 calls, about 1 a minute." in hours
    assert [row[0] for row in lines_of(browser.get(of(old, "export/"), {"period": "7d"}))[1:]] == [
        "2026-03-18",
        "2026-03-20",
    ], "the file is in UTC"
    boss = browser_of(organisation_admin)
    boss.cookies[COOKIE] = "Asia%2FKolkata"
    assert "When (UTC)" in text_of(boss.get(OVERALL, {"period": "7d"})), "days of an organisation are summed up"
    assert "When (India Time)" in text_of(boss.get(OVERALL, {"period": "48h"}))


@pytest.mark.once
@pytest.mark.parametrize(
    ("cookie", "zone"),
    [
        ("Europe%2FBerlin", BERLIN),
        ("Europe/Berlin", BERLIN),
        ("UTC", dt.UTC),
        ("", dt.UTC),
        ("Mars/Olympus", dt.UTC),
        ("../../etc/passwd", dt.UTC),
        ("x" * 5000, dt.UTC),
        ("%00", dt.UTC),
    ],
)
def test_a_zone_that_is_none_is_the_consoles_own(cookie: str, zone: dt.tzinfo) -> None:
    request = RequestFactory().get("/")
    request.COOKIES[COOKIE] = cookie
    assert get_time_zone(request) == zone
