"""The web process is killed in the middle of an exchange that derives a successor: nothing is lost, nothing doubled."""

from __future__ import annotations

import datetime as dt

import pytest
import requests

from accounts.models import AuditEvent, User
from connectors import token_format
from connectors.models import RefreshToken
from connectors.tests.factories import Program, make_connector, make_program
from kaizala_console.lib import clock
from kaizala_console.tests.dying import ANSWER, HEADER
from kaizala_console.tests.test_killed_web import Web, steps, web

__all__ = ["web"]
pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def programs(developer: User, group_admin: User) -> tuple[Program, Program]:
    """Two alike. Their tokens are in use, and have lived 330 of their 365 days."""
    connector = make_connector(developer, "Shift Planner")
    made = tuple(make_program(connector, group_admin) for _number in range(2))
    now = clock.now()
    RefreshToken.objects.update(
        issued_at=now - dt.timedelta(days=330), expires_at=now + dt.timedelta(days=35), first_used_at=now
    )
    return made[0], made[1]


def exchange(
    web: Web, program: Program, *, refresh_token: str = "", die_before: int | str = 0
) -> requests.Response | None:
    """The answer, or None when the process died under the request."""
    headers = program.headers(**({"refreshToken": refresh_token} if refresh_token else {}))
    if die_before:
        headers[HEADER] = str(die_before)
    try:
        return requests.get(f"{web.address}/v1/accessToken", headers=headers, timeout=20)
    except requests.ConnectionError:
        web.start()
        return None


def successor_in(answer: requests.Response | None) -> str:
    assert answer is not None
    assert answer.status_code == 200, answer.text
    return str(answer.json()["refreshToken"])


def test_killed_anywhere_in_an_exchange_the_program_gets_the_one_successor(
    web: Web, programs: tuple[Program, Program]
) -> None:
    twin, program = programs
    undisturbed = exchange(web, twin)
    assert successor_in(undisturbed)
    mine = RefreshToken.objects.filter(grant=program.grant)
    trail = AuditEvent.objects.filter(tag="grant:token:succeeded")
    for step in steps(undisturbed, fewest=3):  # an exchange that makes a successor writes three times
        assert exchange(web, program, die_before=step) is None
        if mine.count() == 2:
            break  # it died past the commit
        assert (mine.count(), trail.count()) == (1, 1), f"killed before statement {step}, something is left"
    assert exchange(web, program, die_before=ANSWER) is None
    assert (mine.count(), trail.count()) == (2, 2), "it is made, though the program has not heard of it"
    first, again = (successor_in(exchange(web, program)) for _time in range(2))
    assert first == again
    row = mine.get(predecessor__isnull=False)
    parsed = token_format.parse(token_format.CredentialKind.REFRESH, first)
    assert parsed is not None
    assert parsed.matches(row.pepper_id, row.digest)
    assert (mine.count(), trail.count()) == (2, 2), "one for each program"
    assert successor_in(exchange(web, program, refresh_token=first)) == "", "it works, and is young"
