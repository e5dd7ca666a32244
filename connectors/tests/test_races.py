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

from accounts.models import AuditEvent, User
from connectors import authentication
from connectors.models import Connector, ConnectorSecret, Grant, Handoff, RefreshToken
from connectors.services import connectors, grants, handoffs, one_time_secrets, secrets
from connectors.services.grants import AlreadyGranted
from connectors.services.one_time_secrets import new_form_key
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.test_successors import exchange
from kaizala_console.api.errors import RefreshTokenRefused, TokenInvalid
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, ConsoleError

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


def test_of_many_claims_one_wins_and_the_others_learn_who_and_when(
    program: Program, developer: User, member: User
) -> None:
    program.connector.co_owners.add(member)
    claimants = [developer, member] * (THREADS // 2)
    results = at_once(
        *(
            partial(handoffs.claim, handoff=program.handoff, by=by, idempotency_key=new_form_key(), address=None)
            for by in claimants
        )
    )
    assert wins(results) == [program.refresh_token]
    assert {refusal.code for refusal in refusals(results)} == {"handoff_claimed"}
    winner = Handoff.objects.get().claimed_by
    assert winner is not None
    for by, result in zip(claimants, results, strict=True):
        if isinstance(result, Conflict):
            assert ("already claimed this handoff" if by == winner else winner.name) in str(result)
    assert AuditEvent.objects.filter(tag="handoff:token:claimed").count() == 1


def test_a_double_click_on_claim_shows_the_token_twice_and_claims_it_once(program: Program, developer: User) -> None:
    idempotency_key = new_form_key()
    results = at_once(
        *[lambda: handoffs.claim(handoff=program.handoff, by=developer, idempotency_key=idempotency_key, address=None)]
        * THREADS
    )
    assert results == [program.refresh_token] * THREADS
    assert AuditEvent.objects.filter(tag="handoff:token:claimed").count() == 1


def test_a_claim_against_a_refusal_has_one_end(connector: Connector, developer: User, group_admin: User) -> None:
    for _ in range(ROUNDS):
        handoff = factories.let_in(connector, group_admin).handoff
        results = at_once(
            partial(handoffs.claim, handoff=handoff, by=developer, idempotency_key=new_form_key(), address=None),
            partial(handoffs.refuse, handoff=handoff, by=developer),
        )
        assert len(wins(results)) == 1
        handoff.refresh_from_db()
        assert handoff.sealed is None


def test_a_claim_against_a_removal_never_leaves_a_token_that_works(
    connector: Connector, developer: User, group_admin: User
) -> None:
    _secret, secret = factories.make_secret(connector)
    for _ in range(ROUNDS):
        granted = factories.let_in(connector, group_admin)
        results = at_once(
            partial(
                handoffs.claim, handoff=granted.handoff, by=developer, idempotency_key=new_form_key(), address=None
            ),
            partial(grants.revoke, grant=granted.grant, by=group_admin),
        )
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


def test_a_double_click_on_create_makes_one_connector(developer: User) -> None:
    idempotency_key = new_form_key()
    results = at_once(
        *[
            lambda: connectors.create(
                owner=developer, by=developer, name="Planner", permissions=["media"], idempotency_key=idempotency_key
            )
        ]
        * THREADS
    )
    assert len(set(results)) == 1
    assert not refusals(results)
    assert Connector.objects.count() == ConnectorSecret.objects.count() == 1


def test_two_forms_with_one_name_make_one_connector(developer: User) -> None:
    results = at_once(
        *[lambda: connectors.create(owner=developer, by=developer, name="Planner", permissions=["media"])] * THREADS
    )
    assert len(wins(results)) == 1
    assert {refusal.code for refusal in refusals(results)} == {"name_taken"}


def test_many_programs_at_once_are_one_first_use(program: Program) -> None:
    results = at_once(*[lambda: exchange(program)] * THREADS)
    assert not refusals(results)
    assert AuditEvent.objects.filter(tag="grant:token:used").count() == 1


@pytest.mark.parametrize("end", ["revoke", "regenerate", "suspend", "delete"])
def test_nothing_is_accepted_after_the_end_is_committed(
    connector: Connector, developer: User, group_admin: User, end: str
) -> None:
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


def test_there_are_never_two_successors(connector: Connector, developer: User, group_admin: User) -> None:
    for _ in range(ROUNDS):
        program = aged(factories.make_program(factories.make_connector(developer), group_admin))
        results = at_once(*[partial(successor_given, program)] * THREADS)
        assert len(set(results)) == 1
        assert results[0].startswith("kzrt_")
        assert RefreshToken.objects.filter(grant=program.grant).count() == 2
        assert exchange(program, results[0]).access_token


@pytest.mark.parametrize("end", [grants.regenerate, grants.revoke])
def test_a_token_that_ends_brings_forth_no_successor_that_works(
    developer: User, group_admin: User, end: Callable[..., Any]
) -> None:
    for _ in range(ROUNDS):
        program = aged(factories.make_program(factories.make_connector(developer), group_admin))
        results = at_once(
            partial(successor_given, program),
            partial(successor_given, program),
            partial(end, grant=program.grant, by=group_admin),
        )
        assert not isinstance(results[-1], ConsoleError)
        for successor in (result for result in results[:-1] if isinstance(result, str) and result):
            with pytest.raises(RefreshTokenRefused):
                exchange(program, successor)
        assert not RefreshToken.objects.filter(
            grant=program.grant, predecessor__isnull=False, revoked_at__isnull=True
        ).exists()


def test_two_who_regenerate_at_once_leave_one_token_and_one_handoff(program: Program, group_admin: User) -> None:
    results = at_once(*[lambda: grants.regenerate(grant=program.grant, by=group_admin)] * THREADS)
    assert not refusals(results)
    assert RefreshToken.objects.filter(revoked_at__isnull=True).count() == 1
    assert Handoff.objects.waiting().count() == 1
    assert Handoff.objects.waiting().get().refresh_token == RefreshToken.objects.get(revoked_at__isnull=True)


def test_a_form_key_of_a_race_shows_nothing_to_others(program: Program, developer: User, member: User) -> None:
    program.connector.co_owners.add(member)
    idempotency_key = new_form_key()
    results = at_once(
        *(
            partial(handoffs.claim, handoff=program.handoff, by=by, idempotency_key=idempotency_key, address=None)
            for by in (developer, member)
        )
    )
    assert len(wins(results)) == 1
    loser = member if Handoff.objects.get().claimed_by == developer else developer
    assert one_time_secrets.recall(user=loser, idempotency_key=idempotency_key) is None


def test_expiry_by_two_workers_tells_once(program: Program) -> None:
    Handoff.objects.update(made_at=clock.now() - dt.timedelta(days=8), expires_at=clock.now() - dt.timedelta(days=1))
    results = at_once(*[handoffs.expire_overdue] * 3)
    assert sum(results) == 1
    assert AuditEvent.objects.filter(tag="handoff:token:expired").count() == 1
