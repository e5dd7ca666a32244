"""Programs and pages that claim at the same moment, on PostgreSQL with real threads: one wins, the others learn who."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection

from accounts.models import AuditEvent, User
from connectors.models import Connector, Handoff, HandoffClaimReplay, RefreshToken
from connectors.services import grants, handoffs
from connectors.services.handoffs import HandoffClaim
from connectors.services.one_time_secrets import new_form_key
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.test_races import ROUNDS, THREADS, at_once, refusals, wins
from connectors.tests.test_successors import exchange
from kaizala_console.api.errors import RefreshTokenRefused
from kaizala_console.lib.errors import ConsoleError

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _on_postgresql() -> Any:
    assert connection.vendor == "postgresql"
    yield
    connection.close()


def by_program(program: Program, *, named: bool = False, key: str = "", address: str = "198.51.100.9") -> HandoffClaim:
    return handoffs.claim_by_program(
        connector_id=str(program.connector.pk),
        secret=program.secret,
        handoff_id=program.handoff.pk if named else None,
        retry_key=key,
        address=address,
    )


def by_page(program: Program, by: User) -> str:
    return handoffs.claim(handoff=program.handoff, by=by, idempotency_key=new_form_key(), address="192.0.2.7")


def test_of_programs_and_pages_one_wins_and_the_others_learn_who_and_from_where(
    developer: User, group_admin: User
) -> None:
    for _ in range(ROUNDS):
        program = factories.make_program(factories.make_connector(developer), group_admin)
        acts: list[Callable[[], Any]] = [partial(by_program, program, named=True), partial(by_program, program)]
        acts += [partial(by_page, program, developer)] * 2
        results = at_once(*acts)
        assert len(wins(results)) == 1
        handoff = Handoff.objects.get(pk=program.handoff.pk)
        for act, refusal in zip(acts, results, strict=True):
            if not isinstance(refusal, ConsoleError):
                continue
            by_the_same_person = act in acts[2:] and not handoff.claimed_by_program
            expected = "already claimed this handoff" if by_the_same_person else str(handoff.claimed_from)
            assert expected in str(refusal)
        claimed = AuditEvent.objects.filter(tag="handoff:token:claimed", subject_id=str(handoff.pk))
        assert claimed.count() == 1


def test_programs_that_ask_at_once_get_one_handoff_each(connector: Connector, group_admin: User) -> None:
    program = factories.make_program(connector, group_admin)
    for n in range(THREADS - 1):
        factories.let_in(connector, group_admin, target_name=f"Group {n}")
    results = at_once(*[partial(by_program, program)] * (THREADS + 2))
    assert len({claimed.text for claimed in wins(results)}) == THREADS
    assert [refusal.code for refusal in refusals(results)] == ["nothing_waits"] * 2
    for claimed in wins(results):
        assert exchange(program, claimed.text).access_token


def test_one_claim_sent_many_times_at_once_opens_one_handoff(connector: Connector, group_admin: User) -> None:
    program = factories.make_program(connector, group_admin)
    factories.let_in(connector, group_admin)
    results = at_once(*[partial(by_program, program, key="a-key-made-up-for-this-claim")] * THREADS)
    assert len({claimed.text for claimed in wins(results)}) == 1
    assert not refusals(results)
    assert Handoff.objects.waiting().count() == 1
    assert HandoffClaimReplay.objects.count() == 1


@pytest.mark.parametrize("end", [grants.regenerate, grants.revoke])
def test_what_a_program_claims_while_it_is_ended_does_not_work(
    developer: User, group_admin: User, end: Callable[..., Any]
) -> None:
    for _ in range(ROUNDS):
        program = factories.make_program(factories.make_connector(developer), group_admin)
        first, ended = at_once(
            partial(by_program, program, named=True, key="a-key-made-up-for-this-claim"),
            partial(end, grant=program.grant, by=group_admin),
        )
        assert not isinstance(ended, ConsoleError)
        if isinstance(first, HandoffClaim):
            with pytest.raises(RefreshTokenRefused):
                exchange(program, first.text)
        assert not Handoff.objects.filter(pk=program.handoff.pk, sealed__isnull=False).exists()
        live = RefreshToken.objects.filter(grant=program.grant, revoked_at__isnull=True).count()
        assert live == (1 if end is grants.regenerate else 0)
