"""The row is the queue: of many workers one has it, and a clock that was ahead makes nothing wait."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import Notice, User
from accounts.services import notifications
from groups.models.bulk_job import LEASE
from kaizala_console.lib import clock, outbox

Travel = Callable[..., dt.datetime]


def notice(user: User, key: str = "x") -> Notice:
    return notifications.queue(user=user, template="accounts/phone_claimed", key=key, context={"number": "+91…"})


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_has_the_row(developer: User, together: Callable[..., list[Any]]) -> None:
    row = Notice.objects.create(user=developer, template="accounts/phone_claimed", key="x")
    rows = Notice.objects.filter(pk=row.pk)
    now = clock.now()
    won = together(8, lambda: outbox.claim(rows, now=now, lease=dt.timedelta(minutes=2)))
    assert [end for end in won if end is not None] == [now + dt.timedelta(minutes=2)]
    later = now + dt.timedelta(minutes=2)
    assert outbox.claim(rows, now=later, lease=dt.timedelta(minutes=2)), "a killed worker had it"


@pytest.mark.django_db
def test_what_a_clock_scheduled_that_was_an_hour_ahead_is_due_at_the_next_sweep(
    developer: User, travel: Travel
) -> None:
    waits = notice(developer, "waits")
    Notice.objects.update(attempts=4, next_attempt_at=clock.now() + dt.timedelta(minutes=60))
    travel(minutes=60, seconds=-1)
    new = notice(developer, "new")
    travel(minutes=-60)
    assert notifications.sweep() == 1
    assert notifications.deliver(notice_id=new.pk)
    assert not notifications.deliver(notice_id=waits.pk), "what waits by a clock that was right goes on waiting"


def test_a_lease_further_away_than_its_length_is_over() -> None:
    now = clock.now()
    for until, is_free in ((None, True), (now, True), (now + LEASE, False), (now + dt.timedelta(hours=1), True)):
        assert outbox.is_free(until, now, LEASE) is is_free


@pytest.mark.django_db
def test_backoff_goes_on_with_its_last_step() -> None:
    steps = [dt.timedelta(seconds=1), dt.timedelta(seconds=5)]
    assert [outbox.backoff(steps, attempts).seconds for attempts in (0, 1, 2, 9)] == [1, 5, 5, 5]
