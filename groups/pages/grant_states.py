"""Suspend and resume a connector in one group: refused from the next request on, and accepted again."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.pages.decorators import freshly_confirmed, user_of
from connectors.models import Grant
from connectors.services import grants as rights
from groups import access, queries
from groups.pages.grants import frame, what_stops
from kaizala_console.lib.errors import Conflict, RuleBroken

SUSPEND, RESUME = gettext_lazy("Suspend"), gettext_lazy("Resume")


@require_http_methods(["GET", "POST"])
@freshly_confirmed(press=SUSPEND)
def suspend(request: HttpRequest, group_id: UUID, grant_id: UUID) -> HttpResponse:
    """GET tells what will stop until it is resumed, POST stops it. Twice is once."""
    says = _("“%(connector)s” is suspended here: its tokens for this group are refused from now on.")
    return _change(request, group_id, grant_id, label=SUSPEND, act=rights.suspend, done=says)


@require_http_methods(["GET", "POST"])
@freshly_confirmed(press=RESUME)
def resume(request: HttpRequest, group_id: UUID, grant_id: UUID) -> HttpResponse:
    """GET tells what will work again, POST lets it. Twice is once."""
    says = _("“%(connector)s” works again in this group.")
    return _change(request, group_id, grant_id, label=RESUME, act=rights.resume, done=says)


def _change(
    request: HttpRequest, group_id: UUID, grant_id: UUID, *, label: Promise, act: Callable[..., Grant], done: str
) -> HttpResponse:
    user = user_of(request)
    group = access.require_admin(user, group_id)
    found = queries.grant_in(group, grant_id)
    if request.method != "POST":
        suspends = act is rights.suspend
        context = {**frame(group, found, str(label)), **what_stops(found), "suspends": suspends, "label": label}
        return render(request, "groups/grant_state.html", context)
    try:
        act(grant=found, by=user)
    except (Conflict, RuleBroken) as refused:
        messages.info(request, str(refused))
    else:
        messages.success(request, done % {"connector": found.connector.name})
    return redirect("groups:grant", group_id, grant_id)
