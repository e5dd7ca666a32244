"""The handoff of a refresh token: claimed once, refused, reissued, shown to the admin, expired."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM, record
from accounts.models import User
from accounts.policies import require_no_credential_hold
from accounts.services import notifications
from connectors import policies
from connectors.models import Connector, Grant, Handoff, HandoffState
from connectors.models.handoff import NOT_ENDED, HandoffQuerySet
from connectors.services import grants, one_time_secrets, refresh_tokens, token_exchange
from connectors.webhooks import publish
from kaizala_console.api.errors import PermanentRedirect
from kaizala_console.lib import clock, crypto, moments, outbox
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound, RuleBroken

EXPIRED_AT_ONCE = 500


@sensitive_variables("idempotency_key", "token", "shown")
@transaction.atomic
def claim(*, handoff: Handoff, by: User, idempotency_key: str, address: str | None) -> str:
    """Open the handoff for an owner of its connector: the refresh token, once. What was sealed is wiped.

    The same form sent again (`idempotency_key`) gets the same token for some minutes. Of two claims at once one wins;
    the other gets a Conflict that says who won, when, and from where. Raises NotFound for strangers, and RuleBroken for
    a handoff past its deadline, or when it cannot be opened any more.
    """
    handoff = get_current(handoff)
    policies.require_owner(by, handoff.connector)
    require_no_credential_hold(by)
    one_time_secrets.require_form_key(idempotency_key)
    recall = partial(one_time_secrets.recall, user=by, idempotency_key=idempotency_key, subject=handoff)
    if (shown := recall()) is not None:
        return shown
    now = clock.now()
    if not _filter_claimable(handoff, now).update(
        claimed_at=now, claimed_by=by, claimed_from=address or None, sealed=None
    ):
        if (shown := recall()) is not None:  # it was this very form's first click that won
            return shown
        raise explain_end(get_current(handoff), by)
    token = unseal(handoff)
    one_time_secrets.remember(user=by, idempotency_key=idempotency_key, subject=handoff, token=token)
    handoff = get_current(handoff)
    record(
        EventType.HANDOFF_CLAIMED,
        by=by,
        subject=handoff,
        after={**get_facts(handoff), "way": "page", "address": address or ""},
    )
    facts = {"claimed_by": by.name, "claimed_at": now.isoformat(), "claimed_from": address or ""}
    owners = handoff.connector.list_active_owners()
    for user in dict.fromkeys([*owners, *list_admins(handoff, by)]):
        send_notice(user, handoff, "handoff_claimed", **facts, for_developer=user in owners)
    return token


@transaction.atomic
def refuse(*, handoff: Handoff, by: User) -> Handoff:
    """The developer does not want it: what is sealed is wiped, the admin is told. Raises NotFound and Conflict.

    The grant stays: its admin can reissue or remove it.
    """
    handoff = get_current(handoff)
    policies.require_owner(by, handoff.connector)
    refused = Handoff.objects.waiting().filter(pk=handoff.pk).update(refused_at=clock.now(), sealed=None)
    handoff = get_current(handoff)
    if not refused:
        raise explain_end(handoff, by)
    record(EventType.HANDOFF_REFUSED, by=by, subject=handoff, before=get_facts(handoff))
    for admin in list_admins(handoff, by):
        send_notice(admin, handoff, "handoff_refused", refused_by=by.name)
    return handoff


@transaction.atomic
def reissue(*, handoff: Handoff, by: User) -> Handoff:
    """Make a new token for the same grant and hand it over again; the tokens before it end at once.

    But a successor that nobody has opened is handed over again as it is: the token before it goes on. For both sides,
    since it widens nothing: the developer who missed the deadline, the admin who was refused. Asked for twice, it
    gives the same new handoff, even when that was claimed meanwhile: what it gave away is in use, and only who asks
    for that one again ends it. Raises NotFound, and Conflict when the grant was removed meanwhile.
    """
    handoff = get_current(handoff)
    if not policies.can_see_handoff(by, handoff):
        raise NotFound
    require_no_credential_hold(by)
    grant = grants.lock(handoff.grant_id)
    waits, opened = NOT_ENDED & Q(expires_at__gt=clock.now()), Q(claimed_at__isnull=False)
    newer = grant.handoffs.filter(waits | opened, made_at__gt=handoff.made_at).order_by("-made_at", "-id").first()
    if newer is not None:
        return newer
    # It may still wait, sealed to a key that was lost since.
    this = Handoff.objects.filter(pk=handoff.pk)
    if this.waiting().update(withdrawn_at=clock.now(), sealed=None):
        publish.publish_handoffs_ended(this, publish.WITHDRAWN)
    again = refresh_tokens.hand_over_again(handoff=handoff, grant=grant, by=by) or grants.replace_token(
        grant=grant, by=by
    )
    record(
        EventType.HANDOFF_REISSUED,
        by=by,
        subject=handoff,
        **grant.audit_scope,
        before=get_facts(handoff),
        after={"handoff": str(again.pk)},
    )
    return again


@sensitive_variables("idempotency_key", "token", "shown")
@transaction.atomic
def reveal(*, handoff: Handoff, by: User, idempotency_key: str) -> str:
    """Show the token to the admin who granted, once, while it waits; it can still be claimed. Both sides see that.

    The same form sent again (`idempotency_key`) shows the same token for some minutes. Raises NotFound for anybody
    else, NotAllowed when the organisation forbids it, Conflict when it was shown before or does not wait any more.
    """
    handoff = get_current(handoff)
    if handoff.made_by_id != by.pk or not policies.can_administer(by, handoff.grant):
        raise NotFound
    require_no_credential_hold(by)
    one_time_secrets.require_form_key(idempotency_key)
    if handoff.is_sealed_to_key:
        raise NotAllowed(
            _("This token is sealed to the connector’s own key. Only the private key opens it."),
            code="reveal_sealed",
        )
    if not policies.can_have_revealed(by, handoff):
        raise NotAllowed(
            _("Your organisation does not show refresh tokens to admins. The developer can claim it."),
            code="reveal_forbidden",
        )
    recall = partial(one_time_secrets.recall, user=by, idempotency_key=idempotency_key, subject=handoff)
    if (shown := recall()) is not None:
        return shown
    now = clock.now()
    if not _filter_claimable(handoff, now).filter(revealed_at__isnull=True).update(revealed_at=now, revealed_to=by):
        if (shown := recall()) is not None:  # it was this very form's first click that was faster
            return shown
        handoff = get_current(handoff)
        if handoff.state is HandoffState.WAITING and handoff.revealed_at:
            raise Conflict(
                _("You viewed this token on %(when)s. It is shown once.")
                % {"when": moments.exact(handoff.revealed_at)},
                code="revealed_before",
            )
        raise explain_end(handoff, by)
    token = unseal(handoff)
    one_time_secrets.remember(user=by, idempotency_key=idempotency_key, subject=handoff, token=token)
    handoff = get_current(handoff)
    record(EventType.HANDOFF_REVEALED, by=by, subject=handoff, after=get_facts(handoff))
    return token


def expire_overdue() -> int:
    """Expire unclaimed handoffs, wipe what they held, notify both sides, and return how many.

    Each in a transaction of its own.
    """
    now = clock.now()
    # One that ends with its grant is withdrawn with it (`grants.end_overdue`): people get one mail, not two.
    due = Handoff.objects.overdue(now).exclude(grant__ends_at__lte=now).order_by("expires_at")
    overdue = due.values_list("pk", flat=True)[:EXPIRED_AT_ONCE]
    return outbox.run_each(overdue, _expire, problem="handoffs that could not be expired")


@transaction.atomic
def _expire(handoff_id: UUID) -> bool:
    now = clock.now()
    if not Handoff.objects.overdue(now).filter(pk=handoff_id).update(expired_at=now, sealed=None):
        return False
    publish.publish_handoffs_ended(Handoff.objects.filter(pk=handoff_id), publish.EXPIRED)
    handoff = get_by_id(handoff_id)
    record(EventType.HANDOFF_EXPIRED, by=SYSTEM, subject=handoff, before=get_facts(handoff))
    both_sides = [handoff.grant.granted_by, handoff.made_by, *handoff.connector.list_active_owners()]
    for user in dict.fromkeys(user for user in both_sides if user is not None):
        send_notice(user, handoff, "handoff_expired")
    return True


# ----------------------------------------------------------------------------------------------------
# What all the ways of opening and ending a handoff share: how it is read, why it is too late, who is told.


def get_current(handoff: Handoff) -> Handoff:
    """As `get_by_id`, of a handoff at hand."""
    return get_by_id(handoff.pk)


def get_by_id(handoff_id: UUID) -> Handoff:
    """The handoff as it is now, with everybody whom an act on it names."""
    return Handoff.objects.select_related(
        "connector__organisation",
        "connector__owner",
        "grant__connector__organisation",
        "grant__granted_by",
        "made_by",
        "claimed_by",
    ).get(pk=handoff_id)


def _filter_claimable(handoff: Handoff, now: dt.datetime) -> HandoffQuerySet:
    """The handoff, unless it or its grant has ended: asked in the very statement that gives the token away."""
    goes_on = Q(ends_at__isnull=True) | Q(ends_at__gt=now)
    grant = Grant.objects.present().filter(goes_on, pk=handoff.grant_id)
    return Handoff.objects.waiting().filter(pk=handoff.pk, expires_at__gt=now, grant__in=grant)


@sensitive_variables()
def unseal(handoff: Handoff) -> str:
    """What a claim gives away. Raises RuleBroken when the server's key was changed and cannot open it any more."""
    try:
        return refresh_tokens.unseal(handoff)
    except crypto.WrongKey:
        raise RuleBroken(
            _("The key for this handoff is gone. Regenerate the token."),
            code="handoff_unreadable",
        ) from None


def explain_end(handoff: Handoff, by: User | Connector) -> Conflict | RuleBroken:
    """Why a handoff cannot be claimed, refused or shown any more: who was faster, when, and from where."""
    if handoff.claimed_at:
        return Conflict(_explain_claim(handoff, by), code="handoff_claimed")
    if handoff.refused_at:
        return Conflict(
            _("This handoff was refused on %(when)s.") % {"when": moments.exact(handoff.refused_at)},
            code="handoff_refused",
        )
    if handoff.withdrawn_at:
        return Conflict(
            _("This handoff was withdrawn on %(when)s: the access was removed, or the token regenerated.")
            % {"when": moments.exact(handoff.withdrawn_at)},
            code="handoff_withdrawn",
        )
    if handoff.grant.revoked_at:
        return Conflict(_("The access that this handoff is for was removed."), code="handoff_withdrawn")
    if handoff.grant.ends_at is not None and handoff.grant.ends_at <= clock.now() < handoff.expires_at:
        return RuleBroken(
            _("The access that this handoff is for ended on %(when)s.")
            % {"when": moments.exact(handoff.grant.ends_at)},
            code="grant_over",
        )
    return RuleBroken(
        _("This handoff expired on %(when)s. Regenerate the token.") % {"when": moments.exact(handoff.expires_at)},
        code="handoff_expired",
    )


def _explain_claim(handoff: Handoff, by: User | Connector) -> str:
    facts = {
        "who": handoff.claimer_name,
        "when": moments.exact(handoff.claimed_at) if handoff.claimed_at else "",
        "where": handoff.claimed_from or "",
    }
    if handoff.claimed_by_program:
        if facts["where"]:
            text = _(
                "The program of “%(who)s” already claimed this handoff on %(when)s, from %(where)s. If its "
                "answer was lost, regenerate the token."
            )
        else:
            text = _(
                "The program of “%(who)s” already claimed this handoff on %(when)s. If its answer was lost, "
                "regenerate the token."
            )
    elif isinstance(by, User) and handoff.claimed_by_id == by.pk and facts["where"]:
        text = _("You already claimed this handoff on %(when)s, from %(where)s. If the token is lost, regenerate it.")
    elif isinstance(by, User) and handoff.claimed_by_id == by.pk:
        text = _("You already claimed this handoff on %(when)s. If the token is lost, regenerate it.")
    elif facts["where"]:
        text = _("%(who)s already claimed this handoff on %(when)s, from %(where)s.")
    else:
        text = _("%(who)s already claimed this handoff on %(when)s.")
    return text % facts


def list_admins(handoff: Handoff, by: User | None) -> list[User]:
    """Who gets a receipt: the admin who granted, and the one who had it issued again, unless that was the developer.

    `by` is None when a program acts.
    """
    granted_by, made_by = handoff.grant.granted_by, handoff.made_by
    sides = [granted_by, None if made_by == by else made_by]
    return list(dict.fromkeys(user for user in sides if user is not None))


def get_facts(handoff: Handoff) -> dict[str, str]:
    """What the trail says about an act on a handoff."""
    return handoff.grant.audit_facts


def send_notice(user: User, handoff: Handoff, template: str, **facts: str | bool) -> None:
    """Queue a mail about the handoff, once for each person and template."""
    notifications.queue(
        user=user,
        template=f"connectors/{template}",
        key=f"{template.replace('_', '-')}:{handoff.pk}:{user.pk}",
        context={**refresh_tokens.get_mail_context(handoff, handoff.grant), **facts},
    )


# ----------------------------------------------------------------------------------------------------
# The program takes its refresh token itself, with the connector's ID and secret: no human ever sees it.


PATH = "v1/handoffs/claim"
SHORTEST_RETRY_KEY = 16  # characters
LONGEST_RETRY_KEY = 128


@dataclass(frozen=True, slots=True)
class HandoffClaim:
    """What a program gets: the text in the handoff (the token, or its JWE), and how much is left."""

    handoff: Handoff
    text: str = field(repr=False)
    still_waiting: int


@sensitive_variables("secret", "retry_key", "extra_secret", "text")
def claim_by_program(
    *, connector_id: str, secret: str, handoff_id: UUID | None, retry_key: str, address: str | None
) -> HandoffClaim:
    """Open a handoff for the program that proves to be its connector: this one, or the one that has waited longest.

    The same claim sent again with the same `retry_key` gets the same answer for some minutes; without a key, an answer
    that is lost is lost. Raises WrongConnectorCredentials; PermanentRedirect (308); NotAllowed while the connector is
    suspended; NotFound when nothing waits, saying what became of the last one; Conflict or RuleBroken when the named
    one has ended, saying who opened it, when and from where.
    """
    connector = token_exchange.authenticate_client(connector_id=connector_id, secret=secret, at=clock.now())
    if connector.organisation.moved_to:
        raise PermanentRedirect(connector.organisation.moved_to, PATH)
    require_retry_key(retry_key)
    extra_secret = secret.strip() + retry_key
    with transaction.atomic():
        # Programs of one connector take turns: two that ask at once get one handoff each, never one the same.
        connector = Connector.objects.select_related("organisation").get_locked(connector.pk)
        _require_working(connector)
        tag = _tag(connector, extra_secret) if retry_key else ""
        if tag:
            again = _replay(connector, tag, extra_secret, handoff_id)
            if again is not None:
                return again
        handoff, text = _take(connector, handoff_id, address or None)
        if tag:
            one_time_secrets.store(tag=tag, extra_secret=extra_secret, subject=handoff, token=text)
        record(
            EventType.HANDOFF_CLAIMED,
            by=token_exchange.ConnectorActor(connector),
            subject=handoff,
            after={**get_facts(handoff), "way": "program", "address": address or ""},
        )
        _send_receipts(handoff)
        return HandoffClaim(handoff, text, _list_waiting(connector).count())


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
            % {"when": moments.utc(connector.suspended_at)},
            code="connector_suspended",
        )


@sensitive_variables("text")
def _take(connector: Connector, wanted: UUID | None, address: str | None) -> tuple[Handoff, str]:
    """End one handoff in favour of the program. A page may be faster with each: the statement itself decides."""
    for handoff_id in [wanted] if wanted else list(_list_waiting(connector).values_list("pk", flat=True)):
        handoff = Handoff.objects.filter(pk=handoff_id, connector=connector).first()
        if handoff is None:
            raise NotFound(_("There is no such handoff of this connector."))
        try:
            return _open(handoff, connector, address)
        except (Conflict, RuleBroken):
            if wanted:
                raise
    raise _explain_nothing_waits(connector)


@sensitive_variables("text")
def _open(handoff: Handoff, connector: Connector, address: str | None) -> tuple[Handoff, str]:
    now = clock.now()
    text = unseal(handoff) if handoff.sealed is not None else ""
    if not _filter_claimable(handoff, now).update(
        claimed_at=now, claimed_by_program=True, claimed_from=address, sealed=None
    ):
        raise explain_end(get_current(handoff), connector)
    return get_current(handoff), text


def _list_waiting(connector: Connector) -> HandoffQuerySet:
    now = clock.now()
    waiting = Handoff.objects.waiting().filter(connector=connector, expires_at__gt=now)
    return waiting.exclude(grant__ends_at__lte=now).order_by("made_at", "id")


def _explain_nothing_waits(connector: Connector) -> NotFound:
    said = _("Nothing waits to be claimed by this connector.")
    last = Handoff.objects.filter(connector=connector).order_by("-made_at", "-id").values_list("pk", flat=True).first()
    if last is not None:
        said += " " + _("The last one:") + " " + str(explain_end(get_by_id(last), connector))
    return NotFound(said, code="nothing_waits")


def _send_receipts(handoff: Handoff) -> None:
    facts = {
        "claimed_by": handoff.claimer_name,
        "claimed_at": (handoff.claimed_at or clock.now()).isoformat(),
        "claimed_from": handoff.claimed_from or "",
    }
    both_sides = [*list_admins(handoff, None), *handoff.connector.list_active_owners()]
    for user in dict.fromkeys(both_sides):
        send_notice(user, handoff, "handoff_claimed_by_program", **facts)


# The same claim, sent again ------------------------------------------------------------------------------------------


@sensitive_variables("extra_secret", "text")
def _replay(connector: Connector, tag: str, extra_secret: str, wanted: UUID | None) -> HandoffClaim | None:
    row = one_time_secrets.find_stored(tag)
    if row is None:
        return None
    handoff = get_by_id(UUID(row.subject_id))
    if wanted is not None and handoff.pk != wanted:
        raise Conflict(
            _("This key was used to claim another handoff. Make up a new one for each claim."), code="retry_key_used"
        )
    text = one_time_secrets.open_stored(row, extra_secret)
    if text is None:
        raise explain_end(handoff, connector)
    return HandoffClaim(handoff, text, _list_waiting(connector).count())


@sensitive_variables("extra_secret")
def _tag(connector: Connector, extra_secret: str) -> str:
    return crypto.hmac_tag("claim-answer", str(connector.pk), extra_secret).hex()
