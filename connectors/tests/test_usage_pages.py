"""How much a connector is used: its owners' tab, the organisation's page, the file, and the reader's zone."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client, RequestFactory

from accounts.models import Organisation, User
from accounts.views.time_zones import COOKIE, get_time_zone
from connectors.models import Connector, ConnectorSecret, RefreshToken
from connectors.queries import usage as usage_queries
from connectors.queries.usage import Period, UsageBefore, UsageRow, UsageScope, UsageSums
from connectors.services import usage
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.html_forms import Page, count_queries, text_of
from connectors.views import usage as views_usage
from kaizala_console.lib import clock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("travel")]
Travel = Callable[..., dt.datetime]

# No hour ends between the calls and the look at the hours.
Browser = Callable[..., Client]
MEMBERS, SPELLED = "GET v1/groups/<group_id>/members", "GET /v1/groups/{groupId}/members"
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
OVERALL = "/console/organisation/usage/"


def called(program: Program, operation: str = MEMBERS, *, times: int = 1, status: int = 200, ago: Any = HOUR) -> None:
    for _ in range(times):
        usage.count(program.grant.pk, operation, status=status, at=clock.now() - ago)
    usage.flush()


def of(connector: Connector, rest: str = "") -> str:
    return f"/console/connectors/{connector.pk}/usage/{rest}"


def lines_of(answer: Page) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


# Sums -----------------------------------------------------------------------------------------------------------------


def test_every_day_and_hour_has_its_sums_also_those_without_calls(program: Program) -> None:
    called(program, times=3, ago=dt.timedelta())
    called(program, status=429, ago=2 * DAY)
    called(program, status=500, ago=29 * DAY)
    called(program, status=404, ago=89 * DAY)
    called(program, ago=91 * DAY)
    month, quarter, hours = (
        UsageScope(program.connector, period).over_time() for period in (Period.MONTH, Period.QUARTER, Period.HOURS)
    )
    assert [len(rows) for rows in (month, quarter, hours)] == [30, 90, 48]
    assert month[-1][1] == UsageSums(3)
    assert month[-3][1] == UsageSums(1, throttled=1)
    assert month[0][1] == UsageSums(1, failed=1)
    assert quarter[0][1] == UsageSums(1, refused=1)
    assert hours[-1][1] == UsageSums(3)
    assert usage_queries.sum_usage(sums for _at, sums in quarter) == UsageSums(6, 1, 1, 1)


@pytest.mark.parametrize("period", list(Period))
def test_the_busiest_come_first_each_way(program: Program, developer: User, group_admin: User, period: Period) -> None:
    other = factories.make_program(program.connector, group_admin, target_name="Day shift")
    called(program, "GET v1/groups", times=2)
    called(other, MEMBERS, times=3, status=403)
    scope = UsageScope(program.connector, period)
    assert scope.by_endpoint() == [UsageRow(SPELLED, UsageSums(3, refused=3)), UsageRow("GET /v1/groups", UsageSums(2))]
    assert [(row.name, row.sums.calls) for row in scope.by_grant()] == [("Day shift", 3), ("Night shift", 2)]
    over_all = UsageScope(developer.organisation, period).by_connector()
    assert over_all == [UsageRow(program.connector.name, UsageSums(5, refused=3), program.connector.pk)]


@pytest.mark.parametrize("period", [Period.MONTH, Period.HOURS])
def test_of_many_the_busiest_are_read_and_the_others_counted(
    period: Period, program: Program, group_admin: User, django_assert_num_queries: Any
) -> None:
    for number in range(1, 24):
        grant = factories.let_in(program.connector, group_admin, target_name=f"Shift {number}").grant
        factories.make_use(grant, MEMBERS, at=clock.now(), calls=number)
    with django_assert_num_queries(2):
        busiest = UsageScope(program.connector, period).by_grant()
    assert [row.name for row in busiest] == [f"Shift {number}" for number in range(23, 3, -1)]
    assert views_usage.table(busiest)["more"] == 3


def test_the_connectors_over_a_limit_are_named_apart(program: Program, developer: User, group_admin: User) -> None:
    other = factories.let_in(factories.make_connector(developer, "Watch"), group_admin).grant
    factories.make_use(program.grant, MEMBERS, at=clock.now(), calls=9)
    factories.make_use(other, MEMBERS, at=clock.now(), calls=3, throttled=2)
    scope = UsageScope(developer.organisation, Period.MONTH)
    assert scope.by_connector(over_limit=True) == [UsageRow("Watch", UsageSums(3, throttled=2), other.connector_id)]
    assert [row.name for row in scope.by_connector()] == [program.connector.name, "Watch"]


def test_what_others_call_is_not_counted(program: Program, developer: User, group_admin: User, outsider: User) -> None:
    called(factories.make_program(factories.make_connector(developer), group_admin), times=7)
    assert UsageScope(program.connector, Period.MONTH).by_endpoint() == []
    assert UsageScope(outsider.organisation, Period.MONTH).by_connector() == []


def test_what_ends_within_a_month_is_named(program: Program) -> None:
    assert usage_queries.list_ending_credentials(program.connector) == []
    token, secret = clock.now() + 5 * DAY, clock.now() + 9 * DAY
    RefreshToken.objects.update(expires_at=token, issued_at=clock.now() - DAY)
    ConnectorSecret.objects.update(expires_at=secret)
    ends = usage_queries.list_ending_credentials(program.connector)
    assert [(row.target, row.ends_at) for row in ends] == [(program.grant.target_name, token), ("", secret)]


# Pages ----------------------------------------------------------------------------------------------------------------


def test_owners_see_the_chart_its_numbers_and_what_ends(program: Program, owner: Client, settings: Any) -> None:
    settings.THROTTLE_CONNECTOR_PER_MINUTE, settings.THROTTLE_TENANT_PER_MINUTE = 100, 0
    called(program, times=3, ago=dt.timedelta())
    called(program, "GET v1/groups", times=2, status=429, ago=3 * DAY)
    RefreshToken.objects.update(expires_at=clock.now() + 5 * DAY, issued_at=clock.now() - DAY)
    page = owner.get(of(program.connector), {"period": "nonsense"})
    text = text_of(page)
    assert "Over a limit 2 40.0 %" in text
    assert f"{SPELLED} 3 0 0 0" in text
    assert "GET /v1/groups 2 0 2 0" in text
    assert f"{program.grant.target_name} 5 0 2 0" in text
    assert "This connector 0 of 100 calls All connectors of the organisation no limit" in text
    assert f"Refresh token for “{program.grant.target_name}”" in text
    assert re.search(r'role="img" aria-label="Calls by the day\. Total: 5 calls', page.content.decode())


def test_the_file_has_one_line_for_each_day_group_and_endpoint(program: Program, owner: Client) -> None:
    type(program.grant).objects.update(target_name="=HYPERLINK(1)")
    called(program, times=2, status=403)
    answer = owner.get(of(program.connector, "export/"), {"period": "30d"})
    assert "attachment" in answer["Content-Disposition"]
    day = (clock.now() - HOUR).date().isoformat()
    assert lines_of(answer) == [
        ["from", "connector", "group", "endpoint", "calls", "refused", "over a limit", "failed"],
        [day, program.connector.name, "'=HYPERLINK(1)", SPELLED, "2", "2", "0", "0"],
    ]
    hours = lines_of(owner.get(of(program.connector, "export/"), {"period": "48h"}))
    assert hours[1][0] == f"{(clock.now() - HOUR):%Y-%m-%dT%H}:00:00Z"


@pytest.mark.usefixtures("patient_counters")
def test_admins_of_the_organisation_see_all_of_its_connectors_and_how_much_room_its_limit_leaves(
    program: Program,
    organisation_admin: User,
    browser_of: Browser,
    settings: Any,
    travel: Travel,
) -> None:
    settings.THROTTLE_TENANT_PER_MINUTE = 5
    travel()
    for _ in range(2):
        usage.check_rate_limit(program.connector)
    called(program, times=3, status=429)
    client = browser_of(organisation_admin)
    text = text_of(client.get(OVERALL))
    assert "All connectors of the organisation 2 of 5 calls" in text
    assert text.count(f"{program.connector.name} 3 0 3 0") == 2
    assert f"{SPELLED} 3 0 3 0" in text
    assert lines_of(client.get(f"{OVERALL}export/"))[1][1] == program.connector.name


@pytest.mark.parametrize("path", [OVERALL, f"{OVERALL}export/"])
@pytest.mark.parametrize("who", ["developer", "stranger", "group_admin", "outsider"])
def test_nobody_else_sees_the_organisations_use(
    program: Program, path: str, who: str, request: pytest.FixtureRequest, browser_of: Browser
) -> None:
    called(program)
    answer: Any = browser_of(request.getfixturevalue(who)).get(path)
    if who != "outsider":  # who is an admin, of another organisation
        assert answer.status_code == 403
    else:
        shown = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert program.connector.name not in shown.decode()


def test_the_list_draws_own_connectors(program: Program, developer: User, member: User, browser_of: Browser) -> None:
    called(program, times=2, ago=13 * DAY)
    called(program, times=5, ago=14 * DAY)
    assert usage_queries.get_daily_calls([program.connector])[program.connector.pk] == [2, *[0] * 13]
    assert "2 calls in 14 days" in browser_of(developer).get("/console/connectors/").content.decode()
    assert "in 14 days" not in browser_of(member).get("/console/connectors/", {"show": "all"}).content.decode()


def test_the_list_of_groups_draws_the_last_days_of_each(program: Program, group_admin: User, owner: Client) -> None:
    called(program, times=3, ago=13 * DAY)
    assert usage_queries.get_daily_grant_calls([program.grant])[program.grant.pk] == [3, *[0] * 13]
    url = f"/console/connectors/{program.connector.pk}/groups/"
    few = count_queries(owner, url)
    for n in range(3):
        grant = factories.let_in(program.connector, group_admin, target_name=f"Shift {n}").grant
        called(Program(program.connector, "", grant, grant.handoffs.get(), ""), times=2)
    assert count_queries(owner, url) == few <= 20
    assert owner.get(url).content.decode().count("calls in 14 days</title>") == 4


@pytest.mark.parametrize("path", ["", "overall"])
def test_more_use_costs_no_more_queries(
    program: Program, owner: Client, organisation_admin: User, group_admin: User, browser_of: Browser, path: str
) -> None:
    client, url = (browser_of(organisation_admin), OVERALL) if path else (owner, of(program.connector))
    called(program)
    few = count_queries(client, url)
    for n in range(25):
        usage.count(program.grant.pk, f"GET v1/thing{n}", status=200, at=clock.now())
    called(factories.make_program(program.connector, group_admin, target_name="Day shift"))
    assert count_queries(client, url) == few <= 40
    assert "And 6 more" in text_of(client.get(url))


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


def called_at(program: Program, moment: str, times: int = 1) -> None:
    for _number in range(times):
        usage.count(program.grant.pk, MEMBERS, status=200, at=at(moment))
    usage.flush()


def days_of(connector: Connector, zone: dt.tzinfo, period: Period = Period.WEEK) -> dict[str, int]:
    rows = UsageScope(connector, period, zone).over_time()
    return {f"{day:%m-%d}": sums.calls for day, sums in rows if sums.calls}


# The period before ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", [dt.UTC, KOLKATA])
def test_it_is_compared_as_far_as_it_has_come(
    old: Connector, program: Program, zone: dt.tzinfo, time_machine: Any
) -> None:
    time_machine.move_to(at("2026-03-20T12:10:00Z"), tick=False)
    for moment in ("2026-03-20T12:00:00Z", "2026-03-19T03:00:00Z"):
        called_at(program, moment)
    called_at(program, "2026-03-13T12:00:00Z", 2)  # a week ago, in this hour
    called_at(program, "2026-03-13T13:00:00Z", 4)  # a week ago, but later than now: in neither
    called_at(program, "2026-03-07T02:00:00Z", 8)
    called_at(program, "2026-03-06T12:00:00Z", 16)  # before both
    scope = UsageScope(old, Period.WEEK, zone)
    assert usage_queries.sum_usage(sums for _at, sums in scope.over_time()).calls == 2
    assert scope.before() == UsageBefore(UsageSums(10))


def test_48_hours_are_compared_with_the_48_before(old: Connector, program: Program, time_machine: Any) -> None:
    time_machine.move_to(at("2026-03-20T12:10:00Z"), tick=False)
    called_at(program, "2026-03-18T13:00:00Z")
    called_at(program, "2026-03-18T12:00:00Z", 2)
    called_at(program, "2026-03-16T13:00:00Z", 4)
    called_at(program, "2026-03-16T12:00:00Z", 8)
    assert UsageScope(old, Period.HOURS).before() == UsageBefore(UsageSums(6))
    assert UsageScope(old.organisation, Period.HOURS).before() == UsageBefore(UsageSums(6))


def test_what_is_not_kept_or_was_not_there_is_not_compared(old: Connector, program: Program, settings: Any) -> None:
    settings.USAGE_DAYS = 100
    assert UsageScope(old, Period.QUARTER).before() == UsageBefore(is_kept=False)
    settings.USAGE_DAYS = 181
    assert UsageScope(old, Period.QUARTER).before() == UsageBefore()
    old.created_at = clock.now() - DAY
    assert UsageScope(old, Period.MONTH).before() == UsageBefore(is_new=True)


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
        (7, UsageBefore(is_new=True), "7 calls. No data for the previous 7 days."),
    ],
)
def test_the_comparison_is_said_in_words(calls: int, before: UsageBefore, says: str) -> None:
    assert views_usage.compared(UsageSums(calls), before, "7 days").replace("\xa0", " ") == says


# The reader's zone ----------------------------------------------------------------------------------------------------


def test_days_begin_at_the_readers_midnight(old: Connector, program: Program, time_machine: Any) -> None:
    time_machine.move_to(at("2026-03-20T12:10:00Z"), tick=False)
    called_at(program, "2026-03-18T17:00:00Z", 1)  # 22:30 in India
    called_at(program, "2026-03-18T18:00:00Z", 2)  # 23:30 to 00:30: in the day in which it begins
    called_at(program, "2026-03-18T19:00:00Z", 4)  # 00:30 of the next day
    called_at(program, "2026-03-18T23:00:00Z", 8)  # midnight in Berlin
    assert days_of(old, dt.UTC) == {"03-18": 15}
    assert days_of(old, KOLKATA) == {"03-18": 3, "03-19": 12}
    assert days_of(old, BERLIN) == {"03-18": 7, "03-19": 8}
    assert UsageScope(old, Period.WEEK, KOLKATA).by_endpoint()[0].sums.calls == 15, "the tables have the same hours"


@pytest.mark.parametrize(
    ("now", "day", "hours"), [("2026-03-31T12:00:00Z", "03-29", 23), ("2026-10-27T12:00:00Z", "10-25", 25)]
)
def test_a_day_may_have_23_or_25_hours(
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


def test_the_page_says_in_which_zone_its_days_and_hours_are(
    old: Connector, program: Program, owner: Client, organisation_admin: User, browser_of: Browser, time_machine: Any
) -> None:
    time_machine.move_to(at("2026-03-20T12:10:00Z"), tick=False)
    called_at(program, "2026-03-20T10:00:00Z", 60)
    called_at(program, "2026-03-18T19:00:00Z")
    assert "When (UTC)" in text_of(owner.get(of(old), {"period": "7d"}))
    owner.cookies[COOKIE] = "Asia%2FCalcutta"  # as Chromium calls it
    shown = text_of(owner.get(of(old), {"period": "7d"}))
    assert "When (India Time)" in shown
    assert "Thu 19 Mar 2026 1" in shown
    hours = text_of(owner.get(of(old), {"period": "48h"}))
    assert "20 Mar, 15:30 60" in hours
    assert "Busiest hour: 60 calls, about 1 a minute." in hours
    days = [row[0] for row in lines_of(owner.get(of(old, "export/"), {"period": "7d"}))[1:]]
    assert days == ["2026-03-18", "2026-03-20"], "the file is in UTC"
    boss = browser_of(organisation_admin)
    boss.cookies[COOKIE] = "Asia%2FKolkata"
    assert "When (UTC)" in text_of(boss.get(OVERALL, {"period": "7d"})), "days of an organisation are summed up"
    assert "When (India Time)" in text_of(boss.get(OVERALL, {"period": "48h"}))


@pytest.mark.parametrize(
    ("cookie", "zone"),
    [
        ("Europe%2FBerlin", BERLIN),
        ("Europe/Berlin", BERLIN),
        *((nonsense, dt.UTC) for nonsense in ("", "Mars/Olympus", "../../etc/passwd", "x" * 5000, "%00")),
    ],
)
def test_a_zone_that_is_none_is_the_consoles_own(cookie: str, zone: dt.tzinfo) -> None:
    request = RequestFactory().get("/")
    request.COOKIES[COOKIE] = cookie
    assert get_time_zone(request) == zone
