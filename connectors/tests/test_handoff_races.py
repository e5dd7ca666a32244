"""What can happen to a handoff or a grant at the same moment as something else, on PostgreSQL with real threads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from accounts.models import AuditEvent, Notice, User
from connectors.models import Connector, Grant, Handoff, HandoffState, OneTimeSecret, RefreshToken
from connectors.services import connectors, grants, handoffs, public_keys, refresh_tokens, reminders, token_exchange
from connectors.services.handoffs import HandoffClaim
from connectors.services.one_time_secrets import new_form_key
from connectors.tests import factories
from connectors.tests.factories import Program, exchange
from connectors.tests.keys import x25519
from connectors.tests.test_races import ROUNDS, THREADS, aged, at_once, refusals, wins
from connectors.tests.webhook_cast import make_webhook
from kaizala_console.api.errors import RefreshTokenRefused
from kaizala_console.lib import clock
from kaizala_console.lib.errors import ConsoleError

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]
Programs = Callable[[], Iterator[Program]]
DAY = dt.timedelta(days=1)
End = Callable[[Program], Any]


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


def by_page(program: Program, by: User) -> str:
    return handoffs.claim(handoff=program.handoff, by=by, idempotency_key=new_form_key(), address="192.0.2.7")


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


def test_showing_it_against_a_claim_and_a_removal(programs: Programs, developer: User, group_admin: User) -> None:
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


def test_issued_again_by_both_sides_it_is_one_new_one(programs: Programs, developer: User, group_admin: User) -> None:
    for program in programs():
        handoffs.refuse(handoff=program.handoff, by=developer)
        results = at_once(
            *[partial(handoffs.reissue, handoff=program.handoff, by=by) for by in (developer, group_admin)] * 2
        )
        assert not refusals(results)
        assert len(set(results)) == 1
        assert RefreshToken.objects.filter(grant=program.grant, revoked_at=None).count() == 1


def test_issued_again_against_a_claim_leaves_one_token(programs: Programs, developer: User, group_admin: User) -> None:
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


def test_a_key_that_changes_meanwhile_leaves_each_token_openable(developer: User, group_admin: User) -> None:
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


def by_program(program: Program, *, named: bool = False, key: str = "") -> HandoffClaim:
    return handoffs.claim_by_program(
        connector_id=str(program.connector.pk),
        secret=program.secret,
        handoff_id=program.handoff.pk if named else None,
        retry_key=key,
        address="198.51.100.9",
    )


# Programs and pages claim ----------------------------------------------------------------------------------------


def test_of_programs_and_pages_one_wins_and_the_others_learn_who(programs: Programs, developer: User) -> None:
    for program in programs():
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


def test_programs_that_ask_at_once_get_one_handoff_each(program: Program, group_admin: User) -> None:
    for n in range(THREADS - 1):
        factories.let_in(program.connector, group_admin, target_name=f"Group {n}")
    results = at_once(*[partial(by_program, program)] * (THREADS + 2))
    assert len({claimed.text for claimed in wins(results)}) == THREADS
    assert [refusal.code for refusal in refusals(results)] == ["nothing_waits"] * 2
    for claimed in wins(results):
        assert exchange(program, claimed.text).access_token


def test_one_claim_sent_many_times_at_once_opens_one_handoff(program: Program, group_admin: User) -> None:
    factories.let_in(program.connector, group_admin)
    results = at_once(*[partial(by_program, program, key="a-key-made-up-for-this-claim")] * THREADS)
    assert len({claimed.text for claimed in wins(results)}) == 1
    assert not refusals(results)
    assert Handoff.objects.waiting().count() == 1
    assert OneTimeSecret.objects.count() == 1


@pytest.mark.parametrize("end", [grants.regenerate, grants.revoke])
def test_what_a_program_claims_while_it_is_ended_does_not_work(
    programs: Programs, group_admin: User, end: Callable[..., Any]
) -> None:
    for program in programs():
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


def test_of_many_workers_at_once_one_tells_of_a_webhook(
    program: Program, developer: User, travel: Callable[..., dt.datetime]
) -> None:
    for _webhook in range(3):
        make_webhook(program.grant, "https://hooks.example.com/in", uuid4(), expires_at=clock.now() + 31 * DAY)
    travel(days=2)
    at_once(*[reminders.remind] * THREADS)
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
    looked: Callable[..., Any] = token_exchange.get_access_end

    def slowly(*arguments: Any) -> Any:
        _, ended = at_once(lambda: None, partial(ends[end], program))
        assert not isinstance(ended, ConsoleError)
        return looked(*arguments)

    monkeypatch.setattr(token_exchange, "get_access_end", slowly)
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
