"""The handoff of a refresh token: claimed once by the developer, refused, issued anew, shown to the admin, expired."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.audit.record import SYSTEM, record
from accounts.audit.tags import Tag
from accounts.models import User
from accounts.policies import require_no_credential_hold
from connectors import policies
from connectors.models import Handoff, HandoffState
from connectors.models.handoff import NOT_ENDED
from connectors.services import grants, issuing, one_time_secrets, opening, rotation, trail, words
from connectors.webhooks import handoff_events
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound

EXPIRED_AT_ONCE = 500


@sensitive_variables("idempotency_key", "token", "shown")
@transaction.atomic
def claim(*, handoff: Handoff, by: User, idempotency_key: str, address: str | None) -> str:
    """Open the handoff for an owner of its connector: the refresh token, once. What was sealed is wiped.

    The same form sent again (`idempotency_key`) gets the same token for some minutes. Of two claims at once one wins;
    the other gets a Conflict that says who won, when, and from where. Raises NotFound for strangers, and RuleBroken for
    a handoff past its deadline, or when it cannot be opened any more.
    """
    handoff = opening.read(handoff)
    policies.require_owner(by, handoff.connector)
    require_no_credential_hold(by)
    one_time_secrets.require_form_key(idempotency_key)
    shown = one_time_secrets.recall(user=by, idempotency_key=idempotency_key, subject=handoff)
    if shown is not None:
        return shown
    now = clock.now()
    sealed = handoff
    claimed = (
        Handoff.objects.waiting()
        .filter(pk=handoff.pk, expires_at__gt=now, grant__in=opening.alive(handoff))
        .update(claimed_at=now, claimed_by=by, claimed_from=address or None, sealed=None)
    )
    if not claimed:
        # Perhaps it was this very form's first click that won meanwhile.
        shown = one_time_secrets.recall(user=by, idempotency_key=idempotency_key, subject=handoff)
        if shown is not None:
            return shown
        raise opening.too_late(opening.read(handoff), by)
    token = opening.unseal(sealed)
    one_time_secrets.remember(user=by, idempotency_key=idempotency_key, subject=handoff, token=token)
    handoff = opening.read(handoff)
    record(
        Tag.HANDOFF_CLAIMED,
        by=by,
        subject=handoff,
        **trail.of_grant(handoff.grant),
        after={**opening.facts(handoff), "way": "page", "address": address or ""},
    )
    owners = issuing.owners_of(handoff.connector)
    for user in dict.fromkeys([*owners, *opening.admin_side(handoff, by)]):
        opening.tell(
            user,
            handoff,
            "handoff_claimed",
            claimed_by=by.name,
            claimed_at_text=words.utc(now),
            claimed_from=address or "",
            for_developer=user in owners,
        )
    return token


@transaction.atomic
def refuse(*, handoff: Handoff, by: User) -> Handoff:
    """The developer does not want it: what is sealed is wiped, the admin is told. Raises NotFound and Conflict.

    The grant stays, for its admin to issue anew or remove.
    """
    handoff = opening.read(handoff)
    policies.require_owner(by, handoff.connector)
    refused = Handoff.objects.waiting().filter(pk=handoff.pk).update(refused_at=clock.now(), sealed=None)
    handoff = opening.read(handoff)
    if not refused:
        raise opening.too_late(handoff, by)
    record(Tag.HANDOFF_REFUSED, by=by, subject=handoff, **trail.of_grant(handoff.grant), before=opening.facts(handoff))
    for admin in opening.admin_side(handoff, by):
        opening.tell(admin, handoff, "handoff_refused", refused_by=by.name)
    return handoff


@transaction.atomic
def reissue(*, handoff: Handoff, by: User) -> Handoff:
    """Make a new token for the same grant and hand it over again; the tokens before it end at once.

    But a successor that nobody has opened is handed over again as it is: the token before it goes on. For both sides,
    since it widens nothing: the developer who missed the deadline, the admin who was refused. Asked for twice, it
    gives the same new handoff, even when that was claimed meanwhile: what it gave away is in use, and only who asks
    for that one again ends it. Raises NotFound, and Conflict when the grant was removed meanwhile.
    """
    handoff = opening.read(handoff)
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
        handoff_events.ended(this, handoff_events.WITHDRAWN)
    again = rotation.hand_over_again(handoff=handoff, grant=grant, by=by) or grants.replace_token(grant=grant, by=by)
    record(
        Tag.HANDOFF_REISSUED,
        by=by,
        subject=handoff,
        **trail.of_grant(grant),
        before=opening.facts(handoff),
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
    handoff = opening.read(handoff)
    if handoff.made_by_id != by.pk or not policies.can_administer(by, handoff.grant):
        raise NotFound
    require_no_credential_hold(by)
    one_time_secrets.require_form_key(idempotency_key)
    if handoff.is_sealed_to_key:
        raise NotAllowed(
            _("This token is sealed to the connector’s own key: only the holder of the private key can open it."),
            code="reveal_sealed",
        )
    if not policies.can_have_revealed(by, handoff):
        raise NotAllowed(
            _("Your organisation does not show refresh tokens to admins. The developer can open the handoff."),
            code="reveal_forbidden",
        )
    shown = one_time_secrets.recall(user=by, idempotency_key=idempotency_key, subject=handoff)
    if shown is not None:
        return shown
    now = clock.now()
    revealed = (
        Handoff.objects.waiting()
        .filter(pk=handoff.pk, expires_at__gt=now, revealed_at__isnull=True, grant__in=opening.alive(handoff))
        .update(revealed_at=now, revealed_to=by)
    )
    if not revealed:
        # Perhaps it was this very form's first click that was faster.
        shown = one_time_secrets.recall(user=by, idempotency_key=idempotency_key, subject=handoff)
        if shown is not None:
            return shown
        handoff = opening.read(handoff)
        if handoff.state is HandoffState.WAITING and handoff.revealed_at:
            raise Conflict(
                _("You had this token shown on %(when)s. It is shown once.")
                % {"when": words.moment(handoff.revealed_at)},
                code="revealed_before",
            )
        raise opening.too_late(handoff, by)
    token = opening.unseal(handoff)
    one_time_secrets.remember(user=by, idempotency_key=idempotency_key, subject=handoff, token=token)
    handoff = opening.read(handoff)
    record(Tag.HANDOFF_REVEALED, by=by, subject=handoff, **trail.of_grant(handoff.grant), after=opening.facts(handoff))
    return token


def expire_overdue() -> int:
    """End handoffs that nobody claimed in time, wipe what they held, and tell both sides; the number of them.

    Each in a transaction of its own: one that fails keeps no other. What failed is raised at the end, as a group.
    """
    now = clock.now()
    # One that ends with its grant is withdrawn with it (services.grant_ends): people are told of one end, not of two.
    due = Handoff.objects.overdue(now).exclude(grant__ends_at__lte=now).order_by("expires_at")
    overdue = due.values_list("pk", flat=True)
    expired, problems = 0, []
    for handoff_id in overdue[:EXPIRED_AT_ONCE]:
        try:
            expired += _expire(handoff_id)
        except Exception as problem:  # noqa: BLE001 (raised below, once the others had their turn)
            problems.append(problem)
    if problems:
        raise ExceptionGroup("handoffs that could not be expired", problems)
    return expired


@transaction.atomic
def _expire(handoff_id: UUID) -> bool:
    now = clock.now()
    if not Handoff.objects.overdue(now).filter(pk=handoff_id).update(expired_at=now, sealed=None):
        return False
    handoff_events.ended(Handoff.objects.filter(pk=handoff_id), handoff_events.EXPIRED)
    handoff = opening.read_id(handoff_id)
    record(
        Tag.HANDOFF_EXPIRED, by=SYSTEM, subject=handoff, **trail.of_grant(handoff.grant), before=opening.facts(handoff)
    )
    both_sides = [handoff.grant.granted_by, handoff.made_by, *issuing.owners_of(handoff.connector)]
    for user in {user.pk: user for user in both_sides if user is not None}.values():
        opening.tell(user, handoff, "handoff_expired")
    return True
