"""What all the ways of opening and ending a handoff share: how it is read, why it is too late, who is told."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.models import User
from accounts.services import notifications
from connectors.models import Connector, Grant, Handoff
from connectors.services import issuing, words
from kaizala_console.lib import clock, crypto
from kaizala_console.lib.errors import Conflict, RuleBroken


def read(handoff: Handoff) -> Handoff:
    """The handoff as it is now, with everybody whom an act on it names."""
    return read_id(handoff.pk)


def read_id(handoff_id: UUID) -> Handoff:
    """As `read`, for who knows only its key."""
    return Handoff.objects.select_related(
        "connector__organisation",
        "connector__owner",
        "grant__connector__organisation",
        "grant__granted_by",
        "made_by",
        "claimed_by",
    ).get(pk=handoff_id)


def alive(handoff: Handoff) -> QuerySet[Grant]:
    """The grant, unless it was revoked or is past its end: asked in the very statement that gives the token away."""
    goes_on = Q(ends_at__isnull=True) | Q(ends_at__gt=clock.now())
    return Grant.objects.present().filter(goes_on, pk=handoff.grant_id)


@sensitive_variables()
def unseal(handoff: Handoff) -> str:
    """What a claim gives away. Raises RuleBroken when the server's key was changed and cannot open it any more."""
    try:
        return issuing.unseal(handoff)
    except crypto.WrongKey:
        raise RuleBroken(
            _("This handoff cannot be opened any more: the console's key was changed. Ask for it to be issued again."),
            code="handoff_unreadable",
        ) from None


def too_late(handoff: Handoff, by: User | Connector) -> Conflict | RuleBroken:
    """Why a handoff cannot be claimed, refused or shown any more: who was faster, when, and from where."""
    if handoff.claimed_at:
        return Conflict(_claimed_before(handoff, by), code="handoff_claimed")
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
    if handoff.grant.ends_at is not None and handoff.grant.ends_at <= clock.now() < handoff.expires_at:
        return RuleBroken(
            _("The access that this handoff is for ended on %(when)s.") % {"when": words.moment(handoff.grant.ends_at)},
            code="grant_over",
        )
    return RuleBroken(
        _("This handoff expired on %(when)s. Have it issued again.") % {"when": words.moment(handoff.expires_at)},
        code="handoff_expired",
    )


def _claimed_before(handoff: Handoff, by: User | Connector) -> str:
    facts = {
        "who": handoff.claimer_name,
        "when": words.moment(handoff.claimed_at) if handoff.claimed_at else "",
        "where": handoff.claimed_from or "",
    }
    if handoff.claimed_by_program:
        if facts["where"]:
            text = _(
                "The program of “%(who)s” claimed this handoff on %(when)s already, from %(where)s. If its answer was "
                "lost, have the token issued again."
            )
        else:
            text = _(
                "The program of “%(who)s” claimed this handoff on %(when)s already. If its answer was lost, have the "
                "token issued again."
            )
    elif isinstance(by, User) and handoff.claimed_by_id == by.pk and facts["where"]:
        text = _(
            "You opened this handoff on %(when)s already, from %(where)s. If the token is lost, have it issued again."
        )
    elif isinstance(by, User) and handoff.claimed_by_id == by.pk:
        text = _("You opened this handoff on %(when)s already. If the token is lost, have it issued again.")
    elif facts["where"]:
        text = _("%(who)s opened this handoff on %(when)s already, from %(where)s.")
    else:
        text = _("%(who)s opened this handoff on %(when)s already.")
    return text % facts


def admin_side(handoff: Handoff, by: User | None) -> list[User]:
    """Who gets a receipt: the admin who granted, and the one who had it issued again, unless that was the developer.

    `by` is None when a program acts.
    """
    granted_by, made_by = handoff.grant.granted_by, handoff.made_by
    sides = [granted_by, None if made_by == by else made_by]
    return list(dict.fromkeys(user for user in sides if user is not None))


def facts(handoff: Handoff) -> dict[str, str]:
    """What the trail says about an act on a handoff."""
    return {"connector": handoff.connector.name, "target": handoff.grant.target_name}


def tell(user: User, handoff: Handoff, template: str, **facts: str | bool) -> None:
    """Queue a mail about the handoff, once for each person and template."""
    notifications.queue(
        user=user,
        template=f"connectors/{template}",
        key=f"{template.replace('_', '-')}:{handoff.pk}:{user.pk}",
        context={**issuing.facts_for_mail(handoff, handoff.grant), **facts},
    )
