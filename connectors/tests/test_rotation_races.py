"""The worker against the Token Service, the admin and another worker, on PostgreSQL with real threads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from accounts.models import Notice, User
from connectors.models import Grant, Handoff, Orphan, RefreshToken
from connectors.services import grants, handoffs, owners, refresh_tokens, reminders
from connectors.services.one_time_secrets import new_form_key
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.test_races import ROUNDS, aged, at_once, refusals, successor_given
from connectors.tests.test_successors import exchange
from kaizala_console.api.errors import RefreshTokenRefused
from kaizala_console.lib import clock
from kaizala_console.lib.errors import ConsoleError

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


def old_program(developer: User, group_admin: User) -> Program:
    program = factories.make_program(factories.make_connector(developer), group_admin)
    handoffs.claim(handoff=program.handoff, by=developer, idempotency_key=new_form_key(), address=None)
    return aged(program)


def test_workers_and_exchanges_at_once_make_one_successor_and_hand_over_that_one(
    developer: User, group_admin: User
) -> None:
    for _ in range(ROUNDS):
        program = old_program(developer, group_admin)
        results = at_once(
            refresh_tokens.rotate_due,
            refresh_tokens.rotate_due,
            partial(successor_given, program),
            partial(successor_given, program),
        )
        assert not refusals(results)
        assert results[0] + results[1] == 1
        assert results[2] == results[3]
        handoff = Handoff.objects.waiting().get(grant=program.grant)
        given = handoffs.claim(handoff=handoff, by=developer, idempotency_key=new_form_key(), address=None)
        assert given == results[2]
        assert RefreshToken.objects.filter(grant=program.grant).count() == 2
        assert Notice.objects.filter(template="connectors/handoff_rotated", user=developer).count() == 1
        Notice.objects.all().delete()


@pytest.mark.parametrize("end", [grants.regenerate, grants.revoke])
def test_the_worker_against_an_end_leaves_no_successor_that_works(
    developer: User, group_admin: User, end: Callable[..., Any]
) -> None:
    for _ in range(ROUNDS):
        program = old_program(developer, group_admin)
        results = at_once(
            refresh_tokens.rotate_due,
            partial(successor_given, program),
            partial(end, grant=program.grant, by=group_admin),
        )
        assert not isinstance(results[0], ConsoleError)
        assert not isinstance(results[-1], ConsoleError)
        assert not RefreshToken.objects.filter(
            grant=program.grant, predecessor__isnull=False, revoked_at__isnull=True
        ).exists()
        waiting = Handoff.objects.waiting().filter(grant=program.grant)
        if end is grants.regenerate:
            assert waiting.get() == results[-1]
        else:
            assert not waiting.exists()
        if isinstance(results[1], str) and results[1]:
            with pytest.raises(RefreshTokenRefused):
                exchange(program, results[1])


def test_two_workers_at_once_tell_of_an_end_once(program: Program) -> None:
    now = clock.now()
    RefreshToken.objects.update(issued_at=now - dt.timedelta(days=300), expires_at=now + dt.timedelta(days=65))
    assert sum(at_once(*[reminders.remind] * 3)) == 2  # one mail to each side
    Grant.objects.update(granted_at=now - dt.timedelta(days=9), ends_at=now - dt.timedelta(days=1))
    assert sum(at_once(*[grants.end_overdue] * 3)) == 1


def test_two_workers_at_once_find_an_orphan_once(program: Program, developer: User, operator: User) -> None:
    User.objects.filter(pk=developer.pk).update(is_active=False)
    assert sum(at_once(*[owners.find_orphans] * 3)) == 1
    assert Orphan.objects.count() == Notice.objects.filter(template="connectors/orphan_connector").count() == 1
