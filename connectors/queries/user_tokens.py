"""What the pages about user tokens read: what acts for a person, and what waits for a second admin."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts import queries as accounts_queries
from accounts.models import Person, User, VerifiedPhone
from connectors import policies
from connectors.models import Connector, Grant, UserTokenRequest
from connectors.queries import connectors
from connectors.queries import grants as grant_queries
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import NotFound
from kaizala_console.lib.pagination import Page, paginate


def get_user_grant(connector: Connector, person: Person) -> Any:
    """The grant with which the connector acts for the person, as `with_line`; None when there is none in force."""
    return grant_queries.with_line(
        Grant.objects.present().filter(connector=connector, target=f"person:{person.pk}")
    ).first()


def get_held_person(user: User, person_id: str) -> Person | None:
    """The person whom a form names, when the account holds their number."""
    key = ids.parse_guid(person_id)
    return next((phone.person for phone in accounts_queries.held_phones(user) if phone.person.pk == key), None)


def get_acting_page(user: User, *, cursor: str | None = None, size: int = connectors.PAGE_SIZE) -> Page[Grant]:
    """What acts for the account now: user tokens that it gave, and those of the numbers that it holds; newest first."""
    held = VerifiedPhone.objects.active().filter(user=user).values("person_id")
    grants = Grant.objects.present().filter(Q(granted_by=user) | Q(person__in=held), kind=Grant.Kind.USER)
    return paginate(
        grant_queries.with_line(grants.select_related("connector__owner")), ("-granted_at", "-id"), cursor, size
    )


def get_own_user_grant(user: User, grant_id: UUID) -> Grant:
    """A user token's grant that the account may end, ended or not. Raises NotFound."""
    grant = grant_queries.with_line(Grant.objects.filter(pk=grant_id, kind=Grant.Kind.USER)).first()
    if grant is None or not policies.can_administer(user, grant):
        raise NotFound
    return grant


def get_user_token_request(user: User, request_id: UUID) -> UserTokenRequest:
    """A request for its asker, or for who may answer it. Raises NotFound."""
    rows = UserTokenRequest.objects.select_related(
        "connector__organisation", "connector__owner", "person", "asked_by", "answered_by"
    )
    found = rows.filter(pk=request_id).first()
    if found is None or not policies.can_see_user_token_request(user, found):
        raise NotFound
    return found


def get_waiting_request(connector: Connector, person: Person) -> UserTokenRequest | None:
    """The one that can still be answered."""
    waiting = UserTokenRequest.objects.waiting().filter(connector=connector, person=person)
    return waiting.filter(expires_at__gt=clock.now()).first()


def list_to_confirm(user: User, *, at: Any = None) -> QuerySet[UserTokenRequest]:
    """What other admins of the organisation asked this one to confirm, the one that expires first in front."""
    waiting = UserTokenRequest.objects.waiting().filter(
        connector__organisation=user.organisation_id, expires_at__gt=at or clock.now()
    )
    return waiting.exclude(asked_by=user.pk).select_related("connector", "asked_by").order_by("expires_at", "id")
