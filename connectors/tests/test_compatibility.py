"""The compatibility report: which old habits a program showed, how often, since when, and nothing that it sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from connectors.models import CompatibilityQuirkDay, Connector
from connectors.permissions import Permission
from connectors.services import usage
from connectors.tests.factories import Program, exchange, make_connector, make_program
from connectors.tests.html_forms import count_queries, text_of
from kaizala_console.api.compatibility import CompatibilityQuirk
from kaizala_console.lib import clock

Browser = Callable[..., Client]
NO_GROUP = "df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62"
ALL_AT_ONCE = {
    CompatibilityQuirk.UNQUOTED_NAMES,
    CompatibilityQuirk.SINGLE_QUOTES,
    CompatibilityQuirk.TRAILING_COMMA,
    CompatibilityQuirk.COMMENTS,
}


# No minute ends between a call and what the page says of the last minute, and no day between two calls of one day.
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("travel", "patient_counters")]


@pytest.fixture
def program(developer: User, group_admin: User) -> Program:
    return make_program(make_connector(developer, "Shift Planner", permissions=frozenset(Permission)), group_admin)


def report(connector: Connector) -> str:
    return f"/console/connectors/{connector.pk}/compatibility/"


def call(program: Program, path: str = "/v1/users/me", **extra: Any) -> int:
    """A modern call, but for what is given."""
    method = extra.pop("method", "GET")
    headers = extra.pop("headers", {"Authorization": f"Bearer {exchange(program).access_token}"})
    return Client().generic(method, path, headers=headers, **extra).status_code


def shown(program: Program) -> dict[str, int]:
    usage.flush()
    return {row.habit: row.times for row in CompatibilityQuirkDay.objects.filter(connector=program.connector)}


def test_a_modern_call_shows_no_habit(program: Program) -> None:
    assert call(program, HTTP_HOST="notkaiza.la") == 200
    assert call(program, method="PUT", data='{"name":"Asha"}', content_type="application/json") == 200
    assert call(program, "/v1/groups?showDetails=true&fetchAllGroups=false") == 200
    assert shown(program) == {}


@pytest.mark.parametrize(
    ("path", "habit"),
    [
        ("/v1//users/me", CompatibilityQuirk.DOUBLE_SLASH),
        ("/users/me", CompatibilityQuirk.NO_VERSION),
        ("/V1/Users/ME", CompatibilityQuirk.OTHER_CASE_PATH),
        ("/v1/users/me/", CompatibilityQuirk.TRAILING_SLASH),
        (f"/v1/groups/{NO_GROUP}@1", CompatibilityQuirk.GROUP_ID_SUFFIX),
        (f"/v1/groups/{NO_GROUP}/subscribers", CompatibilityQuirk.SUBSCRIBERS_BY_GET),
        ("/v1/bot", CompatibilityQuirk.BOT),
        (f"/v1/bot/accessToken/{NO_GROUP}", CompatibilityQuirk.BOT),
        ("/v1/tenant/findGroupsByQuery?query=wit", CompatibilityQuirk.FIND_GROUPS),
        ("/v1/groups?showDetail=true", CompatibilityQuirk.OTHER_NAME),
        ("/v1/groups?SHOWDETAILS=true", CompatibilityQuirk.OTHER_CASE_NAME),
    ],
)
def test_how_the_path_is_written_shows(program: Program, path: str, habit: CompatibilityQuirk) -> None:
    call(program, path)
    assert shown(program) == {habit: 1}


@pytest.mark.parametrize("host", ["kms.kaiza.la", "KMS1.kaiza.la:443", "api1.kaiza.la", "kaiza.la"])
def test_an_old_host_and_the_old_header_show(program: Program, host: str) -> None:
    assert call(program, HTTP_HOST=host, headers={"ACCESSTOKEN": exchange(program).access_token}) == 200
    assert shown(program) == {CompatibilityQuirk.OLD_HOST: 1, CompatibilityQuirk.TOKEN_HEADER: 1}


@pytest.mark.parametrize(
    ("body", "habits"),
    [
        ('\ufeff{"name":"Asha"}', {CompatibilityQuirk.BYTE_ORDER_MARK}),
        ('{name:"Asha"}', {CompatibilityQuirk.UNQUOTED_NAMES}),
        ("{'name': 'Asha'}", {CompatibilityQuirk.SINGLE_QUOTES}),
        ('{"name":"Asha",}', {CompatibilityQuirk.TRAILING_COMMA}),
        ('{"name":"Asha" /* her name */}', {CompatibilityQuirk.COMMENTS}),
        ('{"name":"Asha","x":None}', {CompatibilityQuirk.PYTHON_WORDS}),
        ('{"name":"Asha","x":+1}', {CompatibilityQuirk.OTHER_JSON}),
        ("{name:'a, b: c,}',} // {x:1,}", ALL_AT_ONCE),
        ('{"Name":"Asha"}', {CompatibilityQuirk.OTHER_CASE_NAME}),
        ('{"name":7}', {CompatibilityQuirk.NUMBER_FOR_TEXT}),
    ],
)
def test_how_the_body_is_written_shows(program: Program, body: str, habits: set[CompatibilityQuirk]) -> None:
    assert call(program, method="PUT", data=body, content_type="application/json; charset=utf-8") == 200
    assert set(shown(program)) == habits


def test_the_content_type_and_a_list_of_bots_show(program: Program) -> None:
    for kind in ("", "text/plain"):
        assert call(program, method="PUT", data='{"name":"Asha"}', content_type=kind) == 200
    bots = {"method": "PUT", "data": '{"botIds":["x"]}', "content_type": "application/json"}
    assert call(program, f"/v1/groups/{NO_GROUP}/bot", **bots) == 403
    quirks = (CompatibilityQuirk.NO_CONTENT_TYPE, CompatibilityQuirk.OTHER_CONTENT_TYPE, CompatibilityQuirk.BOT)
    assert shown(program) == dict.fromkeys(quirks, 1)


def test_the_token_service_notices_too(program: Program) -> None:
    assert Client().get("/accesstoken/", headers=program.headers()).status_code == 200
    assert shown(program) == dict.fromkeys(
        (CompatibilityQuirk.TRAILING_SLASH, CompatibilityQuirk.NO_VERSION, CompatibilityQuirk.OTHER_CASE_PATH), 1
    )


def test_who_is_not_known_is_counted_for_nobody(program: Program) -> None:
    assert Client().get("/v1//users/me").status_code == 401
    assert Client().get("/accessToken/", headers=program.headers(applicationSecret="wrong")).status_code == 401
    usage.flush()
    assert not CompatibilityQuirkDay.objects.exists()


def test_counts_add_up_by_day_keep_the_last_example_and_are_swept(
    program: Program, travel: Callable[..., dt.datetime], settings: Any
) -> None:
    today = travel().date()
    for path in ("/users/me", "/users/me", "/groups"):
        call(program, path)
        assert shown(program)
    travel(days=1)
    call(program, "/users/me")
    usage.flush()
    rows = CompatibilityQuirkDay.objects.order_by("day").values_list("day", "times", "example")
    assert list(rows) == [(today, 3, "GET v1/groups"), (today + dt.timedelta(days=1), 1, "GET v1/users/me")]
    travel(days=settings.USAGE_DAYS + 1)
    usage.sweep()
    assert not CompatibilityQuirkDay.objects.exists()


def test_the_owner_reads_what_and_how_often(owner: Client, program: Program) -> None:
    for _ in range(3):
        call(program, "/users/me/")
    usage.flush()
    text = text_of(owner.get(report(program.connector)))
    assert "No “/v1” in the path in GET /v1/users/me Start every path with “/v1/”. 3" in text
    assert "Trailing slash in the path" in text
    assert "This connector, in the last minute 3 of" in text
    assert "Over a limit 0" in text


def test_nothing_that_was_sent_is_kept(program: Program) -> None:
    call(program, method="POST", path="/v1/groups/secret-in-path", data="{secret_in_body:'x'}", content_type="a/b")
    usage.flush()
    assert "secret" not in str(list(CompatibilityQuirkDay.objects.values()))


def test_more_habits_cost_no_more_queries(owner: Client, program: Program) -> None:
    now = clock.now()

    def cost(habits: Iterable[CompatibilityQuirk]) -> int:
        CompatibilityQuirkDay.objects.all().delete()
        CompatibilityQuirkDay.objects.bulk_create(
            CompatibilityQuirkDay(
                connector=program.connector, habit=habit, day=day, times=1, seen_at=now, example="GET v1/groups"
            )
            for habit in habits
            for day in (now.date() - dt.timedelta(days=1), now.date() - dt.timedelta(days=2))
        )
        return count_queries(owner, report(program.connector))

    assert cost([CompatibilityQuirk.COMMENTS]) == cost(CompatibilityQuirk)
