"""Ends that come while tokens are used, moved or told of, on PostgreSQL with real threads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from accounts.models import AuditEvent, Notice, User
from connectors.models import Grant, Handoff, RefreshToken
from connectors.services import connectors, grants, refresh_tokens, reminders, token_exchange
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.test_races import ROUNDS, THREADS, at_once, refusals, wins
from connectors.tests.test_successors import exchange
from connectors.tests.webhook_cast import make_webhook
from kaizala_console.api.errors import RefreshTokenRefused
from kaizala_console.lib import clock
from kaizala_console.lib.errors import ConsoleError

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]
DAY = dt.timedelta(days=1)
End = Callable[[Program], Any]


@pytest.fixture(autouse=True)
def _on_postgresql() -> Iterator[None]:
    assert connection.vendor == "postgresql"
    yield
    connection.close()


def test_an_end_that_is_moved_while_the_access_is_removed_revives_nothing(developer: User, group_admin: User) -> None:
    for _round in range(ROUNDS):
        program = factories.make_program(
            factories.make_connector(developer), group_admin, ends_at=clock.now() + 10 * DAY
        )
        act: dict[str, Any] = {"grant": program.grant, "by": group_admin}
        later = partial(grants.move, ends_at=None, **act)
        results = at_once(later, partial(grants.revoke, **act), later, partial(grants.regenerate, **act))
        assert {refusal.code for refusal in refusals(results)} <= {"grant_revoked"}
        assert Grant.objects.get(pk=program.grant.pk).revoked_at is not None
        assert not RefreshToken.objects.filter(grant=program.grant, revoked_at=None).exists()
        with pytest.raises(RefreshTokenRefused):
            exchange(program, program.refresh_token)


def test_ends_that_are_moved_at_once_follow_each_other(program: Program, group_admin: User) -> None:
    now = clock.now()
    acts = [
        partial(grants.move, grant=program.grant, ends_at=now + days * DAY, by=group_admin)
        for days in range(5, 5 + THREADS)
    ]
    assert len(wins(at_once(*acts))) == THREADS
    told = AuditEvent.objects.filter(tag="grant:end:changed").order_by("pk")
    steps = [(event.before["ends_at"], event.after["ends_at"]) for event in told]
    assert [before for before, _after in steps] == [None, *(after for _before, after in steps[:-1])]
    ends_at = Grant.objects.get(pk=program.grant.pk).ends_at
    assert ends_at is not None
    assert steps[-1][1] == ends_at.isoformat()


def test_the_worker_against_an_end_that_moves_makes_no_token_beyond_it(
    developer: User, group_admin: User, travel: Callable[..., dt.datetime]
) -> None:
    program = factories.make_program(factories.make_connector(developer), group_admin)
    Handoff.objects.update(withdrawn_at=clock.now(), sealed=None)
    travel(days=340)
    ends_at = clock.now() + 60 * DAY
    at_once(
        partial(refresh_tokens.rotate, token_id=RefreshToken.objects.get().pk),
        partial(grants.move, grant=program.grant, ends_at=ends_at, by=group_admin),
        partial(exchange, program, program.refresh_token),
    )
    travel(days=60)
    for token in RefreshToken.objects.filter(grant=program.grant):
        assert not (token.is_live(clock.now()) and Grant.objects.get().is_live(clock.now()))


def test_of_many_workers_one_tells_of_a_webhook(
    program: Program, developer: User, travel: Callable[..., dt.datetime]
) -> None:
    for _webhook in range(3):
        make_webhook(program.grant, "https://hooks.example.com/in", uuid4(), expires_at=clock.now() + 31 * DAY)
    travel(days=2)
    at_once(*[reminders.remind_of_webhooks] * THREADS)
    told = Notice.objects.filter(template="connectors/webhook_ends")
    assert [told.filter(user=developer).count(), told.count()] == [1, 2]


@pytest.fixture
def ends(developer: User, group_admin: User) -> dict[str, End]:
    return {
        "revoke": lambda program: grants.revoke(grant=program.grant, by=group_admin),
        "regenerate": lambda program: grants.regenerate(grant=program.grant, by=group_admin),
        "delete": lambda program: connectors.delete(connector=program.connector, by=developer),
    }


@pytest.mark.parametrize("end", ["revoke", "regenerate", "delete"])
def test_a_token_that_was_ended_between_the_look_and_the_note_is_refused(
    developer: User, group_admin: User, ends: dict[str, End], end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unlucky moment itself: the exchange has found the token alive, and the end is committed before it goes on."""
    program = factories.make_program(factories.make_connector(developer), group_admin)
    looked: Callable[..., Any] = token_exchange._get_access_end

    def slowly(*arguments: Any) -> Any:
        _, ended = at_once(lambda: None, partial(ends[end], program))
        assert not isinstance(ended, ConsoleError)
        return looked(*arguments)

    monkeypatch.setattr(token_exchange, "_get_access_end", slowly)
    with pytest.raises(RefreshTokenRefused):
        exchange(program)
    assert RefreshToken.objects.get(pk=program.handoff.refresh_token_id).first_used_at is None
    assert not AuditEvent.objects.filter(tag="grant:token:used").exists()


@pytest.mark.parametrize("end", ["revoke", "regenerate", "delete"])
def test_no_token_is_used_after_its_end(developer: User, group_admin: User, ends: dict[str, End], end: str) -> None:
    for _ in range(6):
        program = factories.make_program(factories.make_connector(developer), group_admin)
        *answers, ended = at_once(*[partial(exchange, program)] * 3, partial(ends[end], program))
        assert not isinstance(ended, ConsoleError)
        told = AuditEvent.objects.filter(connector_id=program.connector.pk).order_by("pk")
        tags = [tag for tag in told.values_list("tag", flat=True) if tag != "secret:use"]
        over = {"revoke": "grant:access:revoked", "regenerate": "grant:token:regenerated", "delete": "connector"}[end]
        last = max(number for number, tag in enumerate(tags) if tag.startswith(over))
        assert "grant:token:used" not in tags[last:]
        used = tags.count("grant:token:used")
        assert used == int(any(not isinstance(answer, ConsoleError) for answer in answers))
