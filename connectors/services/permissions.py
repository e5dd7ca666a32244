"""What a connector asks to be allowed, changed: less applies at once, more is asked of the admins of each grant."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from accounts.audit.events import EventType
from accounts.audit.record import record
from accounts.models import User
from connectors import policies
from connectors.models import AccessRequest, Connector, Grant
from connectors.permissions import Permission, to_stored
from connectors.services import access_requests, connectors
from kaizala_console.lib import clock

Permissions = frozenset[Permission]


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change did: what the connector has in addition, what it lost, and whom it concerns."""

    added: Permissions
    removed: Permissions
    grants_cut: int
    requests_made: int


@transaction.atomic
def change(*, connector: Connector, permissions: Iterable[str], by: User, reason: str = "") -> Changed:
    """Let the connector ask for other permissions than before.

    What it loses, its grants lose with it, from the next request on. What it gains is a request to the admins of each
    grant; until they approve, the grant goes on as it is. Raises NotFound for who does not own it, and RuleBroken.
    """
    connector = Connector.objects.get_locked(connector.pk)
    policies.require_owner(by, connector)
    chosen = connectors.check_permissions(permissions)
    before = connector.permissions
    added, removed = chosen - before, before - chosen
    if not added and not removed:
        return Changed(added, removed, 0, 0)
    why = access_requests.tidy_reason(reason)
    connector.permissions = chosen
    connector.save(update_fields=["permissions"])
    record(
        EventType.PERMISSIONS_CHANGED,
        by=by,
        subject=connector,
        before={"permissions": to_stored(before)},
        after={"permissions": to_stored(chosen)},
    )
    now = clock.now()
    grants = list(
        Grant.objects.select_for_update(of=("self",), no_key=True)
        .select_related("connector__organisation", "granted_by")
        .filter(connector=connector)
        .present()
        .order_by("pk")
    )
    cut = _cut_grants(grants, removed, by) if removed else 0
    asked = (
        _ask(
            connector,
            [grant for grant in grants if not _is_over(grant, now) and policies.takes_requests(grant)],
            added,
            by,
            now,
            why,
        )
        if added
        else 0
    )
    if removed:
        _ask_no_more(connector, removed, now)
    return Changed(added, removed, cut, asked)


def _is_over(grant: Grant, now: dt.datetime) -> bool:
    return grant.ends_at is not None and grant.ends_at <= now


def _cut_grants(grants: list[Grant], removed: Permissions, by: User) -> int:
    """Also what the connector gets back later is then asked for again, and not simply there."""
    cut = [grant for grant in grants if grant.permissions & removed]
    for grant in cut:
        before = grant.permissions
        grant.permissions = before - removed
        record(
            EventType.GRANT_PERMISSIONS_CHANGED,
            by=by,
            subject=grant,
            before={"permissions": to_stored(before)},
            after={
                **grant.audit_facts,
                "permissions": to_stored(grant.permissions),
            },
        )
    Grant.objects.bulk_update(cut, ["permissions"], batch_size=500)
    return len(cut)


def _ask(connector: Connector, grants: list[Grant], added: Permissions, by: User, now: dt.datetime, reason: str) -> int:
    """One request a grant. One that waits already is put together with what is asked now."""
    waiting = {
        request.grant_id: request
        for request in AccessRequest.objects.select_for_update(of=("self",), no_key=True)
        .waiting()
        .filter(connector=connector, kind=AccessRequest.Kind.MORE)
    }
    made = 0
    told: dict[User, list[AccessRequest]] = {}
    for grant in grants:
        asked = added - grant.permissions
        before = waiting.get(grant.pk)
        if not asked:
            continue
        if before is not None:
            before.permissions = before.permissions | asked
            before.reason = reason or before.reason
            before.expires_at = access_requests.expiry(now, grant.ends_at)
            before.save(update_fields=["permissions", "reason", "expires_at"])
            request = before
        else:
            request = AccessRequest.objects.create(
                connector=connector,
                kind=AccessRequest.Kind.MORE,
                grant=grant,
                target=grant.target,
                target_name=grant.target_name,
                permissions=asked,
                reason=reason,
                made_by=by,
                made_at=now,
                expires_at=access_requests.expiry(now, grant.ends_at),
            )
        made += 1
        request.connector, request.grant = connector, grant
        for user in policies.list_answerers(request):
            told.setdefault(user, []).append(request)
        record(
            EventType.REQUEST_MADE,
            by=by,
            subject=request,
            **grant.audit_scope,
            after={**grant.audit_facts, "permissions": to_stored(request.permissions)},
        )
    access_requests.notify_administrators(told)
    return made


def _ask_no_more(connector: Connector, removed: Permissions, now: dt.datetime) -> None:
    """What waits never asks for more than the connector itself has; what would ask for nothing is withdrawn."""
    waiting = AccessRequest.objects.select_for_update(of=("self",), no_key=True).waiting().filter(connector=connector)
    touched = [request for request in waiting if request.permissions & removed]
    for request in touched:
        left = request.permissions - removed
        if left:
            request.permissions = left
        else:
            request.withdrawn_at = now
    AccessRequest.objects.bulk_update(touched, ["permissions", "withdrawn_at"], batch_size=500)
