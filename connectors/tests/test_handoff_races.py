"""All that can happen to a handoff at the same moment as something else, on PostgreSQL with real threads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from django.db import connection

from accounts.models import AuditEvent, User
from connectors.models import Connector, Handoff, HandoffState, RefreshToken
from connectors.services import grants, handoffs, public_keys, refresh_tokens
from connectors.services.one_time_secrets import new_form_key
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.keys import x25519
from connectors.tests.test_claim_races import by_program
from connectors.tests.test_races import ROUNDS, aged, at_once, refusals, wins
from connectors.tests.test_successors import exchange
from kaizala_console.api.errors import RefreshTokenRefused
from kaizala_console.lib import clock
from kaizala_console.lib.errors import ConsoleError

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _on_postgresql() -> Iterator[None]:
    assert connection.vendor == "postgresql"
    yield
    connection.close()


@pytest.fixture
def programs(developer: User, group_admin: User) -> Callable[[], Iterator[Program]]:
    """A fresh program for each round."""

    def programs() -> Iterator[Program]:
        for _round in range(ROUNDS):
            yield factories.make_program(factories.make_connector(developer), group_admin)

    return programs


Programs = Callable[[], Iterator[Program]]


def by_page(program: Program, by: User) -> str:
    return handoffs.claim(handoff=program.handoff, by=by, idempotency_key=new_form_key(), address=None)


def expire_at(moment: dt.datetime) -> int:
    while clock.now() < moment:
        pass
    return handoffs.expire_overdue()


def ended_once(program: Program) -> HandoffState:
    """Wiped, with one end in the trail."""
    handoff = Handoff.objects.get(pk=program.handoff.pk)
    assert handoff.sealed is None
    ends = ["claimed", "refused", "expired"]
    told = AuditEvent.objects.filter(
        tag__in=[f"handoff:token:{end}" for end in ends], subject_id=str(program.handoff.pk)
    )
    assert told.count() <= 1
    return handoff.state


def test_a_claim_against_the_deadline(programs: Programs, developer: User) -> None:
    for program in programs():
        soon = clock.now() + dt.timedelta(milliseconds=40)
        Handoff.objects.filter(pk=program.handoff.pk).update(
            made_at=soon - dt.timedelta(days=7), sealed_at=soon, expires_at=soon
        )

        claimed, taken, _ended = at_once(
            partial(by_page, program, developer), partial(by_program, program, named=True), partial(expire_at, soon)
        )
        handoffs.expire_overdue()
        given = [result for result in (claimed, taken) if not isinstance(result, ConsoleError)]
        assert len(given) == int(ended_once(program) is HandoffState.CLAIMED)


def test_showing_it_to_the_admin_against_a_claim_and_a_removal(
    programs: Programs, developer: User, group_admin: User
) -> None:
    for program in programs():
        shown, claimed, removed = at_once(
            partial(handoffs.reveal, handoff=program.handoff, by=group_admin, idempotency_key=new_form_key()),
            partial(by_page, program, developer),
            partial(grants.revoke, grant=program.grant, by=group_admin),
        )
        assert not isinstance(removed, ConsoleError)
        assert {text for text in (shown, claimed) if isinstance(text, str)} <= {program.refresh_token}
        assert Handoff.objects.get(pk=program.handoff.pk).sealed is None
        with pytest.raises(RefreshTokenRefused):
            exchange(program)


def test_issued_again_by_both_sides_at_once_it_is_one_new_one(
    programs: Programs, developer: User, group_admin: User
) -> None:
    for program in programs():
        handoffs.refuse(handoff=program.handoff, by=developer)
        results = at_once(
            *[partial(handoffs.reissue, handoff=program.handoff, by=by) for by in (developer, group_admin)] * 2
        )
        assert not refusals(results)
        assert len(set(results)) == 1
        assert RefreshToken.objects.filter(grant=program.grant, revoked_at=None).count() == 1


def test_issued_again_against_a_claim_leaves_one_token_that_somebody_can_have(
    programs: Programs, developer: User, group_admin: User
) -> None:
    """It is claimed, and then replaced; or replaced, and then claimed; never neither, and never both at work."""
    for program in programs():
        again, claimed = at_once(
            partial(handoffs.reissue, handoff=program.handoff, by=group_admin), partial(by_program, program)
        )
        assert isinstance(again, Handoff)
        live = RefreshToken.objects.get(grant=program.grant, revoked_at=None)
        assert live.pk == again.refresh_token_id
        again.refresh_from_db()
        if again.claimed_at is None:
            text = handoffs.claim(handoff=again, by=developer, idempotency_key=new_form_key(), address=None)
        else:
            text = claimed.text
        assert exchange(program, text).access_token


def test_regenerate_issue_again_and_remove_at_once(programs: Programs, developer: User, group_admin: User) -> None:
    for program in programs():
        *_others, removed = at_once(
            partial(grants.regenerate, grant=program.grant, by=group_admin, instead_of=program.handoff),
            partial(handoffs.reissue, handoff=program.handoff, by=developer),
            partial(by_page, program, developer),
            partial(grants.revoke, grant=program.grant, by=group_admin),
        )
        assert not isinstance(removed, ConsoleError)
        assert not RefreshToken.objects.filter(grant=program.grant, revoked_at=None).exists()
        assert not Handoff.objects.filter(grant=program.grant, sealed__isnull=False).exists()


def test_the_worker_against_issuing_again_hands_over_one_successor(
    programs: Programs, developer: User, group_admin: User
) -> None:
    for program in programs():
        by_page(program, developer)
        aged(program)
        refresh_tokens.rotate_due()
        first = Handoff.objects.waiting().get(grant=program.grant)
        handoffs.refuse(handoff=first, by=developer)
        again, other, rotated = at_once(
            partial(handoffs.reissue, handoff=first, by=developer),
            partial(handoffs.reissue, handoff=first, by=group_admin),
            refresh_tokens.rotate_due,
        )
        assert (again, rotated) == (other, 0)
        assert exchange(program).access_token, "the token in use goes on"
        text = handoffs.claim(handoff=again, by=developer, idempotency_key=new_form_key(), address=None)
        assert exchange(program).successor == text


def test_a_key_that_is_registered_or_removed_meanwhile_leaves_each_token_openable(
    developer: User, group_admin: User
) -> None:
    for _round in range(ROUNDS):
        connector = factories.make_connector(developer)
        pair = x25519()
        key, granted = at_once(
            partial(public_keys.register, connector=connector, by=developer, public_key=pair.public_jwk),
            partial(factories.let_in, connector, group_admin),
        )
        removed, second = at_once(
            partial(public_keys.remove, key=key, by=developer), partial(factories.let_in, connector, group_admin)
        )
        assert not refusals([key, granted, removed, second])
        for handoff in (granted.handoff, second.handoff):
            handoff = Handoff.objects.get(pk=handoff.pk)
            sealed = refresh_tokens.unseal(handoff)
            assert (pair.opens(sealed) if handoff.is_sealed_to_key else sealed).startswith("kzrt_")


def test_two_keys_at_once_leave_one_that_counts(connector: Connector, developer: User) -> None:
    pairs = [x25519() for _number in range(4)]
    results = at_once(
        *(
            partial(public_keys.register, connector=connector, by=developer, public_key=pair.public_jwk)
            for pair in pairs
        )
    )
    assert len(wins(results)) == 4
    assert connector.keys.live().count() == 1
