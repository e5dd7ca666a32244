"""Whose acts a person may read: their own, their organisation's as its admin, and what the apps above add.

An app above registers a scope in its `AppConfig.ready()` ("events of the connectors that the account owns"): this app
knows neither connectors nor groups.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet

if TYPE_CHECKING:
    from accounts.models import AuditEvent, User

# None when the scope adds nothing for this account.
Scope = Callable[["User"], Q | None]
_scopes: list[Scope] = []


def register(scope: Scope) -> Scope:
    """Adds a scope; twice the same is once. Also a decorator."""
    if scope not in _scopes:
        _scopes.append(scope)
    return scope


def visible_to(user: User) -> QuerySet[AuditEvent]:
    """Every audit event that `user` may read, in no order."""
    from accounts.models import AuditEvent
    from accounts.queries import events_visible_to

    visible = events_visible_to(user)
    for scope in _scopes:
        condition = scope(user)
        if condition is not None:
            visible |= AuditEvent.objects.filter(condition)
    return visible
