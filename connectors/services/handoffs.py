"""The handoff of a refresh token: claimed once by the developer, refused, issued anew, shown to the admin, expired."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.audit.record import SYSTEM, record
from accounts.audit.tags import Tag
from accounts.models import User
from accounts.services import notices
from connectors import policy
from connectors.models import Grant, Handoff, HandoffState
from connectors.services import grants, issuing, rotation, shown_secrets, trail, words
from kaizala_console.lib import clock, crypto
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound, RuleBroken

EXPIRED_AT_ONCE = 500


@sensitive_variables("form_key", "token", "shown")
@transaction.atomic
def claim(*, handoff: Handoff, by: User, form_key: str, address: str | None) -> str:
    """Open the handoff for an owner of its connector: the refresh token, once. What was sealed is wiped.

    The same form sent again (`form_key`) gets the same token for some minutes. Of two claims at once one wins; the
    other gets a Conflict that says who won, and when. Raises NotFound for strangers, and RuleBroken for a handoff
    past its deadline, or when it cannot be opened any more.
    """
    handoff = _read(handoff)
    policy.require_owner(by, handoff.connector)
    shown_secrets.require_form_key(form_key)
    shown = shown_secrets.recall(user=by, form_key=form_key, subject=handoff)
    if shown is not None:
        return shown
    now = clock.now()
    sealed = handoff
    claimed = (
        Handoff.objects.waiting()
        .filter(pk=handoff.pk, expires_at__gt=now, grant__in=_alive(handoff))
        .update(claimed_at=now, claimed_by=by, claimed_from=address or None, sealed=None)
    )
    if not claimed:
        # Perhaps it was this very form's first click that won meanwhile.
        shown = shown_secrets.recall(user=by, form_key=form_key, subject=handoff)
        if shown is not None:
            return shown
        raise _too_late(_read(handoff), by)
    token = _unseal(sealed)
    shown_secrets.remember(user=by, form_key=form_key, subject=handoff, token=token)
    handoff = _read(handoff)
    record(Tag.HANDOFF_CLAIMED, by=by, subject=handoff, **trail.of_grant(handoff.grant), after=_facts(handoff))
    for admin in _admin_side(handoff, by):
        _tell(
            admin,
            handoff,
            "handoff_claimed",
            claimed_by=by.name,
            claimed_at_text=words.utc(now),
            claimed_from=address or "",
        )
    return token


@transaction.atomic
def refuse(*, handoff: Handoff, by: User) -> Handoff:
    """The developer does not want it: what is sealed is wiped, the admin is told. Raises NotFound and Conflict.

    The grant stays, for its admin to issue anew or remove.
    """
    handoff = _read(handoff)
    policy.require_owner(by, handoff.connector)
    refused = Handoff.objects.waiting().filter(pk=handoff.pk).update(refused_at=clock.now(), sealed=None)
    handoff = _read(handoff)
    if not refused:
        raise _too_late(handoff, by)
    record(Tag.HANDOFF_REFUSED, by=by, subject=handoff, **trail.of_grant(handoff.grant), before=_facts(handoff))
    for admin in _admin_side(handoff, by):
        _tell(admin, handoff, "handoff_refused", refused_by=by.name)
    return handoff


@transaction.atomic
def reissue(*, handoff: Handoff, by: User) -> Handoff:
    """Make a new token for the same grant and hand it over again; the tokens before it end at once.

    But a successor that nobody has opened is handed over again as it is: the token before it goes on. For both sides,
    since it widens nothing: the developer who missed the deadline, the admin who was refused. Asked for twice, it
    gives the same new handoff. Raises NotFound, and Conflict when the grant was removed meanwhile.
    """
    handoff = _read(handoff)
    if not policy.can_see_handoff(by, handoff):
        raise NotFound
    grant = grants.lock(handoff.grant_id)
    newer = (
        Handoff.objects.waiting().filter(grant=grant, made_at__gt=handoff.made_at, expires_at__gt=clock.now()).first()
    )
    if newer is not None:
        return newer
    again = rotation.hand_over_again(handoff=handoff, grant=grant, by=by) or grants.replace_token(grant=grant, by=by)
    record(
        Tag.HANDOFF_REISSUED,
        by=by,
        subject=handoff,
        **trail.of_grant(grant),
        before=_facts(handoff),
        after={"handoff": str(again.pk)},
    )
    return again


@sensitive_variables("form_key", "token", "shown")
@transaction.atomic
def reveal(*, handoff: Handoff, by: User, form_key: str) -> str:
    """Show the token to the admin who granted, once, while it waits; it can still be claimed. Both sides see that.

    The same form sent again (`form_key`) shows the same token for some minutes. Raises NotFound for anybody else,
    NotAllowed when the organisation forbids it, Conflict when it was shown before or does not wait any more.
    """
    handoff = _read(handoff)
    if handoff.made_by_id != by.pk or not policy.can_administer(by, handoff.grant):
        raise NotFound
    shown_secrets.require_form_key(form_key)
    if not policy.can_have_revealed(by, handoff):
        raise NotAllowed(
            _("Your organisation does not show refresh tokens to admins. The developer can open the handoff."),
            code="reveal_forbidden",
        )
    shown = shown_secrets.recall(user=by, form_key=form_key, subject=handoff)
    if shown is not None:
        return shown
    now = clock.now()
    revealed = (
        Handoff.objects.waiting()
        .filter(pk=handoff.pk, expires_at__gt=now, revealed_at__isnull=True, grant__in=_alive(handoff))
        .update(revealed_at=now, revealed_to=by)
    )
    if not revealed:
        # Perhaps it was this very form's first click that was faster.
        shown = shown_secrets.recall(user=by, form_key=form_key, subject=handoff)
        if shown is not None:
            return shown
        handoff = _read(handoff)
        if handoff.state is HandoffState.WAITING and handoff.revealed_at:
            raise Conflict(
                _("You had this token shown on %(when)s. It is shown once.")
                % {"when": words.moment(handoff.revealed_at)},
                code="revealed_before",
            )
        raise _too_late(handoff, by)
    token = _unseal(handoff)
    shown_secrets.remember(user=by, form_key=form_key, subject=handoff, token=token)
    handoff = _read(handoff)
    record(Tag.HANDOFF_REVEALED, by=by, subject=handoff, **trail.of_grant(handoff.grant), after=_facts(handoff))
    return token


def expire_overdue() -> int:
    """End handoffs that nobody claimed in time, wipe what they held, and tell both sides; the number of them.

    Each in a transaction of its own: one that fails keeps no other. What failed is raised at the end, as a group.
    """
    overdue = Handoff.objects.overdue(clock.now()).order_by("expires_at").values_list("pk", flat=True)
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
    handoff = _read_id(handoff_id)
    record(Tag.HANDOFF_EXPIRED, by=SYSTEM, subject=handoff, **trail.of_grant(handoff.grant), before=_facts(handoff))
    both_sides = [handoff.grant.granted_by, handoff.made_by, *issuing.owners_of(handoff.connector)]
    for user in {user.pk: user for user in both_sides if user is not None}.values():
        _tell(user, handoff, "handoff_expired")
    return True


def _read(handoff: Handoff) -> Handoff:
    return _read_id(handoff.pk)


def _read_id(handoff_id: UUID) -> Handoff:
    return Handoff.objects.select_related(
        "connector__organisation",
        "connector__owner",
        "grant__connector__organisation",
        "grant__granted_by",
        "made_by",
        "claimed_by",
    ).get(pk=handoff_id)


def _alive(handoff: Handoff) -> QuerySet[Grant]:
    """The grant, unless it was revoked: asked in the very statement that gives the token away."""
    return Grant.objects.present().filter(pk=handoff.grant_id)


@sensitive_variables()
def _unseal(handoff: Handoff) -> str:
    try:
        return issuing.unseal(handoff)
    except crypto.WrongKey:
        raise RuleBroken(
            _("This handoff cannot be opened any more: the console's key was changed. Ask for it to be issued again."),
            code="handoff_unreadable",
        ) from None


def _too_late(handoff: Handoff, by: User) -> Conflict | RuleBroken:
    """Why a handoff cannot be claimed, refused or shown any more."""
    if handoff.claimed_at and handoff.claimed_by is not None:
        if handoff.claimed_by_id == by.pk:
            text = _("You opened this handoff on %(when)s already. If the token is lost, have it issued again.")
        else:
            text = _("%(who)s opened this handoff on %(when)s already.")
        return Conflict(
            text % {"who": handoff.claimed_by.name, "when": words.moment(handoff.claimed_at)}, code="handoff_claimed"
        )
    if handoff.refused_at:
        return Conflict(
            _("This handoff was refused on %(when)s.") % {"when": words.moment(handoff.refused_at)},
            code="handoff_refused",
        )
    if handoff.withdrawn_at:
        return Conflict(
            _("This handoff was withdrawn on %(when)s: the access was removed, or a newer token was made.")
            % {"when": words.moment(handoff.withdrawn_at)},
            code="handoff_withdrawn",
        )
    if handoff.grant.revoked_at:
        return Conflict(_("The access that this handoff is for was removed."), code="handoff_withdrawn")
    return RuleBroken(
        _("This handoff expired on %(when)s. Have it issued again.") % {"when": words.moment(handoff.expires_at)},
        code="handoff_expired",
    )


def _admin_side(handoff: Handoff, by: User) -> list[User]:
    """Who gets a receipt: the admin who granted, and the one who had it issued again, unless that was the developer."""
    granted_by, made_by = handoff.grant.granted_by, handoff.made_by
    return [granted_by] if made_by is None or made_by in (granted_by, by) else [granted_by, made_by]


def _facts(handoff: Handoff) -> dict[str, str]:
    return {"connector": handoff.connector.name, "target": handoff.grant.target_name}


def _tell(user: User, handoff: Handoff, template: str, **facts: str) -> None:
    notices.queue(
        user=user,
        template=f"connectors/{template}",
        key=f"{template.replace('_', '-')}:{handoff.pk}:{user.pk}",
        context={**issuing.facts_for_mail(handoff, handoff.grant), **facts},
    )
