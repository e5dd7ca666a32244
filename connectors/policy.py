"""The app's one place for authorisation: who may do what to a connector, a grant and a handoff.

"Not yours" and "not there" are the same answer (`NotFound`), made here. Rights come from what somebody owns and
administers, not from a type of account.
"""

from __future__ import annotations

from collections.abc import Callable

from accounts.models import User
from accounts.policy import may_operate
from connectors.models import Connector, Grant, Handoff
from kaizala_console.lib.errors import NotFound

Administers = Callable[[User, str], bool]
_administration: dict[str, Administers] = {}


def register_administration(kind: str, administers: Administers) -> None:
    """Plug in who administers what a grant of this kind reaches; the app above calls it when it is ready.

    `administers(user, target)` gets the opaque `Grant.target` and answers for this moment: an admin who left the
    group since is none. Without a plug-in only the account that granted administers a grant.
    """
    _administration[kind] = administers


def is_owner(user: User, connector: Connector) -> bool:
    """Whether the account is the connector's owner or a co-owner. A deleted connector has neither."""
    if not user.is_active or connector.deleted_at is not None:
        return False
    return connector.owner_id == user.pk or connector.co_owners.filter(pk=user.pk).exists()


def can_see(user: User, connector: Connector) -> bool:
    """Everyone signed in may see that a connector of the organisation exists, and what it may do."""
    return user.is_active and user.organisation_id == connector.organisation_id


def can_see_credentials(user: User, connector: Connector) -> bool:
    """Only owners see the state of a connector's secrets and tokens."""
    return is_owner(user, connector)


def can_administer(user: User, grant: Grant) -> bool:
    """Whether the account may regenerate, suspend and end this grant: an admin of what it reaches, at this moment."""
    if not user.is_active:
        return False
    administers = _administration.get(grant.kind)
    return administers(user, grant.target) if administers else grant.granted_by_id == user.pk


def can_see_handoff(user: User, handoff: Handoff) -> bool:
    """Both sides of a handoff see it: the owners of its connector, and the admins of what it reaches."""
    return is_owner(user, handoff.connector) or can_administer(user, handoff.grant)


def can_have_revealed(user: User, handoff: Handoff) -> bool:
    """Whether "Show it to me once" is for this account: it granted, still administers, and may see tokens."""
    return (
        handoff.made_by_id == user.pk
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
