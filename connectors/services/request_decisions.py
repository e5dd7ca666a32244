"""Answers to requests: all, some or none. Who approves access makes the grant, and tells it to `settle`.

The app above does so for groups, in one transaction; nothing here knows a group.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit.record import record
from accounts.audit.tags import Tag
from accounts.models import User
from accounts.policies import require_no_credential_hold
from accounts.services import notifications
from connectors import policies
from connectors.models import AccessRequest, Connector, Grant
from connectors.permissions import Permission
from connectors.services import access_requests, details, grants, issuing, trail, words
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import NotFound, RuleBroken


@transaction.atomic
def refuse(*, request: AccessRequest, by: User, target: str = "", target_name: str = "") -> AccessRequest:
    """None of it, and the developer is told. `target` says for what, when the request is a link.

    Raises NotFound unless `by` administers what would be reached; Conflict when it was answered or ended before.
    """
    request = access_requests.lock(request)
    if not policies.can_answer(by, request, target):
        raise NotFound
    if request.by_link:
        request.target, request.target_name = target, target_name
    elif request.grant is None:
        request.target_name = target_name
    request.refused_at = clock.now()
    request.decided_by = by
    request.save(update_fields=["target", "target_name", "refused_at", "decided_by"])
    _record_answer(Tag.REQUEST_REFUSED, request, by)
    _tell_owners(request, "request_refused")
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
    connector = Connector.objects.select_for_update(no_key=True).get(pk=request.connector_id)
    grant = grants.lock(request.grant.pk)
    request = access_requests.lock(request, as_shown=as_shown)
    if not policies.can_answer(by, request):
        raise NotFound
    require_no_credential_hold(by)
    grants.require_grantable(connector)
    given = details.checked_permissions(permissions)
    if not given <= request.permissions & connector.permissions:
        raise _not_asked()
    before = grant.permissions
    grant.permissions = before | given
    grant.save(update_fields=["permissions"])
    record(
        Tag.GRANT_PERMISSIONS_CHANGED,
        by=by,
        subject=grant,
        **trail.of_grant(grant),
        before={"permissions": words.names(before)},
        after={
            "connector": connector.name,
            "target": grant.target_name,
            "permissions": words.names(grant.permissions),
        },
    )
    _approve(request, by=by, grant=grant, given=given)
    return grant


def require_asked(request: AccessRequest, permissions: Iterable[str]) -> frozenset[Permission]:
    """The permissions as a set, when all of them were asked for. Raises RuleBroken."""
    given = details.checked_permissions(permissions)
    if not given <= request.permissions:
        raise _not_asked()
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
    _record_answer(Tag.REQUEST_APPROVED, request, by)
    _tell_owners(request, "request_approved")


def _record_answer(tag: Tag, request: AccessRequest, by: User) -> None:
    kind, _colon, target_id = request.target.partition(":")
    where = trail.of_connector(request.connector)
    where["group_id"] = ids.parse_guid(target_id) if kind == "group" else None
    record(
        tag,
        by=by,
        subject=request,
        **where,
        after={**access_requests.facts(request), "given": words.names(request.given)},
    )


def _tell_owners(request: AccessRequest, template: str) -> None:
    for user in issuing.owners_of(request.connector):
        with notifications.in_the_language_of(user):  # not in that of whoever answers
            given = words.labels(request.given)
            withheld = words.labels(request.permissions - request.given)
        notifications.queue(
            user=user,
            template=f"connectors/{template}",
            key=f"{template.replace('_', '-')}:{request.pk}:{user.pk}",
            context={
                "request_id": str(request.pk),
                "connector_id": str(request.connector_id),
                "connector_name": request.connector.name,
                "target_name": request.target_name,
                "decided_by": request.decided_by.name if request.decided_by else "",
                "given": given,
                "withheld": withheld,
            },
        )


def _not_asked() -> RuleBroken:
    return RuleBroken(
        _("More was ticked than was asked. Open the request again."), code="permissions_beyond", field="permissions"
    )
