"""Four hundred days of the worker's timetable, one day at a time: nothing ends unannounced, nothing is told twice."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.core.management import call_command

from accounts.models import User
from connectors.models import Handoff, RefreshToken
from connectors.services import handoffs
from connectors.services.shown_secrets import new_form_key
from connectors.tests.factories import Program, make_connector, make_program
from connectors.tests.test_successors import exchange
from kaizala_console.celery import app
from kaizala_console.lib import clock
from kaizala_console.wire.errors import RefreshTokenRefused

pytestmark = [pytest.mark.django_db, pytest.mark.once]  # what counts is the clock

DAYS = 400
WORKER_IS_OFF = range(322, 352)  # so the 30 days are not told late, beside the 14


def claimed(program: Program, developer: User) -> Program:
    handoffs.claim(handoff=program.handoff, by=developer, form_key=new_form_key(), address=None)
    return program


def a_day_of_the_worker() -> None:
    """Everything on the timetable, once."""
    app.finalize()
    for entry in app.conf.beat_schedule.values():
        app.tasks[entry["task"]].apply()


def test_a_year_and_a_month(
    developer: User,
    group_admin: User,
    operator: User,
    outbox: list[EmailMessage],
    travel: Callable[..., dt.datetime],
    django_capture_on_commit_callbacks: Any,
) -> None:
    begin = clock.now()
    by_hand = claimed(make_program(make_connector(developer, "By Hand"), group_admin), developer)
    by_itself = claimed(make_program(make_connector(developer, "By Itself"), group_admin), developer)
    forgotten = claimed(make_program(make_connector(developer, "Forgotten"), group_admin), developer)
    for_a_while = claimed(
        make_program(make_connector(developer, "For A While"), group_admin, ends_at=begin + dt.timedelta(days=200)),
        developer,
    )
    refused: dict[str, int] = {}
    tokens = {program.connector.name: program.refresh_token for program in (by_hand, by_itself, forgotten, for_a_while)}

    for day in range(1, DAYS + 1):
        travel(days=1)
        for program in (by_hand, by_itself, forgotten, for_a_while):
            name = program.connector.name
            try:
                successor = exchange(program, tokens[name]).successor
            except RefreshTokenRefused:
                refused.setdefault(name, day)
            else:
                if successor and program is by_itself:
                    tokens[name] = successor
        if day not in WORKER_IS_OFF:
            with django_capture_on_commit_callbacks(execute=True):
                a_day_of_the_worker()
        waiting = Handoff.objects.waiting().filter(grant=by_hand.grant).first()
        if waiting is not None:
            tokens["By Hand"] = handoffs.claim(handoff=waiting, by=developer, form_key=new_form_key(), address=None)

    assert refused == {"For A While": 200, "Forgotten": 365}

    assert [times for times in Counter(mail.extra_headers["Message-ID"] for mail in outbox).values() if times > 1] == []
    assert subjects(outbox, developer, "By Hand") == {
        "A refresh token of By Hand waits for you",
        "By Hand: a refresh token ends within 90 days",
        "By Hand: a refresh token ends within 14 days",
        "The next refresh token of By Hand for Night shift waits for you",
    }
    assert subjects(outbox, developer, "By Itself") == {
        "A refresh token of By Itself waits for you",
        "By Itself: a refresh token ends within 90 days",
    }
    assert subjects(outbox, developer, "Forgotten") == {
        "A refresh token of Forgotten waits for you",
        "Forgotten: a refresh token ends within 90 days",
        "The next refresh token of Forgotten for Night shift waits for you",
        "The refresh token of Forgotten for Night shift expired unclaimed",
        "Forgotten: a refresh token ends within 14 days",
        "Forgotten: a refresh token ends within 7 days",
        "Forgotten: a refresh token ends within 3 days",
        "Forgotten: a refresh token ends within a day",
    }
    assert subjects(outbox, developer, "For A While") == {
        "A refresh token of For A While waits for you",
        "For A While: access ends within 90 days",
        "For A While: access ends within 30 days",
        "For A While: access ends within 14 days",
        "For A While: access ends within 7 days",
        "For A While: access ends within 3 days",
        "For A While: access ends within a day",
        "The access of For A While to Night shift has ended",
    }
    assert not Handoff.objects.waiting().exists()
    assert not Handoff.objects.filter(sealed__isnull=False).exists()
    assert RefreshToken.objects.filter(predecessor__isnull=False).count() == 3
    call_command("verify_audit")


def subjects(outbox: list[EmailMessage], user: User, connector: str) -> set[str]:
    """What `user` was told of the connector, each thing once."""
    found = [str(mail.subject) for mail in outbox if mail.to == [user.email] and connector in str(mail.subject)]
    assert len(found) == len(set(found))
    return set(found)
