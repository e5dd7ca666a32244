"""The end date of a grant: its tokens are refused from that moment on by themselves; the worker cleans up and tells.

It can be set, moved and taken away for as long as the access stands.
"""

from __future__ import annotations

import datetime as dt
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from accounts.audit.record import SYSTEM, record
from accounts.audit.tags import Tag
from accounts.models import User
from accounts.policies import require_no_credential_hold
from accounts.services import notifications
from connectors import policies
from connectors.models import AccessRequest, Grant, RefreshToken
from connectors.models.grant import GrantQuerySet
from connectors.services import ending, grants, issuing, trail, words
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, RuleBroken

ENDED_AT_ONCE: Final = 500


@transaction.atomic
def move(*, grant: Grant, ends_at: dt.datetime | None, by: User) -> Grant:
    """Give the access another end, or none, from the next request on. The same end again changes nothing.

    Its tokens live as long as the access does now, and no longer than their own 365 days.
    Raises NotFound for who does not administer it, Conflict for one that was removed, RuleBroken for an end that has
    passed, the old one or the new one; and for a later end while `by` cools off.
    """
    policies.require_administrator(by, grant)
    grant = grants.lock(grant.pk)
    now, before = clock.now(), grant.ends_at
    if before == ends_at:
        return grant
    if before is not None and before <= now:
        raise grants.is_over(before)
    if ends_at is not None and ends_at <= now:
        raise RuleBroken(_("The end date must lie in the future."), code="ends_at", field="end_date")
    if before is not None and (ends_at is None or ends_at > before):
        require_no_credential_hold(by)
    grant.ends_at = ends_at
    grant.save(update_fields=["ends_at"])
    for token in RefreshToken.objects.filter(grant=grant, revoked_at__isnull=True):
        # What ends with the access was cut to it; what was not has an end of its own.
        token.expires_at = (
            issuing.end_of_token(grant, token.issued_at) if token.expires_at == before else token.expires_at
        )
        if ends_at is not None:
            token.expires_at = min(token.expires_at, ends_at)
        token.save(update_fields=["expires_at"])
    if ends_at is not None:
        AccessRequest.objects.waiting().filter(grant=grant, expires_at__gt=ends_at).update(expires_at=ends_at)
    record(
        Tag.GRANT_END_CHANGED,
        by=by,
        subject=grant,
        **trail.of_grant(grant),
        before={"ends_at": before.isoformat() if before else None},
        after={
            "connector": grant.connector.name,
            "target": grant.target_name,
            "ends_at": ends_at.isoformat() if ends_at else None,
        },
    )
    return grant


def end_overdue() -> int:
    """Withdraw what still waits for grants past their end date, and tell both sides once; the number of grants.

    Each in a transaction of its own: one that fails keeps no other. What failed is raised at the end, as a group.
    """
    ended, problems = 0, []
    for grant_id in list(_overdue().order_by("ends_at").values_list("pk", flat=True)[:ENDED_AT_ONCE]):
        try:
            ended += _end(grant_id)
        except Exception as problem:  # noqa: BLE001 (raised below, once the others had their turn)
            problems.append(problem)
    if problems:
        raise ExceptionGroup("grants whose end could not be told", problems)
    return ended


def _overdue() -> GrantQuerySet:
    """Those past an end date that nobody was told of; an end that was moved on and came again counts anew."""
    untold = Q(end_told_at__isnull=True) | Q(end_told_at__lt=F("ends_at"))
    return Grant.objects.present().filter(untold, ends_at__lte=clock.now())


@transaction.atomic
def _end(grant_id: UUID) -> bool:
    try:
        grant = grants.lock(grant_id)
    except Conflict:
        return False
    now = clock.now()
    if not _overdue().filter(pk=grant_id).update(end_told_at=now):
        return False
    withdrawn = ending.withdraw_handoffs([grant_id], at=now)
    record(
        Tag.GRANT_ENDED,
        by=SYSTEM,
        subject=grant,
        **trail.of_grant(grant),
        after={
            "connector": grant.connector.name,
            "target": grant.target_name,
            "ends_at": grant.ends_at.isoformat() if grant.ends_at else None,
            "handoffs_withdrawn": withdrawn,
        },
    )
    developers = issuing.owners_of(grant.connector)
    for user in developers:
        _tell(grant, user, withdrawn=withdrawn, for_developer=True)
    for user in policies.administrators_of(grant):
        if user not in developers:
            _tell(grant, user, withdrawn=withdrawn, for_developer=False)
    return True


def _tell(grant: Grant, user: User, *, withdrawn: int, for_developer: bool) -> None:
    if grant.ends_at is None:
        raise ValueError("a grant without an end date does not end")
    notifications.queue(
        user=user,
        template="connectors/grant_ended",
        key=f"grant-ended:{grant.pk}:{grant.ends_at.isoformat()}:{user.pk}",
        context={
            "connector_name": grant.connector.name,
            "connector_id": str(grant.connector_id),
            "target_name": grant.target_name,
            "grant_id": str(grant.pk),
            "group_id": str(trail.of_grant(grant)["group_id"] or ""),
            "ended_at_text": words.utc(grant.ends_at),
            "handoff_withdrawn": bool(withdrawn),
            "for_developer": for_developer,
        },
    )
