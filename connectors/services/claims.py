"""The program takes its refresh token itself, with the connector's ID and secret: no human ever sees it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.audit.record import record
from accounts.audit.tags import Tag
from connectors.models import ClaimAnswer, Connector, Handoff
from connectors.models.handoff import HandoffQuerySet
from connectors.redirects import PermanentRedirect
from connectors.services import issuing, opening, tokens, trail, words
from kaizala_console.lib import clock, crypto
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound, RuleBroken

PATH = "v1/handoffs/claim"
SHORTEST_RETRY_KEY = 16  # characters
LONGEST_RETRY_KEY = 128


@dataclass(frozen=True, slots=True)
class HandoffClaim:
    """What a program gets: the text in the handoff (the token, or its JWE), and how much is left."""

    handoff: Handoff
    text: str = field(repr=False)
    still_waiting: int


@sensitive_variables("secret", "retry_key")
def claim(
    *, connector_id: str, secret: str, handoff_id: UUID | None, retry_key: str, address: str | None
) -> HandoffClaim:
    """Open a handoff for the program that proves to be its connector: this one, or the one that has waited longest.

    The same claim sent again with the same `retry_key` gets the same answer for some minutes; without a key, an answer
    that is lost is lost. Raises WrongConnectorCredentials; PermanentRedirect (308); NotAllowed while the connector is
    suspended; NotFound when nothing waits, saying what became of the last one; Conflict or RuleBroken when the named
    one has ended, saying who opened it, when and from where.
    """
    connector = tokens.authenticate_client(connector_id=connector_id, secret=secret, at=clock.now())
    if connector.organisation.moved_to:
        raise PermanentRedirect(connector.organisation.moved_to, PATH)
    require_retry_key(retry_key)
    return _claim(
        connector=connector,
        extra_secret=secret.strip() + retry_key,
        retry_key=retry_key,
        wanted=handoff_id,
        address=address or None,
    )


@sensitive_variables("extra_secret", "retry_key", "text")
@transaction.atomic
def _claim(
    *, connector: Connector, extra_secret: str, retry_key: str, wanted: UUID | None, address: str | None
) -> HandoffClaim:
    # Programs of one connector take turns: two that ask at once get one handoff each, never one the same.
    connector = (
        Connector.objects.select_for_update(of=("self",), no_key=True)
        .select_related("organisation")
        .get(pk=connector.pk)
    )
    _require_working(connector)
    tag = _tag(connector, extra_secret) if retry_key else ""
    if tag:
        again = _answered_before(connector, tag, extra_secret, wanted)
        if again is not None:
            return again
    handoff, text = _take(connector, wanted, address)
    if tag:
        _remember(handoff, tag, extra_secret, text)
    record(
        Tag.HANDOFF_CLAIMED,
        by=tokens.ConnectorActor(connector),
        subject=handoff,
        **trail.of_grant(handoff.grant),
        after={**opening.facts(handoff), "way": "program", "address": address or ""},
    )
    _send_receipts(handoff)
    return HandoffClaim(handoff, text, _waiting(connector).count())


def sweep() -> int:
    """Delete the answers that nobody asked for again in time; the number of them."""
    return ClaimAnswer.objects.overdue(clock.now()).delete()[0]


@sensitive_variables("retry_key")
def require_retry_key(retry_key: str) -> None:
    """Raise RuleBroken unless the text can be the key of a claim, or is empty."""
    if retry_key and not (SHORTEST_RETRY_KEY <= len(retry_key) <= LONGEST_RETRY_KEY and retry_key.isascii()):
        raise RuleBroken(
            _("Expected %(least)d to %(most)d ASCII characters, made up at random for this claim.")
            % {"least": SHORTEST_RETRY_KEY, "most": LONGEST_RETRY_KEY},
            code="retry_key",
            field="Idempotency-Key",
        )


def _require_working(connector: Connector) -> None:
    if connector.deleted_at is not None:
        raise NotFound
    if connector.suspended_at is not None:
        raise NotAllowed(
            _("The connector is suspended since %(when)s. It can claim again once it is resumed.")
            % {"when": words.utc(connector.suspended_at)},
            code="connector_suspended",
        )


@sensitive_variables("text")
def _take(connector: Connector, wanted: UUID | None, address: str | None) -> tuple[Handoff, str]:
    """End one handoff in favour of the program. A page may be faster with each: the statement itself decides."""
    for handoff_id in [wanted] if wanted else list(_waiting(connector).values_list("pk", flat=True)):
        handoff = Handoff.objects.filter(pk=handoff_id, connector=connector).first()
        if handoff is None:
            raise NotFound(_("There is no such handoff of this connector."))
        try:
            return _open(handoff, connector, address)
        except (Conflict, RuleBroken):
            if wanted:
                raise
    raise _nothing_waits(connector)


@sensitive_variables("text")
def _open(handoff: Handoff, connector: Connector, address: str | None) -> tuple[Handoff, str]:
    now = clock.now()
    text = opening.unseal(handoff) if handoff.sealed is not None else ""
    opened = (
        Handoff.objects.waiting()
        .filter(pk=handoff.pk, expires_at__gt=now, grant__in=opening.alive(handoff))
        .update(claimed_at=now, claimed_by_program=True, claimed_from=address, sealed=None)
    )
    if not opened:
        raise opening.too_late(opening.read(handoff), connector)
    return opening.read(handoff), text


def _waiting(connector: Connector) -> HandoffQuerySet:
    now = clock.now()
    waiting = Handoff.objects.waiting().filter(connector=connector, expires_at__gt=now)
    return waiting.exclude(grant__ends_at__lte=now).order_by("made_at", "id")


def _nothing_waits(connector: Connector) -> NotFound:
    said = _("Nothing waits to be claimed by this connector.")
    last = Handoff.objects.filter(connector=connector).order_by("-made_at", "-id").values_list("pk", flat=True).first()
    if last is not None:
        said += " " + _("The last one:") + " " + str(opening.too_late(opening.read_id(last), connector))
    return NotFound(said, code="nothing_waits")


def _send_receipts(handoff: Handoff) -> None:
    facts = {
        "claimed_by": handoff.claimer_name,
        "claimed_at_text": words.utc(handoff.claimed_at or clock.now()),
        "claimed_from": handoff.claimed_from or "",
    }
    both_sides = [*opening.admin_side(handoff, None), *issuing.owners_of(handoff.connector)]
    for user in {user.pk: user for user in both_sides}.values():
        opening.tell(user, handoff, "handoff_claimed_by_program", **facts)


# The same claim, sent again ------------------------------------------------------------------------------------------


@sensitive_variables("extra_secret", "text")
def _remember(handoff: Handoff, tag: str, extra_secret: str, text: str) -> None:
    now = clock.now()
    ClaimAnswer.objects.filter(key_tag=tag).overdue(now).delete()
    ClaimAnswer.objects.create(
        handoff=handoff,
        key_tag=tag,
        sealed=crypto.seal_with(text.encode(), context=_context(tag), extra_secret=extra_secret.encode()),
        answered_at=now,
        expires_at=now + dt.timedelta(seconds=settings.SHOWN_SECRET_SECONDS),
    )


@sensitive_variables("extra_secret", "text")
def _answered_before(connector: Connector, tag: str, extra_secret: str, wanted: UUID | None) -> HandoffClaim | None:
    row = ClaimAnswer.objects.filter(key_tag=tag, expires_at__gt=clock.now()).first()
    if row is None:
        return None
    if wanted is not None and row.handoff_id != wanted:
        raise Conflict(
            _("This key was used to claim another handoff. Make up a new one for each claim."), code="retry_key_used"
        )
    try:
        text = crypto.open_sealed_with(
            bytes(row.sealed), context=_context(tag), extra_secret=extra_secret.encode()
        ).decode()
    except crypto.WrongKey:
        raise opening.too_late(opening.read_id(row.handoff_id), connector) from None
    return HandoffClaim(opening.read_id(row.handoff_id), text, _waiting(connector).count())


@sensitive_variables("extra_secret")
def _tag(connector: Connector, extra_secret: str) -> str:
    return crypto.hmac_tag("claim-answer", str(connector.pk), extra_secret).hex()


def _context(tag: str) -> bytes:
    return f"connectors.ClaimAnswer:{tag}".encode()
