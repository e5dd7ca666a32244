"""Grants: create, suspend, resume, revoke, regenerate the token, and end on a date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM, record
from accounts.models import Person, User
from accounts.policies import require_no_credential_hold
from accounts.services import notifications
from connectors import policies
from connectors.models import AccessRequest, Connector, ConnectorState, Grant, Handoff, RefreshToken
from connectors.models.grant import GrantQuerySet
from connectors.permissions import Permission, to_stored
from connectors.services import connectors, owners, refresh_tokens
from kaizala_console.lib import clock, moments, outbox
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

LONGEST_TARGET_NAME = 200


class AlreadyGranted(Conflict):
    """The connector has a grant for this target; `grant` is it."""

    def __init__(self, grant: Grant) -> None:
        self.grant = grant
        super().__init__(
            _("“%(connector)s” already has access to “%(target)s”.")
            % {
                **grant.audit_facts,
            },
            code="already_granted",
        )


@dataclass(frozen=True, slots=True)
class Granted:
    """What a grant made: the grant, the row of its refresh token, and the handoff that holds the token sealed."""

    grant: Grant
    refresh_token: RefreshToken
    handoff: Handoff


@transaction.atomic
def grant(
    *,
    connector: Connector,
    kind: str,
    target: str,
    target_name: str,
    person: Person,
    by: User,
    permissions: Iterable[str] | None = None,
    ends_at: dt.datetime | None = None,
    confirmed_by: User | None = None,
) -> Granted:
    """Let `connector` act on `target` with the role of `person`; make its refresh token and seal it at once.

    Whether `by` may give the target away is for the caller to know: this app knows no groups. `permissions` are the
    connector's own without it, and can only be fewer. Raises NotFound for a connector of another organisation,
    AlreadyGranted, and RuleBroken for a connector that takes no new grants.
    """
    # Everything that decides whether it may be granted is read under its lock: grants take turns with each other and
    # with deactivate, suspend and delete.
    connector = Connector.objects.get_locked(connector.pk)
    if not policies.can_see(by, connector) or connector.deleted_at:
        raise NotFound
    require_no_credential_hold(by)
    existing = Grant.objects.present().filter(connector=connector, target=target).first()
    if existing is not None:
        raise AlreadyGranted(existing)
    require_grantable(connector)
    now = clock.now()
    if ends_at is not None and ends_at <= now:
        raise RuleBroken(_("The end date must be in the future."), code="ends_at", field="ends_at")
    made = Grant.objects.create(
        connector=connector,
        kind=Grant.Kind(kind),
        target=target,
        target_name=_one_line(target_name),
        person=person,
        granted_by=by,
        confirmed_by=confirmed_by,
        permissions=_require_fewer(connector, permissions),
        granted_at=now,
        ends_at=ends_at,
    )
    record(
        EventType.GRANT_MADE if made.kind == Grant.Kind.GROUP else EventType.USER_TOKEN_MADE,
        by=by,
        subject=made,
        after={
            **made.audit_facts,
            "permissions": to_stored(made.permissions),
            "ends_at": ends_at.isoformat() if ends_at else None,
        },
    )
    issued = refresh_tokens.issue(grant=made, by=by, at=now)
    return Granted(made, issued.refresh_token, issued.handoff)


@transaction.atomic
def revoke(*, grant: Grant, by: User, reason: str = "") -> Grant:
    """End a grant for good: its tokens are refused from the next request on, what waits sealed is wiped.

    An operator gives a `reason`, which the owners and admins are sent, as with `suspend` and `resume`. Raises NotFound
    for who does not administer it, and Conflict when it was ended already.
    """
    policies.require_administrator_or_operator(by, grant)
    grant = lock(grant.pk)
    now = clock.now()
    grant.revoked_at = now
    grant.save(update_fields=["revoked_at"])
    ended = refresh_tokens.revoke_all([grant.pk], at=now)
    refresh_tokens.withdraw_requests_for_more([grant.pk], at=now)
    event = record(
        EventType.GRANT_REVOKED,
        by=by,
        subject=grant,
        before={**grant.audit_facts, "tokens_ended": ended},
        after={"reason": reason} if reason else None,
    )
    owners.notify_of_operator(
        event=event, connector=grant.connector, by=by, act="access_removed", reason=reason, grant=grant
    )
    return grant


@transaction.atomic
def suspend(*, grant: Grant, by: User, reason: str = "") -> Grant:
    """Refuse the grant's tokens from the next request on, until it is resumed. Raises NotFound and Conflict."""
    policies.require_administrator_or_operator(by, grant)
    already = _("This access is already suspended.")
    return _set_suspended(grant, by, True, EventType.GRANT_SUSPENDED, already, "access_suspended", reason)


@transaction.atomic
def resume(*, grant: Grant, by: User, reason: str = "") -> Grant:
    """Accept the grant's tokens again. Raises NotFound and Conflict, and RuleBroken while `by` cools off."""
    policies.require_administrator_or_operator(by, grant)
    require_no_credential_hold(by)
    already = _("This access is not suspended.")
    return _set_suspended(grant, by, False, EventType.GRANT_RESUMED, already, "access_resumed", reason)


@transaction.atomic
def regenerate(*, grant: Grant, by: User, instead_of: Handoff | None = None) -> Handoff:
    """End the grant's tokens at once, make a new one, and hand it over sealed; the new handoff.

    For who administers the grant. Asked twice for a new one `instead_of` the same handoff, it gives the same new one;
    but one that was handed over meanwhile beside a token that still works is no reason to let that token go on. Raises
    NotFound, Conflict for one that was ended, RuleBroken while its connector is suspended.
    """
    policies.require_administrator(by, grant)
    require_no_credential_hold(by)
    grant = lock(grant.pk)
    ended = RefreshToken.objects.filter(revoked_at__isnull=False)
    if instead_of is not None and ended.filter(pk=instead_of.refresh_token_id).exists():
        newest = grant.handoffs.defer("sealed").order_by("-made_at", "-id").first()
        if newest is not None and newest.pk != instead_of.pk:
            return newest
    handoff = replace_token(grant=grant, by=by)
    record(
        EventType.GRANT_REGENERATED,
        by=by,
        subject=grant,
        after={**grant.audit_facts, "handoff": str(handoff.pk)},
    )
    return handoff


def replace_token(*, grant: Grant, by: User) -> Handoff:
    """Revoke the grant's tokens and issue a new one; for services that hold its lock and write the audit row."""
    now = clock.now()
    if grant.connector.state is ConnectorState.SUSPENDED:
        raise RuleBroken(
            _("“%(connector)s” is suspended. Resume it first.") % {"connector": grant.connector.name},
            code="connector_suspended",
        )
    if grant.ends_at is not None and grant.ends_at <= now:
        raise is_over(grant.ends_at)
    refresh_tokens.revoke_all([grant.pk], at=now)
    return refresh_tokens.issue(grant=grant, by=by, at=now).handoff


def is_over(ended_at: dt.datetime) -> RuleBroken:
    """What to say of access past its end date."""
    return RuleBroken(
        _("This access ended on %(when)s. Remove it, then add the connector again.")
        % {"when": moments.exact(ended_at)},
        code="grant_over",
    )


def relabel(*, target: str, name: str) -> int:
    """Follow a new name of what grants reach; the number of grants. The audit row is the rename's own."""
    return Grant.objects.filter(target=target).update(target_name=_one_line(name))


def lock(grant_id: UUID) -> Grant:
    """The grant as it is now, held until the end of the transaction; Conflict when it was ended."""
    grant = (
        Grant.objects.select_for_update(of=("self",), no_key=True)
        .select_related("connector__organisation", "person", "granted_by")
        .get(pk=grant_id)
    )
    if grant.revoked_at:
        raise Conflict(
            _("This access was removed on %(when)s.") % {"when": moments.exact(grant.revoked_at)}, code="grant_revoked"
        )
    return grant


def _set_suspended(grant: Grant, by: User, on: bool, tag: EventType, already: str, act: str, reason: str) -> Grant:
    grant = lock(grant.pk)
    if (grant.suspended_at is not None) is on:
        raise Conflict(already, code="state_unchanged")
    grant.suspended_at = clock.now() if on else None
    grant.save(update_fields=["suspended_at"])
    event = record(
        tag,
        by=by,
        subject=grant,
        after={
            **grant.audit_facts,
            **({"reason": reason} if reason else {}),
        },
    )
    owners.notify_of_operator(event=event, connector=grant.connector, by=by, act=act, reason=reason, grant=grant)
    return grant


def require_grantable(connector: Connector) -> None:
    """Raise RuleBroken, saying why, unless the connector takes new grants."""
    if connector.state is ConnectorState.LIVE:
        return
    reason = {
        ConnectorState.DEACTIVATED: _("“%(connector)s” can’t be added: its developer deactivated it."),
        ConnectorState.SUSPENDED: _("“%(connector)s” can’t be added while it is suspended."),
    }[connector.state]
    raise RuleBroken(reason % {"connector": connector.name}, code="connector_not_grantable", field="connector")


def _require_fewer(connector: Connector, permissions: Iterable[str] | None) -> frozenset[Permission]:
    if permissions is None:
        return connector.permissions
    chosen = connectors.check_permissions(permissions)
    if not chosen <= connector.permissions:
        raise RuleBroken(
            _("“%(connector)s” did not ask for all of these permissions.") % {"connector": connector.name},
            code="permissions_beyond",
            field="permissions",
        )
    return chosen


def _one_line(name: str) -> str:
    return " ".join(name.split())[:LONGEST_TARGET_NAME]


# ----------------------------------------------------------------------------------------------------
# The end date of a grant: its tokens are refused from that moment on by themselves; the worker cleans up and tells.
#
# It can be set, moved and removed while the access lasts.


ENDED_AT_ONCE: Final = 500


@transaction.atomic
def move(*, grant: Grant, ends_at: dt.datetime | None, by: User) -> Grant:
    """Give the access another end, or none, from the next request on. The same end again changes nothing.

    Its tokens live as long as the access does now, and no longer than their own 365 days.
    Raises NotFound for who does not administer it, Conflict for one that was removed, RuleBroken for an end that has
    passed, the old one or the new one; and for a later end while `by` cools off.
    """
    policies.require_administrator(by, grant)
    grant = lock(grant.pk)
    now, before = clock.now(), grant.ends_at
    if before == ends_at:
        return grant
    if before is not None and before <= now:
        raise is_over(before)
    if ends_at is not None and ends_at <= now:
        raise RuleBroken(_("The end date must be in the future."), code="ends_at", field="end_date")
    if before is not None and (ends_at is None or ends_at > before):
        require_no_credential_hold(by)
    grant.ends_at = ends_at
    grant.save(update_fields=["ends_at"])
    for token in RefreshToken.objects.filter(grant=grant, revoked_at__isnull=True):
        # What ends with the access was cut to it; what was not has an end of its own.
        token.expires_at = (
            refresh_tokens.get_token_end(grant, token.issued_at) if token.expires_at == before else token.expires_at
        )
        if ends_at is not None:
            token.expires_at = min(token.expires_at, ends_at)
        token.save(update_fields=["expires_at"])
    if ends_at is not None:
        AccessRequest.objects.waiting().filter(grant=grant, expires_at__gt=ends_at).update(expires_at=ends_at)
    record(
        EventType.GRANT_END_CHANGED,
        by=by,
        subject=grant,
        before={"ends_at": before.isoformat() if before else None},
        after={
            **grant.audit_facts,
            "ends_at": ends_at.isoformat() if ends_at else None,
        },
    )
    return grant


def end_overdue() -> int:
    """Withdraw what still waits for grants past their end date, and tell both sides once; the number of grants.

    Each in a transaction of its own.
    """
    overdue = _list_overdue().order_by("ends_at").values_list("pk", flat=True)
    return outbox.run_each(list(overdue[:ENDED_AT_ONCE]), _end, problem="grants whose end could not be told")


def _list_overdue() -> GrantQuerySet:
    """Grants past an end date that was not announced yet; a later end date is announced again."""
    untold = Q(end_told_at__isnull=True) | Q(end_told_at__lt=F("ends_at"))
    return Grant.objects.present().filter(untold, ends_at__lte=clock.now())


@transaction.atomic
def _end(grant_id: UUID) -> bool:
    try:
        grant = lock(grant_id)
    except Conflict:
        return False
    now = clock.now()
    if not _list_overdue().filter(pk=grant_id).update(end_told_at=now):
        return False
    ended_at = grant.ends_at.isoformat() if grant.ends_at else None
    withdrawn = refresh_tokens.withdraw_handoffs([grant_id], at=now)
    record(
        EventType.GRANT_ENDED,
        by=SYSTEM,
        subject=grant,
        after={
            **grant.audit_facts,
            "ends_at": ended_at,
            "handoffs_withdrawn": withdrawn,
        },
    )
    developers = grant.connector.list_active_owners()
    for user in dict.fromkeys([*developers, *policies.list_administrators(grant)]):
        notifications.queue(
            user=user,
            template="connectors/grant_ended",
            key=f"grant-ended:{grant.pk}:{ended_at}:{user.pk}",
            context={
                **grant.connector.mail_facts,
                "target_name": grant.target_name,
                "grant_id": str(grant.pk),
                "group_id": str(grant.audit_scope["group_id"] or ""),
                "ended_at": ended_at,
                "handoff_withdrawn": bool(withdrawn),
                "for_developer": user in developers,
            },
        )
    return True
