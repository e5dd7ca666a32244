"""Deactivating a person together with what hangs on them: their connectors can go to another owner."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from accounts.models import User
from accounts.services import users
from connectors.models import Connector, Grant
from connectors.services import owners
from kaizala_console.lib import clock


@dataclass(frozen=True, slots=True)
class Dependents:
    """What hangs on people, before they are deactivated."""

    connectors: int
    user_tokens: int
    group_grants: int


def count_dependents(people: list[User]) -> Dependents:
    """Count the connectors that they own, the user tokens that act for them, and the access that they gave groups."""
    given = Grant.objects.live(clock.now()).filter(granted_by__in=people)
    return Dependents(
        connectors=Connector.objects.present().filter(owner__in=people).count(),
        user_tokens=given.filter(kind=Grant.Kind.USER).count(),
        group_grants=given.filter(kind=Grant.Kind.GROUP).count(),
    )


@transaction.atomic
def deactivate(*, user: User, by: User, reason: str = "", new_owner_email: str = "") -> None:
    """Deactivate the account; with `new_owner_email`, hand its connectors to that colleague.

    Raises as `users.deactivate` and `owners.transfer`: all of it happens, or nothing.
    """
    users.deactivate(user=user, by=by, reason=reason)
    if new_owner_email:
        for connector in Connector.objects.present().filter(owner=user).order_by("pk"):
            owners.transfer(connector=connector, email=new_owner_email, stay=False, by=by)
