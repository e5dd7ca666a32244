"""Two at once, on PostgreSQL with real threads: bots that end, likes that are one, and readers that miss nothing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import AuditEvent, User
from connectors import authentication
from connectors.models import Bot
from connectors.services import bots
from groups import access
from groups.models import Group, GroupBot, Message, Reaction
from groups.queries import reactions as reaction_queries
from groups.services import bots as group_bots
from groups.services import messages, reactions
from groups.tests.conftest import Wire
from groups.tests.factories import Program, person_of
from kaizala_console.lib.errors import ConsoleError, NotFound, RuleBroken

pytestmark = pytest.mark.services
Together = Callable[[int, Callable[[], Any]], list[Any]]
THREADS = 6


@pytest.fixture
def message(group: Group, group_admin: User) -> Message:
    return messages.post(group=group, text="Rota is out", person=person_of(group_admin), by=group_admin)


@pytest.fixture
def bot(program: Program) -> Bot:
    return bots.create(
        connector=program.connector,
        name="Rota",
        picture_url="",
        by=authentication.get_access_context(program.access_token),
    )


def each(acts: list[Callable[[], Any]]) -> Callable[[], Any]:
    """An act for `together` of which every thread does another one."""
    lock, left = threading.Lock(), list(acts)

    def act() -> Any:
        with lock:
            mine = left.pop()
        return mine()

    return act


def react(program: Program, group_id: Any, message: Message, kind: str, comment: str = "") -> Reaction:
    caller = authentication.get_access_context(program.access_token)
    group = access.reach(caller, group_id)
    return reactions.react(group=group, reference_id=message.pk, kind=kind, comment=comment, by=caller)


def test_many_likes_at_once_are_one(together: Together, program: Program, group: Group, message: Message) -> None:
    for _ in range(3):
        Reaction.objects.all().delete()
        results = together(THREADS, lambda: react(program, group.pk, message, "Like"))
        assert len({reaction.pk for reaction in results}) == 1
        assert Reaction.objects.count() == 1


def test_a_reader_who_goes_on_from_each_cursor_misses_nothing(
    together: Together, program: Program, group: Group, message: Message
) -> None:
    writers_left = [THREADS - 1]
    seen: list[str] = []

    def write() -> None:
        try:
            for number in range(12):
                react(program, group.pk, message, "Comment", f"{threading.get_ident()}:{number}")
        finally:
            writers_left[0] -= 1

    def read() -> None:
        cursor, over = "", False
        while True:
            over = writers_left[0] == 0
            page, following = reaction_queries.detail_page(message.pk, None, cursor)
            seen.extend(str(detail.reaction_id) for detail in page)
            cursor = str(following) if following else cursor
            if over and not page:
                return

    results = together(THREADS, each([read, *[write] * (THREADS - 1)]))
    assert results == [None] * THREADS
    assert len(seen) == len(set(seen)) == Reaction.objects.count() == 12 * (THREADS - 1)


@pytest.mark.parametrize("end", ["deleted", "taken out"])
def test_no_call_of_a_bot_is_accepted_after_its_end_is_committed(
    together: Together, program: Program, group: Group, bot: Bot, end: str
) -> None:
    by = authentication.get_access_context(program.access_token)
    group_bots.add(group=group, bot_ids=[str(bot.pk)], by=by)
    token = bots.access_token(bot_id=str(bot.pk), by=by).access_token
    ended, done = threading.Event(), threading.Event()
    accepted: list[bool] = []

    def call() -> None:
        while not done.is_set():
            after = ended.is_set()  # looked at before the call begins
            try:
                access.reach(authentication.get_access_context(token), group.pk)
            except ConsoleError:
                continue
            accepted.append(after)

    def stop() -> None:
        while len(accepted) < 10:
            time.sleep(0.002)
        if end == "deleted":
            bots.remove(connector=by.connector, bot_id=str(bot.pk), by=by)
        else:
            group_bots.remove(group=group, bot_id=str(bot.pk), by=by)
        ended.set()
        time.sleep(0.1)
        done.set()

    assert together(4, each([call, call, call, stop])) == [None] * 4
    assert len(accepted) >= 10
    assert not any(accepted)


def test_there_are_never_more_bots_than_a_connector_may_have(together: Together, program: Program) -> None:
    by = authentication.get_access_context(program.access_token)
    Bot.objects.bulk_create([Bot(connector=program.connector, name=str(n)) for n in range(bots.MOST_BOTS - 1)])
    results = together(THREADS, lambda: bots.create(connector=by.connector, name="One more", picture_url="", by=by))
    assert len([result for result in results if isinstance(result, Bot)]) == 1
    assert len([result for result in results if isinstance(result, RuleBroken)]) == THREADS - 1
    assert Bot.objects.count() == bots.MOST_BOTS


def test_a_bot_that_is_added_many_times_at_once_is_added_and_told_of_once(
    together: Together, program: Program, group: Group, bot: Bot
) -> None:
    by = authentication.get_access_context(program.access_token)
    assert together(THREADS, lambda: group_bots.add(group=group, bot_ids=[str(bot.pk)], by=by)) == [None] * THREADS
    assert GroupBot.objects.count() == 1
    assert AuditEvent.objects.filter(tag="group:bot:added").count() == 1


def test_of_many_who_delete_a_bot_one_does(together: Together, program: Program, bot: Bot) -> None:
    by = authentication.get_access_context(program.access_token)
    results = together(THREADS, lambda: bots.remove(connector=by.connector, bot_id=str(bot.pk), by=by))
    assert results.count(None) == 1
    assert len([result for result in results if isinstance(result, NotFound)]) == THREADS - 1
    assert AuditEvent.objects.filter(tag="connector:bot:removed").count() == 1


def test_a_program_that_likes_twice_at_once_over_http_gets_one_id(
    together: Together, wire: Wire, program: Program, group: Group, message: Message
) -> None:
    sent = json.dumps({"referenceId": str(message.pk), "reactionType": "Like"})
    answers = together(THREADS, lambda: wire.post(f"/v1/groups/{group.pk}/reaction", sent, program))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["reactionId"] for answer in answers}) == 1
