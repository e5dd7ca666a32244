"""The small model of a refresh token's life that `test_life` holds the console against."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import time_machine
from django.db import transaction
from hypothesis.stateful import RuleBasedStateMachine, invariant

from connectors.models import Connector, Grant, Handoff, HandoffState, RefreshToken
from connectors.services import handoffs, token_exchange
from connectors.tests.keys import Pair
from kaizala_console.lib import clock
from kaizala_console.lib.errors import ConsoleError

YEAR, SUCCESSOR_FROM, WEEK = dt.timedelta(days=365), dt.timedelta(days=328), dt.timedelta(days=7)
A_MOMENT = dt.timedelta(milliseconds=20)


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
    """What people know, and what must follow from it. Its rules are in `test_life`."""

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
        row = RefreshToken.objects.get(public_part=text.removeprefix("kzrt_")[: len(_a_public_part())])
        assert row.grant_id == access.grant.pk
        # An end that was moved nearer leaves the token its own, and refuses it all the same.
        assert row.expires_at in (row.issued_at + YEAR, access.ends_at)
        assert handoff is None or handoff.refresh_token_id == row.pk
        self.tokens[text] = Token(text, access, row.issued_at, row.expires_at)

    def all_end(self, access: Access) -> None:
        for token in self.tokens.values():
            if token.access is access:
                token.ended = True


def _a_public_part() -> str:
    newest = RefreshToken.objects.values_list("public_part", flat=True).latest("pk")
    return str(newest)
