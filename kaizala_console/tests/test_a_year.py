"""Four hundred days of the worker's timetable, one day at a time: nothing ends unannounced, nothing is told twice."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core.mail import EmailMessage
from django.core.management import call_command
from django.db import transaction

from accounts.models import User
from connectors.models import Handoff, RefreshToken
from connectors.services import handoffs, secrets
from connectors.services.one_time_secrets import new_form_key
from connectors.tests.factories import Program, exchange, make_connector, make_program
from connectors.tests.webhook_cast import make_webhook
from groups.access import get_target
from groups.tests.factories import make_group
from kaizala_console.api.errors import RefreshTokenRefused
from kaizala_console.celery import app
from kaizala_console.lib import clock

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.long]  # what counts is the clock

DAYS = 400
AHEAD = ("90 days", "30 days", "14 days", "7 days", "3 days", "a day")
WORKER_IS_OFF = range(322, 352)  # so the 30 days are not told late, beside the 14


def claimed(program: Program, developer: User) -> Program:
    handoffs.claim(handoff=program.handoff, by=developer, idempotency_key=new_form_key(), address=None)
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
    group = make_group("Night Shift", organisation=developer.organisation, admins=[group_admin])
    in_group = {"target": get_target(group), "target_name": group.name}
    listens = claimed(make_program(make_connector(developer, "Listens"), group_admin, **in_group), developer)
    with transaction.atomic():
        secrets.issue(
            connector=listens.connector, slot=2, by=developer, at=begin, ends_at=begin + dt.timedelta(days=120)
        )
    address = "https://hooks.example.com/in"
    make_webhook(listens.grant, address, uuid4(), expires_at=begin + dt.timedelta(days=150))
    refused: dict[str, int] = {}
    programs = (by_hand, by_itself, forgotten, for_a_while, listens)
    tokens = {program.connector.name: program.refresh_token for program in programs}

    for day in range(1, DAYS + 1):
        travel(days=1)
        for program in programs:
            name = program.connector.name
            try:
                successor = exchange(program, tokens[name]).successor
            except RefreshTokenRefused:
                refused.setdefault(name, day)
            else:
                if successor and program in (by_itself, listens):
                    tokens[name] = successor
        if day not in WORKER_IS_OFF:
            with django_capture_on_commit_callbacks(execute=True):
                a_day_of_the_worker()
        waiting = Handoff.objects.waiting().filter(grant=by_hand.grant).first()
        if waiting is not None:
            tokens["By Hand"] = handoffs.claim(
                handoff=waiting, by=developer, idempotency_key=new_form_key(), address=None
            )

    assert refused == {"For A While": 200, "Forgotten": 365}

    assert [times for times in Counter(mail.extra_headers["Message-ID"] for mail in outbox).values() if times > 1] == []
    assert subjects(outbox, developer, "By Hand") == {
        "A refresh token of By Hand is ready to claim",
        "By Hand: a refresh token ends within 90 days",
        "By Hand: a refresh token ends within 14 days",
        "The next refresh token of By Hand for Night shift is ready to claim",
    }
    assert subjects(outbox, developer, "By Itself") == {
        "A refresh token of By Itself is ready to claim",
        "By Itself: a refresh token ends within 90 days",
    }
    assert subjects(outbox, developer, "Forgotten") == {
        "A refresh token of Forgotten is ready to claim",
        "Forgotten: a refresh token ends within 90 days",
        "The next refresh token of Forgotten for Night shift is ready to claim",
        "The refresh token of Forgotten for Night shift expired unclaimed",
        "Forgotten: a refresh token ends within 14 days",
        "Forgotten: a refresh token ends within 7 days",
        "Forgotten: a refresh token ends within 3 days",
        "Forgotten: a refresh token ends within a day",
    }
    assert subjects(outbox, developer, "For A While") == {
        "A refresh token of For A While is ready to claim",
        "For A While: access ends within 90 days",
        "For A While: access ends within 30 days",
        "For A While: access ends within 14 days",
        "For A While: access ends within 7 days",
        "For A While: access ends within 3 days",
        "For A While: access ends within a day",
        "The access of For A While to Night shift has ended",
    }
    of_webhook = {f"Listens: a webhook ends within {ahead}" for ahead in AHEAD}
    of_token = {"Listens: a refresh token ends within 90 days"}
    assert subjects(outbox, group_admin, "Listens") == of_webhook | of_token
    assert subjects(outbox, developer, "Listens") == {
        "A refresh token of Listens is ready to claim",
        *(f"A secret of Listens ends within {ahead}" for ahead in AHEAD),
        *of_token,
        *of_webhook,
        "A webhook of Listens stopped",
    }
    assert not Handoff.objects.waiting().exists()
    assert not Handoff.objects.filter(sealed__isnull=False).exists()
    assert RefreshToken.objects.filter(predecessor__isnull=False).count() == 4
    call_command("verify_audit")


def subjects(outbox: list[EmailMessage], user: User, connector: str) -> set[str]:
    """What `user` was told of the connector, each thing once; but for the receipts, of which each claim has its own."""
    found = [str(mail.subject) for mail in outbox if mail.to == [user.email] and connector in str(mail.subject)]
    told = [subject for subject in found if not subject.endswith("was claimed")]
    assert len(told) == len(set(told))
    return set(told)
