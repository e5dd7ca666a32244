"""Two at once, on PostgreSQL with real threads: bots, likes, readers that miss nothing, uploads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import AuditEvent, Organisation, User
from connectors import authentication
from connectors.models import Bot
from connectors.services import bots
from groups import access
from groups.models import BulkJob, Group, GroupBot, GroupLink, Membership, Message, Reaction
from groups.queries import reactions as reaction_queries
from groups.services import bots as group_bots
from groups.services import members, messages, reactions
from groups.services.bulk import jobs as bulk
from groups.tests.bulk import checked, uploaded, uploaded_mapping
from groups.tests.factories import Program, make_group, person_of
from kaizala_console.lib.errors import ConsoleError, NotFound, RuleBroken

pytestmark = pytest.mark.services

Together = Callable[..., list[Any]]
THREADS = 6


@pytest.fixture
def message(group: Group, group_admin: User) -> Message:
    return messages.post(group=group, text="Rota is out", person=person_of(group_admin), by=group_admin)


@pytest.fixture
def bot(program: Program) -> Bot:
    by = authentication.get_access_context(program.access_token)
    return bots.create(connector=program.connector, name="Rota", picture_url="", by=by)


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


MANY = "Phone number\n" + "".join(f"+9198{n:08}\n" for n in range(1200))


@pytest.fixture
def group(organisation: Organisation, group_admin: User) -> Group:
    return make_group(organisation=organisation, admins=[group_admin])


@pytest.fixture(autouse=True)
def _by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is woken: the tests say who works."""
    monkeypatch.setattr(bulk, "after_commit", lambda *_args, **_kwargs: None)


def test_of_several_workers_one_does_it(together: Together, group: Group, group_admin: User) -> None:
    job = checked(uploaded(group, group_admin, MANY))
    bulk.go_on(job=job, by=group_admin)
    assert sorted(together(4, lambda: bulk.work(job_id=job.pk))) == [False, False, False, True]
    job.refresh_from_db()
    assert (job.state, job.counts) == ("done", {"added": 1200})
    assert Membership.objects.filter(group=group).count() == 1201
    assert AuditEvent.objects.filter(tag="bulk:job:finished").count() == 1


def test_of_going_on_and_cancelling_at_once_the_job_keeps_one_story(
    together: Together, group: Group, group_admin: User
) -> None:
    job = checked(uploaded(group, group_admin, MANY))
    turns = iter([bulk.go_on, bulk.cancel] * 2)
    acts = [next(turns) for _turn in range(4)]
    together(4, lambda: acts.pop()(job=job, by=group_admin))
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert not bulk.work(job_id=job.pk)
    assert Membership.objects.filter(group=group).count() == 1


def test_two_files_and_a_hand_at_once_leave_an_admin(
    together: Together, group: Group, group_admin: User, member: User
) -> None:
    Membership.objects.create(group=group, person=person_of(member), role="Admin")
    first = checked(uploaded(group, group_admin, f"number,action\n{person_of(group_admin).number},remove\n"))
    second = checked(uploaded(group, group_admin, f"number,action\n{person_of(member).number},remove\n"))
    for job in (first, second):
        bulk.go_on(job=job, by=group_admin)
    person = person_of(member)
    acts = [
        lambda: bulk.work(job_id=first.pk),
        lambda: bulk.work(job_id=second.pk),
        lambda: members.set_role(group=group, person_id=person.pk, role=members.Role.MEMBER, by=group_admin),
    ]
    together(3, lambda: acts.pop()())
    assert Membership.objects.admins().filter(group=group).count() == 1


def test_two_files_that_close_a_circle_together_do_not(
    together: Together, organisation: Organisation, organisation_admin: User
) -> None:
    for name in "ABCD":
        make_group(name, organisation=organisation)
    header = "Group name,Parent group name\n"
    jobs = [
        checked(uploaded_mapping(organisation, organisation_admin, header + lines))
        for lines in ("B,A\nD,C\n", "C,B\nA,D\n")
    ]
    for job in jobs:
        bulk.go_on(job=job, by=organisation_admin)
    together(2, lambda: bulk.work(job_id=jobs.pop().pk))
    links = dict(GroupLink.objects.values_list("child__name", "parent__name"))
    assert len(links) == 3, "the fourth would close it"
    assert sorted(job.counts.get("refused", 0) for job in BulkJob.objects.all()) == [0, 1]
