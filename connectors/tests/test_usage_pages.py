"""How much a connector is used: its owners' tab, the organisation's page, the file, and the line in the list."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from connectors.models import Connector, ConnectorSecret, RefreshToken
from connectors.queries import usage as usage_queries
from connectors.queries.usage import Period, UsageRow, UsageScope, UsageSums
from connectors.services import usage
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.html_forms import Page, text_of
from connectors.views import usage as views_usage
from kaizala_console.lib import clock

# No hour ends between the calls and the look at the hours.
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("travel")]
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
def test_the_busiest_come_first_by_endpoint_group_and_connector(
    program: Program, developer: User, group_admin: User, period: Period
) -> None:
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


# Drawing --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("most", "top"), [(1, 4), (4, 4), (5, 8), (21, 40), (100, 200), (999, 2_000), (80_001, 200_000)]
)
def test_the_scale_ends_at_a_round_number_above_the_highest_column(most: int, top: int) -> None:
    drawn = views_usage.chart([(clock.now(), UsageSums(n)) for n in [most, *[0] * 29]], Period.MONTH)
    assert drawn["lines"][0]["label"] == views_usage.format_number(top)
    assert drawn["lines"][-1] == {"y": views_usage.HEIGHT, "label": "0"}


def test_one_failure_among_many_calls_is_still_seen_and_nothing_is_higher_than_the_drawing() -> None:
    sums = UsageSums(1_000_000, refused=1, throttled=1, failed=1)
    parts = views_usage.chart([(clock.now(), sums)] * 30, Period.MONTH)["columns"][0]["parts"]
    assert [part["kind"] for part in parts] == ["answered", "refused", "throttled", "failed"]
    assert all(part["height"] >= 2 and part["y"] >= 0 for part in parts)


# Pages ----------------------------------------------------------------------------------------------------------------


def test_owners_see_the_chart_its_numbers_the_limits_and_what_ends(
    program: Program, developer: User, browser_of: Browser, settings: Any
) -> None:
    settings.THROTTLE_CONNECTOR_PER_MINUTE, settings.THROTTLE_TENANT_PER_MINUTE = 100, 0
    called(program, times=3, ago=dt.timedelta())
    called(program, "GET v1/groups", times=2, status=429, ago=3 * DAY)
    RefreshToken.objects.update(expires_at=clock.now() + 5 * DAY, issued_at=clock.now() - DAY)
    page = browser_of(developer).get(of(program.connector))
    text = text_of(page)
    assert "Over a limit 2 40.0 %" in text
    assert f"{SPELLED} 3 0 0 0" in text
    assert "GET /v1/groups 2 0 2 0" in text
    assert f"{program.grant.target_name} 5 0 2 0" in text
    assert "This connector 0 of 100 calls All connectors of the organisation no limit" in text
    assert f"Refresh token for “{program.grant.target_name}”" in text
    assert re.search(r'role="img" aria-label="Calls by the day\. Total: 5 calls', page.content.decode())


@pytest.mark.parametrize(("period", "words"), [("48h", "Calls by the hour"), ("90d", "Calls by the day"), ("x", "day")])
def test_the_period_stands_in_the_address(
    program: Program, developer: User, browser_of: Browser, period: str, words: str
) -> None:
    called(program)
    page = browser_of(developer).get(of(program.connector), {"period": period})
    assert words in text_of(page)


def test_without_calls_the_page_says_so_and_leads_to_help(
    program: Program, developer: User, browser_of: Browser
) -> None:
    page = browser_of(developer).get(of(program.connector))
    assert "No calls in this period" in text_of(page)
    assert "/console/help/tokens/" in page.content.decode()


def test_the_file_has_one_line_for_each_day_group_and_endpoint(
    program: Program, developer: User, browser_of: Browser
) -> None:
    type(program.grant).objects.update(target_name="=HYPERLINK(1)")
    called(program, times=2, status=403)
    answer = browser_of(developer).get(of(program.connector, "export/"), {"period": "30d"})
    assert "attachment" in answer["Content-Disposition"]
    day = (clock.now() - HOUR).date().isoformat()
    assert lines_of(answer) == [
        ["from", "connector", "group", "endpoint", "calls", "refused", "over a limit", "failed"],
        [day, program.connector.name, "'=HYPERLINK(1)", SPELLED, "2", "2", "0", "0"],
    ]
    hours = lines_of(browser_of(developer).get(of(program.connector, "export/"), {"period": "48h"}))
    assert hours[1][0] == f"{(clock.now() - HOUR):%Y-%m-%dT%H}:00:00Z"


def test_admins_of_the_organisation_see_all_of_its_connectors(
    program: Program, organisation_admin: User, browser_of: Browser
) -> None:
    called(program, times=3, status=429)
    client = browser_of(organisation_admin)
    text = text_of(client.get(OVERALL))
    assert text.count(f"{program.connector.name} 3 0 3 0") == 2
    assert f"{SPELLED} 3 0 3 0" in text
    assert lines_of(client.get(f"{OVERALL}export/"))[1][1] == program.connector.name


@pytest.mark.usefixtures("patient_counters")
def test_admins_of_the_organisation_see_how_much_room_its_limit_leaves(
    program: Program,
    organisation_admin: User,
    browser_of: Browser,
    settings: Any,
    travel: Callable[..., dt.datetime],
) -> None:
    settings.THROTTLE_TENANT_PER_MINUTE = 5
    travel()
    for _ in range(2):
        usage.check_rate_limit(program.connector)
    client = browser_of(organisation_admin)
    assert "All connectors of the organisation 2 of 5 calls" in text_of(client.get(OVERALL))
    settings.THROTTLE_TENANT_PER_MINUTE = 0
    assert "All connectors of the organisation no limit" in text_of(client.get(OVERALL))


@pytest.mark.parametrize("path", [OVERALL, f"{OVERALL}export/"])
@pytest.mark.parametrize("who", ["developer", "stranger", "group_admin", "outsider"])
def test_nobody_else_sees_the_organisations_use(
    program: Program, path: str, who: str, request: pytest.FixtureRequest, browser_of: Browser
) -> None:
    called(program)
    assert Client().get(path)["Location"].startswith("/accounts/login/?next=")
    answer: Any = browser_of(request.getfixturevalue(who)).get(path)
    if who != "outsider":  # who is an admin, of another organisation
        assert answer.status_code == 403
    else:
        shown = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert program.connector.name not in shown.decode()


def test_the_list_draws_the_last_days_of_own_connectors_alone(
    program: Program, developer: User, member: User, browser_of: Browser
) -> None:
    called(program, times=2, ago=13 * DAY)
    called(program, times=5, ago=14 * DAY)
    assert usage_queries.get_daily_calls([program.connector])[program.connector.pk] == [2, *[0] * 13]
    assert "2 calls in 14 days" in browser_of(developer).get("/console/connectors/").content.decode()
    assert "in 14 days" not in browser_of(member).get("/console/connectors/", {"show": "all"}).content.decode()


def test_the_list_of_groups_draws_the_last_days_of_each(
    program: Program, developer: User, group_admin: User, browser_of: Browser, django_assert_max_num_queries: Any
) -> None:
    called(program, times=3, ago=13 * DAY)
    assert usage_queries.get_daily_grant_calls([program.grant])[program.grant.pk] == [3, *[0] * 13]
    client, url = browser_of(developer), f"/console/connectors/{program.connector.pk}/groups/"

    def shown() -> tuple[str, int]:
        with django_assert_max_num_queries(20) as seen:
            answer = client.get(url)
        return answer.content.decode(), len(seen.captured_queries)

    page, few = shown()
    assert page.count("calls in 14 days</title>") == 1
    for n in range(3):
        grant = factories.let_in(program.connector, group_admin, target_name=f"Shift {n}").grant
        called(Program(program.connector, "", grant, grant.handoffs.get(), ""), times=2)
    page, cost = shown()
    assert page.count("calls in 14 days</title>") == 4
    assert cost == few


@pytest.mark.parametrize("path", ["", "overall"])
def test_more_use_costs_no_more_queries(
    program: Program,
    developer: User,
    organisation_admin: User,
    group_admin: User,
    browser_of: Browser,
    django_assert_max_num_queries: Any,
    path: str,
) -> None:
    client = browser_of(organisation_admin if path else developer)
    url = OVERALL if path else of(program.connector)
    called(program)

    def cost() -> int:
        with django_assert_max_num_queries(40) as seen:
            client.get(url)
        return len(seen.captured_queries)

    few = cost()
    for n in range(25):
        usage.count(program.grant.pk, f"GET v1/thing{n}", status=200, at=clock.now())
    called(factories.make_program(program.connector, group_admin, target_name="Day shift"))
    assert cost() == few
    assert "And 6 more" in text_of(client.get(url))
