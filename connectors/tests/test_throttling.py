"""So many calls a minute for a connector, and for all of its organisation together; the next is told when to return."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from connectors.models import UsageHour
from connectors.services import usage
from connectors.tests.factories import Program, exchange, make_connector, make_program
from kaizala_console.lib import rate_limit

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
Travel = Callable[..., dt.datetime]
GROUPS = "/v1/groups"
PROFILE = "/v1/users/me"  # what these connectors have no permission for


@pytest.fixture
def limits(settings: Any, travel: Travel, patient_counters: None) -> Any:
    """Three calls a minute for a connector, five for an organisation."""
    settings.THROTTLE_CONNECTOR_PER_MINUTE, settings.THROTTLE_TENANT_PER_MINUTE = 3, 5
    travel()
    return settings


@pytest.fixture
def other(developer: User, group_admin: User) -> Program:
    """Another connector of the same organisation."""
    return make_program(make_connector(developer), group_admin)


@pytest.fixture
def foreign(outsider: User) -> Program:
    """A connector of another organisation."""
    return make_program(make_connector(outsider), outsider)


def call(token: str, path: str = GROUPS) -> Any:
    return Client().get(path, headers={"accessToken": token})


def statuses(token: str, number: int) -> list[int]:
    return [call(token).status_code for _ in range(number)]


def throttled(program: Program) -> dict[str, int]:
    """What the usage meter says, by operation."""
    usage.flush()
    return {row.operation: row.throttled for row in UsageHour.objects.filter(grant=program.grant)}


def assert_throttled(response: Any, says: str) -> None:
    assert response.status_code == 429
    assert 60 <= int(response["Retry-After"]) <= 61
    body = json.loads(response.content)
    assert set(body) == {"message", "errorCode", "errorCategoryKey"}
    assert (body["errorCode"], body["errorCategoryKey"]) == ("TooManyRequests", "ThrottlingException")
    assert says in body["message"]


# Calls -----------------------------------------------------------------------------------------------------------


def test_one_call_too_many_is_told_when_to_return_and_then_works(limits: Any, program: Program, travel: Travel) -> None:
    token = exchange(program).access_token
    assert statuses(token, 3) == [200, 200, 200]
    response = call(token)
    assert_throttled(response, "this connector may make 3 calls a minute")
    travel(seconds=int(response["Retry-After"]))
    assert statuses(token, 1) == [200]


def test_all_tokens_of_a_connector_count_together(limits: Any, program: Program, group_admin: User) -> None:
    second = make_program(program.connector, group_admin)
    tokens = [exchange(one).access_token for one in (program, second)]
    assert [statuses(token, 2) for token in tokens] == [[200, 200], [200, 429]]


def test_all_connectors_of_an_organisation_count_together_and_no_others(
    limits: Any, program: Program, other: Program, foreign: Program
) -> None:
    assert statuses(exchange(program).access_token, 3) == [200] * 3
    assert statuses(exchange(other).access_token, 2) == [200] * 2
    assert_throttled(call(exchange(other).access_token), "of this organisation together may make 5 calls a minute")
    assert statuses(exchange(foreign).access_token, 3) == [200] * 3


def test_a_connector_over_its_own_limit_takes_nothing_from_the_others(
    limits: Any, program: Program, other: Program
) -> None:
    assert statuses(exchange(program).access_token, 9)[3:] == [429] * 6
    assert statuses(exchange(other).access_token, 2) == [200, 200]


def test_a_call_without_the_permission_counts_too(limits: Any, program: Program) -> None:
    token = exchange(program).access_token
    assert [call(token, PROFILE).status_code for _ in range(4)] == [403, 403, 403, 429]


def test_throttled_calls_fill_their_column_of_the_usage_meter(limits: Any, program: Program) -> None:
    statuses(exchange(program).access_token, 5)
    assert throttled(program) == {"GET v1/accessToken": 0, "GET v1/groups": 2}


def test_a_refused_token_counts_against_nobody(limits: Any, program: Program) -> None:
    token = exchange(program).access_token
    another = "0" if token[-1] != "0" else "1"
    assert statuses(token[:-1] + another, 9) == [401] * 9
    assert usage.get_rate_limit_usage(program.connector) == usage.RateLimitUsage(0, 3, 0, 5)


def test_the_head_room_says_what_is_used(limits: Any, program: Program, other: Program) -> None:
    statuses(exchange(program).access_token, 2)
    statuses(exchange(other).access_token, 1)
    assert usage.get_rate_limit_usage(program.connector) == usage.RateLimitUsage(2, 3, 3, 5)


def test_nothing_is_no_limit(limits: Any, program: Program) -> None:
    limits.THROTTLE_CONNECTOR_PER_MINUTE = limits.THROTTLE_TENANT_PER_MINUTE = 0
    assert statuses(exchange(program).access_token, 9) == [200] * 9
    assert [over_http(program).status_code for _ in range(9)] == [200] * 9


# Exchanges -------------------------------------------------------------------------------------------------------


def over_http(program: Program, **headers: str) -> Any:
    return Client().get("/v1/accessToken", headers=program.headers(**headers))


@pytest.mark.usefixtures("way")
def test_a_program_that_hammers_the_token_service_is_told_so(limits: Any, program: Program) -> None:
    assert [over_http(program).status_code for _ in range(3)] == [200] * 3
    assert_throttled(over_http(program), "may fetch 3 access tokens a minute, and one is enough for 24 hours")
    assert throttled(program) == {"GET v1/accessToken": 1}


@pytest.mark.usefixtures("way")
def test_hammering_with_a_dead_refresh_token_is_throttled_too(limits: Any, program: Program) -> None:
    answers = [over_http(program, refreshToken="kzrt_dead") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]


def test_a_stranger_who_knows_the_public_id_throttles_nobody(limits: Any, program: Program, other: Program) -> None:
    for secret in ("", "wrong", other.secret):
        answers = [over_http(program, applicationSecret=secret) for _ in range(9)]
        assert [answer.status_code for answer in answers] == [401] * 9
    assert over_http(program).status_code == 200


@pytest.mark.usefixtures("way")
def test_who_has_spent_the_minutes_calls_can_still_renew_a_token(limits: Any, program: Program) -> None:
    assert statuses(exchange(program).access_token, 4)[3] == 429
    assert over_http(program).status_code == 200


# Trouble, and many at once ---------------------------------------------------------------------------------------


@pytest.fixture
def unreachable(settings: Any) -> Iterator[None]:
    """The counters are gone."""
    rate_limit.reset()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    yield
    rate_limit.reset()


def test_without_counters_the_service_goes_on_without_limits(limits: Any, unreachable: None, program: Program) -> None:
    token = exchange(program).access_token
    assert statuses(token, 9) == [200] * 9
    assert usage.get_rate_limit_usage(program.connector) == usage.RateLimitUsage(0, 3, 0, 5)


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_of_many_calls_at_once_exactly_as_many_pass_as_the_limits_say(
    limits: Any, program: Program, other: Program, together: Callable[..., list[Any]]
) -> None:
    limits.THROTTLE_CONNECTOR_PER_MINUTE, limits.THROTTLE_TENANT_PER_MINUTE = 12, 20
    tokens = [exchange(one).access_token for one in (program, other)]
    answers = together(8, lambda: [call(token).status_code for _ in range(5) for token in tokens])
    flat = [status for answer in answers for status in answer]
    assert (flat.count(200), flat.count(429)) == (20, 60)
