"""The whole life of refresh tokens and their handoffs, in any order of acts, against a small model of what must hold.

One live handoff a grant; no token lost: what waits can be opened and works, what was given goes on working until
somebody ends it, and as long as the access stands a new one can be had; no way from revoked to accepted. The model
knows what people know: which token was handed to whom, and what was ended. Hypothesis looks for an order of acts in
which the console disagrees.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import pytest
import time_machine
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.tests import factories as people
from connectors.models import Connector, Grant, Handoff, HandoffState, RefreshToken
from connectors.services import connectors, grants, handoffs, public_keys, refresh_tokens, token_exchange
from connectors.services.one_time_secrets import new_form_key
from connectors.tests import factories
from connectors.tests.keys import Pair, p256, x25519
from kaizala_console.lib import clock
from kaizala_console.lib.errors import ConsoleError

pytestmark = pytest.mark.postgresql

YEAR, SUCCESSOR_FROM = dt.timedelta(days=365), dt.timedelta(days=328)
A_MOMENT = dt.timedelta(milliseconds=20)
MOST_GRANTS = 3
pick = st.integers(min_value=0, max_value=10**6)


@dataclass
class Token:
    """A refresh token that somebody was given. `ended` is for good."""

    text: str = field(repr=False)
    access: Access
    issued_at: dt.datetime
    expires_at: dt.datetime
    ended: bool = False
    successor: str = field(default="", repr=False)


@dataclass
class Access:
    """A grant as the model sees it; `waits` is the handoff that can be claimed, by its key, with its deadline."""

    grant: Grant
    ends_at: dt.datetime | None
    waits: Handoff | None = None
    revoked: bool = False
    suspended: bool = False

    def is_over(self, now: dt.datetime) -> bool:
        return self.revoked or (self.ends_at is not None and self.ends_at <= now)


class World(RuleBasedStateMachine):
    """What people know, and what must follow from it."""

    connector: Connector
    secret: str

    def __init__(self) -> None:
        super().__init__()
        # It stands still while somebody acts, so that the model and the console look at one moment, and then goes on by
        # itself: of what is made at one moment chance says which comes first, and no order of acts could be repeated.
        self.clock = time_machine.travel(dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC), tick=False)
        self.time = self.clock.start()
        self.world = transaction.atomic()
        self.world.__enter__()
        self.accesses: list[Access] = []
        self.tokens: dict[str, Token] = {}
        self.revoked_rows: set[int] = set()
        self.pairs: dict[str, Pair] = {}
        self.suspended = self.deleted = False
        self.names = count(1)

    @invariant()
    def the_clock_goes_on(self) -> None:
        self.time.shift(A_MOMENT)

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.world.__exit__(None, None, None)
        self.clock.stop()

    def happens(self, expected: bool, act: Callable[[], Any]) -> Any:
        """Do it. It works exactly when the model says so; a refusal changes nothing (its savepoint is rolled back)."""
        result, refusal = None, None
        try:
            with transaction.atomic():
                result = act()
        except ConsoleError as refused:
            refusal = refused
        assert (refusal is None) == expected, f"refused: {refusal!r}" if refusal else "it worked, and should not have"
        return result

    def some_access(self, number: int) -> Access:
        return self.accesses[number % len(self.accesses)]

    def some_handoff(self, number: int) -> tuple[Access, Handoff]:
        access = self.some_access(number)
        found = list(access.grant.handoffs.order_by("-made_at", "-id")[:3])
        return access, found[number // 7 % len(found)]

    def fresh(self) -> Connector:
        return Connector.objects.get(pk=self.connector.pk)

    def can_be_claimed(self, access: Access, handoff: Handoff) -> bool:
        now = clock.now()
        return access.waits == handoff and handoff.expires_at > now and not access.is_over(now)

    def can_be_made_anew(self, access: Access) -> bool:
        return not self.suspended and not self.deleted and not access.is_over(clock.now())

    def is_successor_that_nobody_opened(self, handoff: Handoff) -> bool:
        token = handoff.refresh_token
        opened = token.handoffs.exclude(claimed_at=None, revealed_at=None).exists()
        return token.predecessor_id is not None and token.is_live(clock.now()) and not opened

    def is_accepted(self, token: Token) -> bool:
        now, access = clock.now(), token.access
        stopped = self.deleted or self.suspended or access.suspended or access.is_over(now)
        return not token.ended and token.expires_at > now and not stopped

    def program_claims(self, handoff: Handoff | None) -> handoffs.HandoffClaim:
        return handoffs.claim_by_program(
            connector_id=str(self.connector.pk),
            secret=self.secret,
            handoff_id=handoff.pk if handoff else None,
            retry_key="",
            address=None,
        )

    def exchanges(self, text: str, *, look: bool = False) -> token_exchange.Exchange:
        """Trade a token; with `look`, without leaving a trace."""
        with transaction.atomic():
            answer = token_exchange.exchange(
                connector_id=str(self.connector.pk), secret=self.secret, refresh_token=text, address=None
            )
            if look:
                transaction.set_rollback(True)
        return answer

    def received(self, access: Access, handoff: Handoff, text: str) -> None:
        """What a claim gave away: with the right private key it is a token that works."""
        access.waits = None
        assert Handoff.objects.get(pk=handoff.pk).state is HandoffState.CLAIMED
        self.knows(access, handoff, self.pairs[handoff.sealed_to].opens(text) if handoff.is_sealed_to_key else text)

    def knows(self, access: Access, handoff: Handoff | None, text: str) -> None:
        if text in self.tokens:
            assert handoff is None or self.tokens[text].access is access
            return
        row = RefreshToken.objects.get(public_part=text[5 : 5 + 16])
        assert row.grant_id == access.grant.pk
        # An end that was moved nearer leaves the token its own, and refuses it all the same.
        assert row.expires_at in (row.issued_at + YEAR, access.ends_at)
        assert handoff is None or handoff.refresh_token_id == row.pk
        self.tokens[text] = Token(text, access, row.issued_at, row.expires_at)

    def all_end(self, access: Access) -> None:
        for token in self.tokens.values():
            if token.access is access:
                token.ended = True


class Life(World):
    """Developer, admin, program, worker and clock, each doing anything at any time."""

    @initialize()
    def begin(self) -> None:
        organisation = people.make_organisation(f"Contoso {id(self)}")
        self.developer = people.make_user("Devika Rao", organisation)
        self.admin = people.make_user("Arjun Mehta", organisation)
        self.connector = factories.make_connector(self.developer, "Shift Planner")
        _secret, self.secret = factories.make_secret(self.connector)
        self.let_in(ends=None)

    # What people and programs do -----------------------------------------------------------------------------------

    @precondition(lambda self: len(self.accesses) < MOST_GRANTS)
    @rule(ends=st.none() | st.integers(min_value=1, max_value=800))
    def let_in(self, ends: int | None) -> None:
        ends_at = None if ends is None else clock.now() + dt.timedelta(days=ends)
        granted = self.happens(
            not self.suspended and not self.deleted,
            lambda: factories.let_in(
                self.fresh(), self.admin, target_name=f"Group {next(self.names)}", ends_at=ends_at
            ),
        )
        if granted is not None:
            self.accesses.append(Access(granted.grant, ends_at, waits=granted.handoff))

    @rule(number=pick, days=st.none() | st.integers(min_value=1, max_value=800))
    def move_the_end(self, number: int, days: int | None) -> None:
        access, now = self.some_access(number), clock.now()
        before, ends_at = access.ends_at, None if days is None else now + dt.timedelta(days=days)
        moved = self.happens(
            not access.is_over(now), lambda: grants.move(grant=access.grant, ends_at=ends_at, by=self.admin)
        )
        if moved is None or before == ends_at:
            return
        access.ends_at = ends_at
        for token in self.tokens.values():
            if token.access is access and not token.ended and token.expires_at == before:
                token.expires_at = min(token.issued_at + YEAR, ends_at or token.issued_at + YEAR)

    @rule(number=pick)
    def claim_on_the_page(self, number: int) -> None:
        access, handoff = self.some_handoff(number)
        text = self.happens(
            not self.deleted and self.can_be_claimed(access, handoff),
            lambda: handoffs.claim(handoff=handoff, by=self.developer, idempotency_key=new_form_key(), address=None),
        )
        if text is not None:
            self.received(access, handoff, text)

    @rule(number=pick)
    def claim_by_program(self, number: int) -> None:
        access, handoff = self.some_handoff(number)
        claimed = self.happens(
            not self.suspended and not self.deleted and self.can_be_claimed(access, handoff),
            lambda: self.program_claims(handoff),
        )
        if claimed is not None:
            self.received(access, handoff, claimed.text)

    @rule()
    def claim_whatever_waits(self) -> None:
        waiting = [access for access in self.accesses if access.waits and self.can_be_claimed(access, access.waits)]
        claimed = self.happens(
            bool(waiting) and not self.suspended and not self.deleted, lambda: self.program_claims(None)
        )
        if claimed is not None:
            access = next(access for access in waiting if access.waits == claimed.handoff)
            self.received(access, claimed.handoff, claimed.text)

    @rule(number=pick)
    def show_to_the_admin(self, number: int) -> None:
        access, handoff = self.some_handoff(number)
        text = self.happens(
            self.can_be_claimed(access, handoff)
            and not handoff.is_sealed_to_key
            and handoff.revealed_at is None
            and handoff.made_by == self.admin,
            lambda: handoffs.reveal(handoff=handoff, by=self.admin, idempotency_key=new_form_key()),
        )
        if text is not None:
            self.knows(access, handoff, text)

    @rule(number=pick)
    def refuse(self, number: int) -> None:
        access, handoff = self.some_handoff(number)
        can = not self.deleted and access.waits == handoff
        if self.happens(can, lambda: handoffs.refuse(handoff=handoff, by=self.developer)):
            access.waits = None

    @rule(number=pick, by_developer=st.booleans())
    def issue_again(self, number: int, by_developer: bool) -> None:
        access, handoff = self.some_handoff(number)
        by = self.developer if by_developer else self.admin
        newer = access.grant.handoffs.filter(made_at__gt=handoff.made_at).order_by("-made_at")
        led_to = next((one for one in newer if one.claimed_at or self.can_be_claimed(access, one)), None)
        can = not access.revoked and not self.deleted and (led_to is not None or self.can_be_made_anew(access))
        before = set(access.grant.refresh_tokens.values_list("pk", flat=True))
        unopened = self.is_successor_that_nobody_opened(handoff)
        again = self.happens(can, lambda: handoffs.reissue(handoff=handoff, by=by))
        if again is None:
            return
        if led_to is not None:
            assert again == led_to, "what was issued in its place, and may be in use by now"
            return
        if again.refresh_token_id not in before:
            assert not unopened, "the token before a successor ended with it"
            self.all_end(access)
        access.waits = again

    @rule(number=pick, from_an_open_page=st.booleans())
    def regenerate(self, number: int, from_an_open_page: bool) -> None:
        access, shown = self.some_handoff(number)
        newest = access.grant.handoffs.order_by("-made_at", "-id").first()
        over = from_an_open_page and shown != newest and shown.refresh_token.revoked_at is not None
        made = self.happens(
            not access.revoked and (over or self.can_be_made_anew(access)),
            lambda: grants.regenerate(
                grant=access.grant, by=self.admin, instead_of=shown if from_an_open_page else None
            ),
        )
        if made is not None and over:
            assert made == newest
        elif made is not None:
            self.all_end(access)
            access.waits = made

    @rule(number=pick)
    def remove_from_the_group(self, number: int) -> None:
        access = self.some_access(number)
        if self.happens(not access.revoked, lambda: grants.revoke(grant=access.grant, by=self.admin)):
            self.all_end(access)
            access.revoked, access.waits = True, None

    @rule(number=pick, resume=st.booleans())
    def suspend_or_resume_access(self, number: int, resume: bool) -> None:
        access = self.some_access(number)
        act = grants.resume if resume else grants.suspend
        if self.happens(
            not access.revoked and access.suspended == resume, lambda: act(grant=access.grant, by=self.admin)
        ):
            access.suspended = not resume

    @rule(resume=st.booleans())
    def suspend_or_resume_connector(self, resume: bool) -> None:
        act = connectors.resume if resume else connectors.suspend
        can = not self.deleted and self.suspended == resume
        if self.happens(can, lambda: act(connector=self.fresh(), by=self.developer)):
            self.suspended = not resume

    @precondition(lambda self: not self.deleted and len(self.tokens) > 2)
    @rule()
    def delete_the_connector(self) -> None:
        connectors.delete(connector=self.fresh(), by=self.developer)
        self.deleted = True
        for access in self.accesses:
            self.all_end(access)
            access.revoked, access.waits = True, None

    @rule(make=st.sampled_from([x25519, p256, None]))
    def change_the_key(self, make: Callable[[], Pair] | None) -> None:
        if self.deleted:
            return
        key = self.connector.keys.live().first()
        if make is not None:
            pair = make()
            self.pairs[pair.fingerprint] = pair
            public_keys.register(connector=self.fresh(), by=self.developer, public_key=pair.public_jwk)
        elif key is not None:
            public_keys.remove(key=key, by=self.developer)

    @rule(number=pick)
    def exchange(self, number: int) -> None:
        if not self.tokens:
            return
        token = list(self.tokens.values())[number % len(self.tokens)]
        answer = self.happens(self.is_accepted(token), lambda: self.exchanges(token.text))
        if answer is None:
            return
        access = token.access
        expected = clock.now() >= token.issued_at + SUCCESSOR_FROM
        expected = expected and (access.ends_at is None or access.ends_at > token.expires_at)
        assert bool(answer.successor) == expected
        if answer.successor:
            assert token.successor in ("", answer.successor), "a second successor"
            token.successor = answer.successor
            self.knows(access, None, answer.successor)

    # The worker, and time ------------------------------------------------------------------------------------------

    @rule()
    def the_worker_comes_by(self) -> None:
        handoffs.expire_overdue()
        grants.end_overdue()
        now = clock.now()
        for access in self.accesses:
            if access.waits and (access.waits.expires_at <= now or access.is_over(now)):
                access.waits = None
        refresh_tokens.rotate_due()
        for access in self.accesses:
            waits = Handoff.objects.waiting().filter(grant=access.grant).select_related("refresh_token").first()
            if access.waits is None and waits is not None:
                assert waits.refresh_token.predecessor_id is not None, "the worker hands over successors alone"
                access.waits = waits

    @rule(hours=st.integers(min_value=1, max_value=24 * 9))
    def time_passes(self, hours: int) -> None:
        self.time.shift(dt.timedelta(hours=hours))

    @rule(days=st.sampled_from([90, 366]))
    def much_time_passes(self, days: int) -> None:
        self.time.shift(dt.timedelta(days=days))

    @rule(number=pick, days=st.integers(min_value=-1, max_value=36), worker=st.booleans())
    def time_comes_to_the_last_part_of_a_token(self, number: int, days: int, worker: bool) -> None:
        """Where successors are made; by chance alone it is rarely met."""
        live = [token for token in self.tokens.values() if self.is_accepted(token)]
        if live:
            moment = live[number % len(live)].issued_at + SUCCESSOR_FROM + dt.timedelta(days=days)
            self.time.shift(max(moment - clock.now(), dt.timedelta(0)))
            if worker:
                self.the_worker_comes_by()

    # What must hold at any time --------------------------------------------------------------------------------------

    @invariant()
    def a_grant_has_the_one_live_handoff_that_people_know_of(self) -> None:
        for access in self.accesses:
            waiting = list(Handoff.objects.waiting().filter(grant=access.grant))
            assert waiting == ([access.waits] if access.waits else [])
        assert not Handoff.objects.exclude(pk__in=Handoff.objects.waiting().values("pk")).exclude(sealed=None).exists()
        assert not Handoff.objects.waiting().filter(sealed=None).exists()

    @invariant()
    def what_was_revoked_stays_revoked(self) -> None:
        revoked = set(RefreshToken.objects.filter(revoked_at__isnull=False).values_list("pk", flat=True))
        assert self.revoked_rows <= revoked
        self.revoked_rows = revoked

    @invariant()
    def a_token_works_as_long_as_it_should_and_not_longer(self) -> None:
        for token in self.tokens.values():
            self.happens(self.is_accepted(token), partial(self.exchanges, token.text, look=True))


@pytest.mark.django_db
def test_in_any_order_of_acts_no_token_is_lost_doubled_or_brought_back() -> None:
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=settings().max_examples // 4,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
