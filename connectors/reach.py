"""What a grant reaches is known to the app above (groups). It plugs the answer in here, for the token inspector."""

from __future__ import annotations

from collections.abc import Callable

from connectors.models import Grant

# The role ("Admin", "Member") that a grant's tokens have in the group of this id, as somebody wrote it; "" for none.
Role = Callable[[Grant, str], str]
_roles: list[Role] = []


def register(role: Role) -> None:
    """Plug the answer in; the app above calls it when it is ready."""
    if role not in _roles:
        _roles.append(role)


def role_in(grant: Grant, group_id: str) -> str:
    """The role of a grant's tokens in a group; "" when they do not reach it, or there is no such group."""
    return next((found for role in _roles if (found := role(grant, group_id))), "")
