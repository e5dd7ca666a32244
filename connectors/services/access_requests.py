"""Requests: a developer asks, a group's admin answers with all, some or none. Until then nothing changes.

Locks go connector → grant → request.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM, record
from accounts.models import User
from accounts.policies import require_no_credential_hold
from accounts.services import notifications
from connectors import policies
from connectors.models import AccessRequest, Connector, ConnectorState, Grant, RequestState
from connectors.permissions import Permission, list_labels, list_scopes, parse_scopes, to_stored
from connectors.services import connectors, grants
from kaizala_console.lib import clock, ids, moments, rate_limit
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken, TooSoon
from kaizala_console.lib.rate_limit import Limit

LONGEST_REASON = 500
LONGEST_ONCE = 64
MOST_A_DAY = 300  # of one account
MOST_WAITING = 100  # of one connector, made by hand
EXPIRED_AT_ONCE = 1000
Kind = AccessRequest.Kind


def new_once() -> str:
    """The name of a form that is about to be shown."""
    return ids.new_id().hex


def ask(
    *,
    connector: Connector,
    by: User,
    permissions: Iterable[str],
    once: str,
    reason: str = "",
    ends_at: dt.datetime | None = None,
    target: str = "",
) -> AccessRequest:
    """Ask for access: of one group, by its opaque `target`, or of whoever gets the link. Changes nothing else.

    The same form (`once`) sent again is the same request. Whether there is such a group is not looked at: a developer
    must not learn it. Raises NotFound for who does not own the connector; RuleBroken, naming the field; Conflict when
    one for this target waits already, AlreadyGranted, and TooSoon: whoever is asked gets a mail.
    """
    refusal = rate_limit.hit(Limit(f"access-requests:{by.pk}", MOST_A_DAY, 86_400))
    if refusal is not None:
        raise TooSoon(_("You sent too many requests today. Try again tomorrow."), retry_after=refusal.retry_after)
    with transaction.atomic():
        connector = Connector.objects.get_locked(connector.pk)
        policies.require_owner(by, connector)
        if not 0 < len(once) <= LONGEST_ONCE or not once.isalnum():
            raise RuleBroken(_("This form has expired. Open it again."), code="once")
        before = AccessRequest.objects.filter(made_by=by, once=once).first()
        if before is not None:
            return before
        now = clock.now()
        chosen = _checked(connector, permissions, ends_at, now)
        waiting = AccessRequest.objects.open(now).filter(connector=connector, kind=Kind.ACCESS)
        if target:
            _require_new(connector, target, now)
        if waiting.count() >= MOST_WAITING:
            raise RuleBroken(
                _("%(most)d requests of this connector are waiting. Withdraw some first.") % {"most": MOST_WAITING},
                code="too_many_waiting",
            )
        request = AccessRequest.objects.create(
            connector=connector,
            kind=Kind.ACCESS,
            by_link=not target,
            target=target,
            permissions=chosen,
            ends_at=ends_at,
            reason=tidy_reason(reason),
            once=once,
            made_by=by,
            made_at=now,
            expires_at=expiry(now, ends_at),
        )
        record(
            EventType.REQUEST_MADE,
            by=by,
            subject=request,
            # Not in the history of the group that is named: its admins have not seen this yet.
            **connector.audit_scope,
            after={
                "connector": connector.name,
                "permissions": to_stored(chosen),
                "ends_at": ends_at.isoformat() if ends_at else None,
                "by_link": request.by_link,
            },
        )
        notify_administrators({user: [request] for user in policies.list_answerers(request)} if target else {})
        return request


@transaction.atomic
def withdraw(*, request: AccessRequest, by: User) -> AccessRequest:
    """The developer asks no more. Raises NotFound for others, and Conflict when it was answered or ended before."""
    policies.require_owner(by, request.connector)
    request = lock(request)
    request.withdrawn_at = clock.now()
    request.save(update_fields=["withdrawn_at"])
    record(
        EventType.REQUEST_WITHDRAWN,
        by=by,
        subject=request,
        **request.connector.audit_scope,
        before=get_facts(request),
    )
    return request


def lock(request: AccessRequest, *, as_shown: Collection[Permission] | None = None) -> AccessRequest:
    """The request as it is now, held with its connector until the end of the transaction.

    Raises Conflict, saying who and when, for one that was answered, withdrawn or expired; and for one that asks for
    other permissions than `as_shown`, those that the person saw who answers.
    """
    Connector.objects.get_locked(request.connector_id)
    found = (
        AccessRequest.objects.select_for_update(of=("self",), no_key=True)
        .select_related("connector__organisation", "connector__owner", "grant__connector", "decided_by", "made_by")
        .get(pk=request.pk)
    )
    if found.state is not RequestState.WAITING:
        raise Conflict(explain_over(found), code=f"request_{found.state}")
    if as_shown is not None and found.permissions != frozenset(as_shown):
        raise Conflict(_("The developer changed this request. Check it again."), code="request_changed")
    return found


def notify_administrators(asked: Mapping[User, Collection[AccessRequest]]) -> None:
    """A mail to each of these accounts that requests wait for it, without their contents: one mail, however many."""
    for user, waiting in asked.items():
        first = min(waiting, key=lambda request: request.pk)
        notifications.queue(
            user=user,
            template="connectors/requests_made",
            key=f"requests-made:{first.pk}:{user.pk}",
            context={
                "connector_name": first.connector.name,
                "asked_by": first.made_by.name,
                "count": len(waiting),
                "request_id": str(first.pk),
            },
        )


def expire_overdue() -> int:
    """End requests past their deadline, notify the owners once for each connector, and return how many ended."""
    overdue = AccessRequest.objects.overdue(clock.now()).order_by("expires_at").values_list("connector_id", "pk")
    mine: dict[UUID, list[UUID]] = {}
    for connector_id, request_id in overdue[:EXPIRED_AT_ONCE]:
        mine.setdefault(connector_id, []).append(request_id)
    return sum(_expire(connector_id, request_ids) for connector_id, request_ids in mine.items())


def expiry(now: dt.datetime, ends_at: dt.datetime | None) -> dt.datetime:
    """Until when a request made at `now` can be answered: not beyond the end of what it asks for."""
    end = now + dt.timedelta(days=settings.REQUEST_DAYS)
    return end if ends_at is None else min(end, ends_at)


def explain_over(request: AccessRequest) -> str:
    """Say who ended the request, and when."""
    if request.decided_by is not None and request.decided_at is not None:
        said = (
            _("%(name)s approved this request on %(when)s.")
            if request.approved_at
            else _("%(name)s refused this request on %(when)s.")
        )
        return said % {"name": request.decided_by.name, "when": moments.exact(request.decided_at)}
    if request.withdrawn_at:
        return _("This request was withdrawn on %(when)s.") % {"when": moments.exact(request.withdrawn_at)}
    return _("This request expired on %(when)s. Its developer can send a new one.") % {
        "when": moments.exact(request.expires_at)
    }


def get_facts(request: AccessRequest) -> dict[str, object]:
    """What the audit rows about a request say."""
    return {
        "connector": request.connector.name,
        "target": request.target_name,
        "permissions": to_stored(request.permissions),
    }


# Pieces --------------------------------------------------------------------------------------------------------------


@transaction.atomic
def _expire(connector_id: UUID, request_ids: list[UUID]) -> int:
    connector = Connector.objects.get_locked(connector_id)
    now = clock.now()
    found = list(
        AccessRequest.objects.select_for_update(of=("self",), no_key=True).overdue(now).filter(pk__in=request_ids)
    )
    AccessRequest.objects.filter(pk__in=[request.pk for request in found]).update(expired_at=now)
    for request in found:
        request.connector = connector
        record(
            EventType.REQUEST_EXPIRED,
            by=SYSTEM,
            subject=request,
            **connector.audit_scope,
            before=get_facts(request),
        )
    if found:
        notifications.queue_each(
            connector.list_active_owners(),
            template="connectors/requests_expired",
            key=f"requests-expired:{found[0].pk}",
            context={**connector.mail_facts, "count": len(found)},
        )
    return len(found)


def _checked(
    connector: Connector, permissions: Iterable[str], ends_at: dt.datetime | None, now: dt.datetime
) -> frozenset[Permission]:
    if connector.state is not ConnectorState.LIVE:
        raise RuleBroken(
            _("“%(connector)s” can’t be added now: its developer must reactivate or resume it first.")
            % {"connector": connector.name},
            code="connector_not_grantable",
        )
    chosen = connectors.check_permissions(permissions)
    if not chosen <= connector.permissions:
        raise RuleBroken(
            _("The connector does not have all of these permissions. Change its permissions first."),
            code="permissions_beyond",
            field="permissions",
        )
    if ends_at is not None and ends_at <= now:
        raise RuleBroken(_("The end date must be in the future."), code="ends_at", field="end_date")
    return chosen


def _require_new(connector: Connector, target: str, now: dt.datetime) -> None:
    there = Grant.objects.present().filter(connector=connector, target=target).first()
    if there is not None:
        raise grants.AlreadyGranted(there)
    before = AccessRequest.objects.waiting().filter(connector=connector, target=target)
    # One that is overdue and not swept yet would still stand in the way of the constraint.
    _expire(connector.pk, list(before.overdue(now).values_list("pk", flat=True)))
    if before.exists():
        raise Conflict(_("A request for this group is already waiting."), code="already_asked")


def tidy_reason(reason: str) -> str:
    """The reason as it is kept. Raises RuleBroken when it is too long."""
    tidy = connectors.check_printable(reason, keep="\n").strip()
    too_long = _("The reason is too long: %(count)d characters, at most %(most)d.")
    return connectors.check_length(tidy, LONGEST_REASON, too_long, field="reason")


# ----------------------------------------------------------------------------------------------------
# Answers to requests: all, some or none. Who approves access makes the grant, and tells it to `settle`.
#
# The app above does so for groups, in one transaction; nothing here knows a group.


@transaction.atomic
def refuse(*, request: AccessRequest, by: User, target: str = "", target_name: str = "") -> AccessRequest:
    """None of it, and the developer is told. `target` says for what, when the request is a link.

    Raises NotFound unless `by` administers what would be reached; Conflict when it was answered or ended before.
    """
    request = lock(request)
    if not policies.can_answer(by, request, target):
        raise NotFound
    if request.by_link:
        request.target, request.target_name = target, target_name
    elif request.grant is None:
        request.target_name = target_name
    request.refused_at = clock.now()
    request.decided_by = by
    request.save(update_fields=["target", "target_name", "refused_at", "decided_by"])
    _record_answer(EventType.REQUEST_REFUSED, request, by)
    _notify_owners(request, "request_refused")
    return request


@transaction.atomic
def approve_more(
    *,
    request: AccessRequest,
    by: User,
    permissions: Iterable[str],
    as_shown: Collection[Permission] | None = None,
) -> Grant:
    """Give a grant all or some of what was asked in addition; its tokens may do so from the next request on.

    Raises NotFound unless `by` administers the grant; Conflict when it was answered or ended before; RuleBroken for
    what was not asked, and while the connector is deactivated or suspended.
    """
    if request.grant is None:
        raise NotFound
    connector = Connector.objects.get_locked(request.connector_id)
    grant = grants.lock(request.grant.pk)
    request = lock(request, as_shown=as_shown)
    if not policies.can_answer(by, request):
        raise NotFound
    require_no_credential_hold(by)
    grants.require_grantable(connector)
    given = connectors.check_permissions(permissions)
    if not given <= request.permissions & connector.permissions:
        raise _refuse_not_asked()
    before = grant.permissions
    grant.permissions = before | given
    if grant.scope:
        grant.scope = " ".join(parse_scopes(" ".join([grant.scope, *list_scopes(given)])))
    grant.save(update_fields=["permissions", "scope"])
    record(
        EventType.GRANT_PERMISSIONS_CHANGED,
        by=by,
        subject=grant,
        before={"permissions": to_stored(before)},
        after={**grant.audit_facts, "permissions": to_stored(grant.permissions)},
    )
    _approve(request, by=by, grant=grant, given=given)
    return grant


def require_asked(request: AccessRequest, permissions: Iterable[str]) -> frozenset[Permission]:
    """The permissions as a set, when all of them were asked for. Raises RuleBroken."""
    given = connectors.check_permissions(permissions)
    if not given <= request.permissions:
        raise _refuse_not_asked()
    return given


def settle(*, grant: Grant, by: User, answering: AccessRequest | None = None) -> None:
    """A grant of access was made: that answers `answering` (locked), and whatever else asked for the same.

    For the service that made the grant, in its transaction.
    """
    also = (
        AccessRequest.objects.select_for_update(of=("self",), no_key=True)
        .select_related("connector__organisation", "connector__owner", "made_by")
        .filter(connector=grant.connector_id, target=grant.target, kind=AccessRequest.Kind.ACCESS)
        .open(clock.now())
    )
    asked = {request.pk: request for request in also}
    if answering is not None:
        asked[answering.pk] = answering
    for request in asked.values():
        _approve(request, by=by, grant=grant, given=grant.permissions)


# Pieces --------------------------------------------------------------------------------------------------------------


def _approve(request: AccessRequest, *, by: User, grant: Grant, given: frozenset[Permission]) -> None:
    request.grant, request.target, request.target_name = grant, grant.target, grant.target_name
    request.given = given
    request.approved_at = clock.now()
    request.decided_by = by
    request.save(update_fields=["grant", "target", "target_name", "given", "approved_at", "decided_by"])
    _record_answer(EventType.REQUEST_APPROVED, request, by)
    _notify_owners(request, "request_approved")


def _record_answer(tag: EventType, request: AccessRequest, by: User) -> None:
    kind, _colon, target_id = request.target.partition(":")
    where = request.connector.audit_scope
    where["group_id"] = ids.parse_guid(target_id) if kind == "group" else None
    record(
        tag,
        by=by,
        subject=request,
        **where,
        after={**get_facts(request), "given": to_stored(request.given)},
    )


def _notify_owners(request: AccessRequest, template: str) -> None:
    for user in request.connector.list_active_owners():
        with notifications.reader_language(user):  # not in the language of the admin who answers
            given = list_labels(request.given)
            withheld = list_labels(request.permissions - request.given)
        notifications.queue(
            user=user,
            template=f"connectors/{template}",
            key=f"{template.replace('_', '-')}:{request.pk}:{user.pk}",
            context={
                "request_id": str(request.pk),
                **request.connector.mail_facts,
                "target_name": request.target_name,
                "decided_by": request.decided_by.name if request.decided_by else "",
                "given": given,
                "withheld": withheld,
            },
        )


def _refuse_not_asked() -> RuleBroken:
    return RuleBroken(
        _("More was selected than requested. Open the request again."), code="permissions_beyond", field="permissions"
    )
