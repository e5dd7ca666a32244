"""The end date of a grant: its tokens are refused from that moment on by themselves; the worker cleans up and tells."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from accounts.audit.record import SYSTEM, record
from accounts.audit.tags import Tag
from accounts.models import User
from accounts.services import notices
from connectors import policy
from connectors.models import Grant
from connectors.models.grant import GrantQuerySet
from connectors.services import ending, grants, issuing, trail, words
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict

ENDED_AT_ONCE: Final = 500


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
    for user in policy.administrators_of(grant):
        if user not in developers:
            _tell(grant, user, withdrawn=withdrawn, for_developer=False)
    return True


def _tell(grant: Grant, user: User, *, withdrawn: int, for_developer: bool) -> None:
    if grant.ends_at is None:
        raise ValueError("a grant without an end date does not end")
    notices.queue(
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
