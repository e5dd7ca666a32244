"""A connector that another tab, or a colleague, has removed from the group meanwhile: its pages lead to those there."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from accounts.views.decorators import user_of
from connectors.models import Grant
from groups import access
from groups.queries import groups
from kaizala_console.lib import live
from kaizala_console.lib.errors import NotFound

View = Callable[..., HttpResponse]


def redirect_if_removed(view: View) -> View:
    """For pages of one grant. Whoever runs no such group, or asks for what never was in it, finds nothing as before."""

    @wraps(view)
    def opened(request: HttpRequest, *, group_id: UUID, grant_id: UUID, **more: Any) -> HttpResponse:
        try:
            return view(request, group_id=group_id, grant_id=grant_id, **more)
        except NotFound:
            if live.is_poll(request):
                raise
            group = access.require_admin(user_of(request), group_id)
            found = groups.grant_in(group, grant_id, also_removed=True)
            if not found.revoked_at:
                raise
            return redirect_to_group(request, group_id, found)

    return opened


def redirect_to_group(request: HttpRequest, group_id: UUID, found: Grant) -> HttpResponse:
    """Says that it is removed, beside what has access."""
    messages.info(request, _("“%(connector)s” is removed already.") % {"connector": found.connector.name})
    return redirect("groups:connectors", group_id)
