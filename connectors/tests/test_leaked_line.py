"""A leaked refresh token takes along what was derived from it: its finder may hold that as well."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from connectors.models import LeakReport, RefreshToken
from connectors.services import leak_reports
from connectors.tests.factories import Program
from connectors.tests.test_successors import exchange
from kaizala_console.api.errors import RefreshTokenRefused
from kaizala_console.lib import clock

Travel = Callable[..., dt.datetime]


def live() -> int:
    return RefreshToken.objects.live(clock.now()).count()


@pytest.fixture
def successor(program: Program, travel: Travel) -> str:
    """What the Token Service gave for the program's token near its end."""
    travel(days=330)
    return exchange(program).successor


def report(token: str) -> LeakReport:
    leak_reports.report(text=token, address="203.0.113.7")
    return LeakReport.objects.open().get()


def test_with_the_token_its_successor_is_refused(program: Program, successor: str) -> None:
    report(program.refresh_token)
    for token in (program.refresh_token, successor):
        with pytest.raises(RefreshTokenRefused, match="reported as leaked"):
            exchange(program, token)


def test_revoked_both_have_ended(program: Program, successor: str, developer: User) -> None:
    leak_reports.revoke(report=report(program.refresh_token), by=developer)
    assert live() == 0
    assert not RefreshToken.objects.filter(revoked_at=None).exists()


def test_restored_both_work_again(program: Program, successor: str, developer: User) -> None:
    leak_reports.restore(report=report(program.refresh_token), by=developer)
    assert exchange(program).successor == successor
    assert exchange(program, successor).access_token


def test_a_successor_that_was_reported_itself_is_not_restored_with_its_predecessor(
    program: Program, successor: str, developer: User
) -> None:
    own = report(successor)
    assert exchange(program).access_token, "what it was derived from goes on"
    leak_reports.report(text=program.refresh_token, address="203.0.113.7")
    leak_reports.restore(report=LeakReport.objects.open().exclude(pk=own.pk).get(), by=developer)
    with pytest.raises(RefreshTokenRefused, match="reported as leaked"):
        exchange(program, successor)


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_no_exchange_brings_forth_a_live_successor_of_a_token_that_is_reported_meanwhile(
    program: Program, travel: Travel, together: Callable[..., list[Any]]
) -> None:
    travel(days=330)
    turns = iter(range(100))

    def act() -> Any:
        if next(turns) % 2:
            return leak_reports.report(text=program.refresh_token, address="203.0.113.7")
        return exchange(program)

    together(8, act)
    assert LeakReport.objects.count() == 1
    assert live() == 0
