"""Suspend and resume a connector in one group: refused from the next request on, and accepted again. Its end date."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.views.decorators import reauthentication_required, require_reauthentication, user_of, with_phone
from connectors.models import Grant
from connectors.services import grant_ends, words
from connectors.services import grants as rights
from connectors.views.end_dates import WithEndDate, last_day
from groups import access
from groups.queries import groups
from groups.views.forms import add_error
from groups.views.grants import frame, what_stops
from groups.views.removed import redirect_if_removed
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, RuleBroken

SUSPEND, RESUME = gettext_lazy("Suspend"), gettext_lazy("Resume")


@require_http_methods(["GET", "POST"])
@reauthentication_required(button_label=SUSPEND)
@redirect_if_removed
def suspend(request: HttpRequest, group_id: UUID, grant_id: UUID) -> HttpResponse:
    """GET tells what will stop until it is resumed, POST stops it. Twice is once."""
    says = _("“%(connector)s” is suspended here: its tokens for this group are refused from now on.")
    return _change(request, group_id, grant_id, label=SUSPEND, act=rights.suspend, done=says)


@require_http_methods(["GET", "POST"])
@reauthentication_required(button_label=RESUME)
@redirect_if_removed
def resume(request: HttpRequest, group_id: UUID, grant_id: UUID) -> HttpResponse:
    """GET tells what will work again, POST lets it. Twice is once."""
    says = _("“%(connector)s” works again in this group.")
    return _change(request, group_id, grant_id, label=RESUME, act=rights.resume, done=says)


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Save"))
@redirect_if_removed
def end_date(request: HttpRequest, group_id: UUID, grant_id: UUID) -> HttpResponse:
    """GET shows until when, POST sets another day, or none."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    found = groups.grant_in(group, grant_id)
    typed = request.POST if request.method == "POST" else None
    form = WithEndDate(typed, initial={"end_date": last_day(found.ends_at)})
    form.fields["end_date"].widget.attrs["min"] = timezone.localdate(clock.now()).isoformat()
    if form.is_valid():
        require_reauthentication(request)
        same_day = form.cleaned_data["end_date"] == last_day(found.ends_at)
        try:
            moved = grant_ends.move(grant=found, ends_at=found.ends_at if same_day else form.ends_at(), by=user)
        except (Conflict, RuleBroken) as refused:
            add_error(form, refused)
        else:
            messages.success(request, _until(moved))
            return redirect("groups:grant", group_id, grant_id)
    context = {**frame(group, found, _("End date")), "form": form}
    return render(request, "groups/grant_end_date.html", context, status=400 if form.is_bound else 200)


def _until(grant: Grant) -> str:
    facts = {"connector": grant.connector.name}
    if grant.ends_at is None:
        return _("“%(connector)s” may act in this group without an end date.") % facts
    return _("“%(connector)s” may act in this group until %(when)s.") % {**facts, "when": words.moment(grant.ends_at)}


def _change(
    request: HttpRequest, group_id: UUID, grant_id: UUID, *, label: Promise, act: Callable[..., Grant], done: str
) -> HttpResponse:
    user = user_of(request)
    group = access.require_admin(user, group_id)
    found = groups.grant_in(group, grant_id)
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
