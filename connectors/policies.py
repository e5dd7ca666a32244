"""The app's one place for authorisation: who may do what to a connector, a grant and a handoff.

"Not yours" and "not there" are the same answer (`NotFound`), made here. Rights come from what somebody owns and
administers, not from a type of account.
"""

from __future__ import annotations

from django.db.models import QuerySet

from accounts.models import Person, User, VerifiedPhone
from accounts.policies import may_operate
from connectors import hooks
from connectors.models import AccessRequest, Connector, Grant, Handoff, UserTokenRequest
from connectors.permissions import Permission
from kaizala_console.lib.errors import NotFound


def is_owner(user: User, connector: Connector) -> bool:
    """Whether the account is the connector's owner or a co-owner. A deleted connector has neither."""
    if not user.is_active or connector.deleted_at is not None:
        return False
    return connector.owner_id == user.pk or connector.co_owners.filter(pk=user.pk).exists()


def can_name_owners(user: User, connector: Connector) -> bool:
    """Whether the account may add and remove co-owners, and hand the connector on: its owner.

    When the owner's account is switched off, a co-owner may, an admin of the organisation, and an operator.
    """
    if not user.is_active or connector.deleted_at is not None:
        return False
    if connector.owner.is_active:
        return connector.owner_id == user.pk
    is_admin = user.is_organisation_admin and user.organisation_id == connector.organisation_id
    return is_admin or may_operate(user) or is_owner(user, connector)


def can_see(user: User, connector: Connector) -> bool:
    """Everyone signed in may see that a connector of the organisation exists, and what it may do."""
    return user.is_active and user.organisation_id == connector.organisation_id


def can_see_credentials(user: User, connector: Connector) -> bool:
    """Only owners see the state of a connector's secrets and tokens."""
    return is_owner(user, connector)


def can_administer(user: User, grant: Grant) -> bool:
    """Whether the account may regenerate, suspend and end this grant: an admin of what it reaches, at this moment.

    Of a user token: who gave it, and who holds the person's number, which may be somebody else by now.
    """
    if not user.is_active:
        return False
    if grant.kind == Grant.Kind.USER:
        return grant.granted_by_id == user.pk or holds(user, grant.person)
    return hooks.administers(user, grant.target)


def holds(user: User, person: Person) -> bool:
    """Whether the account has proven to hold this person's number, and does so now."""
    return VerifiedPhone.objects.active().filter(user=user, person=person).exists()


def can_answer(user: User, request: AccessRequest, target: str = "") -> bool:
    """Whether the account may approve or refuse what a developer asked, for `target` when the request names none.

    That is an admin of what would be reached, who may also see the connector.
    """
    grant = request.grant
    if grant is not None and grant.kind == Grant.Kind.USER:
        # Only who let it act; an organisation admin's user token grows as it was made, with a second admin.
        return takes_requests(grant) and grant.granted_by_id == user.pk and can_administer(user, grant)
    if grant is not None:
        return can_administer(user, grant)
    if not (request.by_link or request.target) or not can_see(user, request.connector):
        return False
    return hooks.administers(user, request.target or target)


def list_answerers(request: AccessRequest) -> list[User]:
    """The accounts that can answer a request; none for a link, and none outside the connector's organisation."""
    if request.grant is not None:
        told = list_administrators(request.grant)
    else:
        told = hooks.administrators(request.target) if request.target else []
    return [user for user in told if can_answer(user, request)]


def takes_requests(grant: Grant) -> bool:
    """Whether this grant can get more permissions.

    Nobody gives more to what acts for an organisation admin: a second admin confirms a new user token instead. Nor to
    what was made by PIN alone: a new PIN replaces it.
    """
    if grant.kind != Grant.Kind.USER:
        return True
    return grant.granted_by is not None and not grant.granted_by.is_organisation_admin


def can_see_request(user: User, request: AccessRequest) -> bool:
    """Both sides see a request; everyone in the organisation can open one that is a link."""
    if is_owner(user, request.connector) or can_answer(user, request):
        return True
    return request.by_link and can_see(user, request.connector)


def list_administrators(grant: Grant) -> list[User]:
    """Whom to tell about a grant: the account that granted while it still administers, else who does so now."""
    if grant.granted_by is not None and can_administer(grant.granted_by, grant):
        return [grant.granted_by]
    return hooks.administrators(grant.target) if grant.kind == Grant.Kind.GROUP else []


def can_see_handoff(user: User, handoff: Handoff) -> bool:
    """Both sides of a handoff see it: the owners of its connector, and the admins of what it reaches."""
    return is_owner(user, handoff.connector) or can_administer(user, handoff.grant)


def can_have_revealed(user: User, handoff: Handoff) -> bool:
    """Whether "Show it to me once" is for this account: it granted, still administers, and may see tokens.

    This console cannot open what is sealed to the connector's own key.
    """
    return (
        handoff.made_by_id == user.pk
        and not handoff.is_sealed_to_key
        and handoff.connector.organisation.admins_may_see_tokens
        and can_administer(user, handoff.grant)
    )


def require_owner(user: User, connector: Connector) -> None:
    """Raise NotFound unless the account owns the connector."""
    if not is_owner(user, connector):
        raise NotFound


def require_owner_or_operator(user: User, connector: Connector) -> None:
    """Raise NotFound unless the account owns the connector or runs this installation."""
    if not (may_operate(user) or is_owner(user, connector)):
        raise NotFound


def require_administrator(user: User, grant: Grant) -> None:
    """Raise NotFound unless the account may regenerate, suspend and end this grant."""
    if not can_administer(user, grant):
        raise NotFound


def require_administrator_or_operator(user: User, grant: Grant) -> None:
    """Raise NotFound unless the account administers what the grant reaches, or runs this installation."""
    if not (may_operate(user) or can_administer(user, grant)):
        raise NotFound


def needs_second_admin(user: User, connector: Connector) -> bool:
    """Whether a user token of this account would reach the whole organisation: that is for two admins to decide."""
    return user.is_organisation_admin and Permission.TENANT_DATA in connector.permissions


def list_other_admins(user: User) -> QuerySet[User]:
    """The organisation's other admins: who may confirm what one admin may not decide alone."""
    admins = User.objects.filter(organisation=user.organisation_id, is_organisation_admin=True, is_active=True)
    return admins.exclude(pk=user.pk).order_by("pk")


def can_answer_user_token(user: User, request: UserTokenRequest) -> bool:
    """Another admin of the same organisation, never the one who asked."""
    return (
        user.is_active
        and user.is_organisation_admin
        and user.pk != request.asked_by_id
        and user.organisation_id == request.connector.organisation_id
    )


def can_see_user_token_request(user: User, request: UserTokenRequest) -> bool:
    """The one who asked, and those who may answer."""
    return user.pk == request.asked_by_id or can_answer_user_token(user, request)
