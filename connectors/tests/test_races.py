"""Two at once, on PostgreSQL with real threads: one wins, the other learns it; nothing is accepted after its end."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import connection

from accounts.models import AuditEvent, Notice, User
from connectors import authentication
from connectors.models import (
    AccessRequest,
    Connector,
    ConnectorSecret,
    Grant,
    Handoff,
    Orphan,
    RefreshToken,
    RequestState,
)
from connectors.permissions import Permission, list_scopes
from connectors.services import (
    access_requests,
    connectors,
    grants,
    handoffs,
    one_time_secrets,
    owners,
    permissions,
    refresh_tokens,
    reminders,
    secrets,
)
from connectors.services.access_requests import new_once
from connectors.services.grants import AlreadyGranted
from connectors.services.one_time_secrets import new_form_key
from connectors.tests import factories
from connectors.tests.factories import COMMON, Program, exchange
from kaizala_console.api.errors import RefreshTokenRefused, TokenInvalid
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import ConsoleError

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

ROUNDS = 6
THREADS = 6  # more than the pool has connections: some wait for one, as in production


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run all acts in threads, started together; what each returned, or the ConsoleError that it raised."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        start.wait(timeout=10)
        try:
            return act()
        except ConsoleError as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def refusals(results: list[Any]) -> list[ConsoleError]:
    return [result for result in results if isinstance(result, ConsoleError)]


def wins(results: list[Any]) -> list[Any]:
    return [result for result in results if not isinstance(result, ConsoleError)]


def claim(handoff: Handoff, by: User, idempotency_key: str = "") -> Callable[[], str]:
    """The act of claiming it, with a form of its own unless one is named."""
    key = idempotency_key or new_form_key()
    return partial(handoffs.claim, handoff=handoff, by=by, idempotency_key=key, address=None)


class Busy:
    """A program that exchanges and calls as fast as it can, and notes what was accepted after its end."""

    WARM = 5

    def __init__(self, program: Program) -> None:
        self.program = program
        self.given: list[str] = []
        self.accepted_late: list[str] = []
        self.ended, self.done = threading.Event(), threading.Event()

    def work(self) -> None:
        """In a thread: go on until well after the end."""
        while not self.done.is_set():
            self._try("exchange", lambda: self.given.append(exchange(self.program).access_token))
            if self.given:
                self._try("call", lambda: authentication.get_access_context(self.given[-1]))

    def _try(self, name: str, act: Callable[[], Any]) -> None:
        after = self.ended.is_set()  # looked at before the request begins
        try:
            act()
        except ConsoleError:
            return
        if after:
            self.accepted_late.append(name)

    def end(self, act: Callable[[Program], Any]) -> Any:
        """In another thread: end it when it is in full swing, and let it try for a while after the commit."""
        while len(self.given) < self.WARM:
            time.sleep(0.005)
        try:
            return act(self.program)
        finally:
            self.ended.set()
            time.sleep(0.15)
            self.done.set()


@pytest.fixture(autouse=True)
def _on_postgresql() -> Iterator[None]:
    assert connection.vendor == "postgresql"
    yield
    connection.close()


def test_a_double_click_on_claim_shows_the_token_twice_and_claims_it_once(program: Program, developer: User) -> None:
    idempotency_key = new_form_key()
    results = at_once(*[claim(program.handoff, developer, idempotency_key)] * THREADS)
    assert results == [program.refresh_token] * THREADS
    assert AuditEvent.objects.filter(tag="handoff:token:claimed").count() == 1


def test_a_claim_against_a_refusal_has_one_end(connector: Connector, developer: User, group_admin: User) -> None:
    for _ in range(ROUNDS):
        handoff = factories.let_in(connector, group_admin).handoff
        results = at_once(claim(handoff, developer), partial(handoffs.refuse, handoff=handoff, by=developer))
        assert len(wins(results)) == 1
        handoff.refresh_from_db()
        assert handoff.sealed is None


def test_a_claim_against_a_removal_leaves_no_token(connector: Connector, developer: User, group_admin: User) -> None:
    _secret, secret = factories.make_secret(connector)
    for _ in range(ROUNDS):
        granted = factories.let_in(connector, group_admin)
        revoke = partial(grants.revoke, grant=granted.grant, by=group_admin)
        results = at_once(claim(granted.handoff, developer), revoke)
        assert isinstance(results[1], Grant)
        assert Handoff.objects.get(pk=granted.handoff.pk).sealed is None
        if isinstance(results[0], str):
            program = Program(connector, secret, granted.grant, granted.handoff, results[0])
            with pytest.raises(RefreshTokenRefused):
                exchange(program)


def test_of_many_grants_for_one_target_one_is_made(connector: Connector, group_admin: User) -> None:
    for number in range(ROUNDS):
        target = f"group:{number}"
        results = at_once(*[partial(factories.let_in, connector, group_admin, target=target)] * THREADS)
        assert len(wins(results)) == 1
        assert all(isinstance(refusal, AlreadyGranted) for refusal in refusals(results))
    assert Grant.objects.count() == Handoff.objects.count() == RefreshToken.objects.count() == ROUNDS


def test_a_grant_against_a_deletion_leaves_nothing_behind(developer: User, group_admin: User) -> None:
    for _ in range(ROUNDS):
        connector = factories.make_connector(developer)
        at_once(
            partial(factories.let_in, connector, group_admin),
            partial(connectors.delete, connector=connector, by=developer),
        )
    assert not Grant.objects.present().exists()
    assert not RefreshToken.objects.filter(revoked_at__isnull=True).exists()
    assert not Handoff.objects.waiting().exists()


def test_there_are_never_three_secrets(connector: Connector, developer: User) -> None:
    results = at_once(*[lambda: secrets.add(connector=connector, by=developer)] * THREADS)
    assert len(wins(results)) == 2
    assert {refusal.code for refusal in refusals(results)} == {"two_secrets"}
    assert sorted(ConnectorSecret.objects.values_list("slot", flat=True)) == [1, 2]


@pytest.mark.parametrize(("idempotency_key", "winners"), [("k" * 32, THREADS), ("", 1)])
def test_a_double_click_or_two_forms_make_one_connector(developer: User, idempotency_key: str, winners: int) -> None:
    act = partial(connectors.create, owner=developer, by=developer, name="Planner", permissions=["media"])
    results = at_once(*[partial(act, idempotency_key=idempotency_key)] * THREADS)
    assert len(wins(results)) == winners
    assert len(set(wins(results))) == 1
    assert {refusal.code for refusal in refusals(results)} <= {"name_taken"}
    assert Connector.objects.count() == ConnectorSecret.objects.count() == 1


@pytest.mark.parametrize("end", ["revoke", "regenerate", "suspend", "delete"])
def test_nothing_is_accepted_after_its_end(connector: Connector, developer: User, group_admin: User, end: str) -> None:
    """Programs exchange and call as fast as they can while the right is ended."""
    acts: dict[str, Callable[[Program], Any]] = {
        "revoke": lambda program: grants.revoke(grant=program.grant, by=group_admin),
        "regenerate": lambda program: grants.regenerate(grant=program.grant, by=group_admin),
        "suspend": lambda program: grants.suspend(grant=program.grant, by=group_admin),
        "delete": lambda program: connectors.delete(connector=program.connector, by=developer),
    }
    for _ in range(3):
        busy = Busy(factories.make_program(factories.make_connector(developer), group_admin))
        results = at_once(busy.work, busy.work, partial(busy.end, acts[end]))
        assert not isinstance(results[-1], ConsoleError)
        assert busy.accepted_late == []
        assert len(busy.given) >= Busy.WARM
        for token in busy.given:
            with pytest.raises(TokenInvalid):
                authentication.get_access_context(token)


# Successors -------------------------------------------------------------------------------------------------------


def successor_given(program: Program) -> str:
    """What an exchange gives as the successor."""
    return exchange(program).successor


def aged(program: Program) -> Program:
    """Its refresh token has lived 330 of 365 days."""
    now = clock.now()
    RefreshToken.objects.filter(grant=program.grant).update(
        issued_at=now - dt.timedelta(days=330), expires_at=now + dt.timedelta(days=35)
    )
    return program


def test_two_who_regenerate_at_once_leave_one_token_and_one_handoff(program: Program, group_admin: User) -> None:
    results = at_once(*[lambda: grants.regenerate(grant=program.grant, by=group_admin)] * THREADS)
    assert not refusals(results)
    assert RefreshToken.objects.filter(revoked_at__isnull=True).count() == 1
    assert Handoff.objects.waiting().count() == 1
    assert Handoff.objects.waiting().get().refresh_token == RefreshToken.objects.get(revoked_at__isnull=True)


def test_a_form_key_of_a_race_shows_nothing_to_others(program: Program, developer: User, member: User) -> None:
    program.connector.co_owners.add(member)
    idempotency_key = new_form_key()
    results = at_once(*(claim(program.handoff, by, idempotency_key) for by in (developer, member)))
    assert len(wins(results)) == 1
    loser = member if Handoff.objects.get().claimed_by == developer else developer
    assert one_time_secrets.recall(user=loser, idempotency_key=idempotency_key) is None


def test_expiry_by_two_workers_tells_once(program: Program) -> None:
    Handoff.objects.update(made_at=clock.now() - dt.timedelta(days=8), expires_at=clock.now() - dt.timedelta(days=1))
    results = at_once(*[handoffs.expire_overdue] * 3)
    assert sum(results) == 1
    assert AuditEvent.objects.filter(tag="handoff:token:expired").count() == 1


POLLS = Permission.ACTION_AND_RESPONSES


def test_a_form_sent_many_times_at_once_is_one_request(connector: Connector, developer: User) -> None:
    once = new_once()
    act = partial(access_requests.ask, connector=connector, by=developer, permissions=COMMON, once=once)
    assert len({request.pk for request in at_once(*[act] * THREADS)}) == 1


def test_one_group_asked_many_times_at_once_is_asked_once(connector: Connector, developer: User) -> None:
    target = f"group:{ids.new_id()}"
    acts = [
        partial(
            access_requests.ask, connector=connector, by=developer, permissions=COMMON, once=new_once(), target=target
        )
        for _thread in range(THREADS)
    ]
    results = at_once(*acts)
    assert len(wins(results)) == 1
    assert {refusal.code for refusal in refusals(results)} == {"already_asked"}


def test_of_many_answers_to_a_wish_for_more_one_counts(program: Program, developer: User, group_admin: User) -> None:
    permissions.change(connector=program.connector, permissions=COMMON | {POLLS}, by=developer)
    request = AccessRequest.objects.get()
    yes = partial(access_requests.approve_more, request=request, by=group_admin, permissions=[POLLS])
    no = partial(access_requests.refuse, request=request, by=group_admin)
    withdrawn = partial(access_requests.withdraw, request=request, by=developer)
    results = at_once(yes, no, withdrawn, yes, no, withdrawn)
    assert len(wins(results)) == 1
    request.refresh_from_db()
    program.grant.refresh_from_db()
    assert (POLLS in program.grant.permissions) is (request.state is RequestState.APPROVED)


def test_what_was_removed_is_not_approved_then(connector: Connector, developer: User, group_admin: User) -> None:
    for _round in range(ROUNDS):
        Connector.objects.filter(pk=connector.pk).update(permissions=COMMON)
        connector.refresh_from_db()
        program = factories.make_program(connector, group_admin)
        token = exchange(program).access_token
        permissions.change(connector=connector, permissions=COMMON | {POLLS}, by=developer)
        request = AccessRequest.objects.waiting().get()
        results = at_once(
            partial(access_requests.approve_more, request=request, by=group_admin, permissions=[POLLS]),
            partial(permissions.change, connector=connector, permissions=COMMON, by=developer),
        )
        assert len(wins(results)) >= 1, results
        assert authentication.get_access_context(token).scopes.isdisjoint(list_scopes([POLLS]))
        assert POLLS not in Grant.objects.get(pk=program.grant.pk).permissions
        grants.revoke(grant=program.grant, by=group_admin)
        connector.secrets.update(revoked_at=program.grant.granted_at)


@pytest.mark.parametrize("end", ["revoke", "delete"])
def test_an_answer_never_revives_what_ends_at_the_same_moment(developer: User, group_admin: User, end: str) -> None:
    for _round in range(ROUNDS):
        program = factories.make_program(factories.make_connector(developer), group_admin)
        token = exchange(program).access_token
        permissions.change(connector=program.connector, permissions=COMMON | {POLLS}, by=developer)
        request = AccessRequest.objects.waiting().get()
        ends = (
            partial(grants.revoke, grant=program.grant, by=group_admin)
            if end == "revoke"
            else partial(connectors.delete, connector=program.connector, by=developer)
        )
        at_once(partial(access_requests.approve_more, request=request, by=group_admin, permissions=[POLLS]), ends)
        with pytest.raises(TokenInvalid):
            authentication.get_access_context(token)
        assert not AccessRequest.objects.waiting().exists()


def test_a_request_expires_or_is_answered_and_never_both(program: Program, developer: User, group_admin: User) -> None:
    for _round in range(ROUNDS):
        permissions.change(connector=program.connector, permissions=COMMON | {POLLS}, by=developer)
        request = AccessRequest.objects.waiting().get()
        AccessRequest.objects.filter(pk=request.pk).update(
            expires_at=request.made_at - dt.timedelta(days=1), made_at=request.made_at - dt.timedelta(days=15)
        )
        results = at_once(
            partial(access_requests.approve_more, request=request, by=group_admin, permissions=[POLLS]),
            access_requests.expire_overdue,
        )
        request.refresh_from_db()
        assert request.state is RequestState.EXPIRED
        assert {refusal.code for refusal in refusals(results)} == {"request_expired"}
        permissions.change(connector=program.connector, permissions=COMMON, by=developer)


def old_program(developer: User, group_admin: User) -> Program:
    program = factories.make_program(factories.make_connector(developer), group_admin)
    claim(program.handoff, developer)()
    return aged(program)


def test_workers_and_exchanges_at_once_make_one_successor(developer: User, group_admin: User) -> None:
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
        assert claim(handoff, developer)() == results[2]
        assert RefreshToken.objects.filter(grant=program.grant).count() == 2
        assert Notice.objects.filter(template="connectors/handoff_rotated", user=developer).count() == 1
        Notice.objects.all().delete()


@pytest.mark.parametrize("end", [grants.regenerate, grants.revoke])
def test_a_worker_against_an_end_leaves_nothing(developer: User, group_admin: User, end: Callable[..., Any]) -> None:
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
