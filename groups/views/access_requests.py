"""What developers ask, answered by who runs the group: all, some or none. Opening a request changes nothing."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST, require_safe

from accounts.models import User
from accounts.views import arriving
from accounts.views.decorators import require_reauthentication, user_of, with_phone
from connectors import policies
from connectors.models import AccessRequest, ConnectorState, Grant, RequestState
from connectors.permissions import DESCRIPTIONS, PERMISSIONS, Permission, can_and_cannot, in_order
from connectors.queries.access_requests import request_for
from connectors.services import access_requests as asking
from connectors.services import request_decisions
from connectors.services.grants import AlreadyGranted
from connectors.views import permission_choices
from connectors.views.access_requests import row_of
from connectors.views.links import crumbs
from groups import access, arrivals
from groups.models import Group
from groups.queries import access_requests
from groups.services import access_requests as requests
from groups.views.access_requests_bulk import BUTTONS
from groups.views.forms import add_error
from groups.views.request_forms import AnswerForm
from kaizala_console.lib import ids, live
from kaizala_console.lib.errors import Conflict, RuleBroken

APPROVE = gettext_lazy("Approve what is ticked")
REFUSE = gettext_lazy("Refuse")


def _here(request_id: UUID, **_more: Any) -> str:
    return reverse("groups:request", args=[request_id])


@require_GET
@with_phone
@live.polled
def listing(request: HttpRequest) -> HttpResponse:
    """Everything that waits for this person, what expires first in front. An open page says when that has changed."""
    user, here = user_of(request), reverse("groups:requests")
    waiting = access_requests.asked_of(user, everywhere=True, named=True, most=live.MOST)
    seen = live.marks(user.pk, "requests", [one.request.pk for one in waiting])
    if live.is_poll(request):
        return arriving.answer(request, live.changes(request, seen), partial(arrivals.tell, user), here=here)
    found = access_requests.asked_of(user, everywhere=True)
    rows = [{**row_of(row.request), "where": row.group.name if row.group else row.request.target_name} for row in found]
    context = {
        "asks_at": live.address(here, seen),
        "rows": rows,
        "is_full": len(found) >= access_requests.MOST,
        "several": [{"name": name, "label": label} for name, label in BUTTONS.items()] if len(rows) > 1 else [],
        "crumbs": crumbs((_("Groups"), reverse("groups:list")), (_("Requests"), "")),
    }
    return render(request, "groups/requests.html", context)


@require_safe
@with_phone
def one(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """One request: who asks, what would be different, and the answer. The link that a developer sends leads here."""
    user = user_of(request)
    asked = request_for(user, request_id)
    return _page(request, user, asked, _form(request, user, asked, initial=AnswerForm.first(asked)))


@require_POST
@with_phone(button_label=APPROVE)
def approve(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Gives what is ticked. Twice is once: the second is told who answered."""
    user = user_of(request)
    asked = request_for(user, request_id)
    if asked.state is not RequestState.WAITING:
        return _over(request, asked, asking.why_over(asked))
    form = _form(request, user, asked, request.POST)
    if not form.is_valid():
        return _page(request, user, asked, form, status=400)
    require_reauthentication(request)
    given = form.cleaned_data["permissions"]
    try:
        if asked.grant is not None:
            grant = request_decisions.approve_more(request=asked, by=user, permissions=given, as_shown=form.as_shown())
            messages.success(request, _("Approved. “%(connector)s” may do so from now on.") % _facts(asked))
        else:
            group = _chosen_group(user, asked, form)
            grant = requests.approve(
                request=asked,
                group=group,
                by=user,
                permissions=given,
                ends_at=form.ends_at(),
                as_shown=form.as_shown(),
            ).grant
            messages.success(
                request, _("Approved. The refresh token is sealed, and %(developer)s is told.") % _facts(asked)
            )
    except AlreadyGranted as there:
        messages.info(request, str(there))
        return _to_grant(user, there.grant, asked)
    except Conflict as over:
        return _over(request, asked, str(over))
    except RuleBroken as broken:
        add_error(form, broken)
        return _page(request, user, asked, form, status=400)
    return _to_grant(user, grant, asked)


@require_POST
@with_phone(button_label=REFUSE)
def refuse(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Gives nothing, and the developer is told."""
    user = user_of(request)
    asked = request_for(user, request_id)
    if asked.state is not RequestState.WAITING:
        return _over(request, asked, asking.why_over(asked))
    require_reauthentication(request)
    return _refuse(request, request_id=request_id, asked=asked)


def _refuse(request: HttpRequest, *, request_id: UUID, asked: AccessRequest) -> HttpResponse:
    user = user_of(request)
    form = _form(request, user, asked, request.POST)
    if not form.only_group_is_valid():
        return _page(request, user, asked, form, status=400)
    try:
        if asked.grant is not None:
            request_decisions.refuse(request=asked, by=user)
        else:
            requests.refuse(request=asked, group=_chosen_group(user, asked, form), by=user)
    except Conflict as over:
        return _over(request, asked, str(over))
    messages.success(request, _("Refused. Nothing has changed, and %(developer)s is told.") % _facts(asked))
    return redirect("groups:request", request_id)


# Pieces --------------------------------------------------------------------------------------------------------------


def _facts(asked: AccessRequest) -> dict[str, str]:
    return {"connector": asked.connector.name, "developer": asked.connector.owner.name}


def _over(request: HttpRequest, asked: AccessRequest, why: str) -> HttpResponse:
    messages.info(request, why)
    return redirect("groups:request", asked.pk)


def _to_grant(user: User, grant: Grant, asked: AccessRequest) -> HttpResponse:
    address = _grant_url(user, grant)
    return redirect(address) if address else redirect("groups:request", asked.pk)


def _grant_url(user: User, grant: Grant | None) -> str:
    """Where the group's admin sees what came of it."""
    if grant is None or grant.kind != Grant.Kind.GROUP or grant.revoked_at:
        return ""
    if not policies.can_administer(user, grant):
        return ""
    return reverse("groups:grant", args=[grant.target.partition(":")[2], grant.pk])


def _chosen_group(user: User, asked: AccessRequest, form: AnswerForm) -> Group:
    """Raises NotFound and NotAllowed as `access` does."""
    key = form.cleaned_data["group"] if asked.by_link else asked.target.partition(":")[2]
    return access.require_admin(user, key)


def _form(request: HttpRequest, user: User, asked: AccessRequest, data: Any = None, **kwargs: Any) -> AnswerForm:
    groups: list[Group] = []
    if asked.by_link:
        search = request.GET.get("q", "")[:120]
        groups, _more = access_requests.choosable(user, asked, search=search)
        key = ids.parse_guid((data or kwargs.get("initial") or {}).get("group", ""))
        if key is not None and key not in {group.pk for group in groups}:
            groups += access.administered_by(user).filter(pk=key)
    return AnswerForm(data, asked=asked, groups=groups, **kwargs)


def _page(
    request: HttpRequest, user: User, asked: AccessRequest, form: AnswerForm, *, status: int = 200
) -> HttpResponse:
    waits = asked.state is RequestState.WAITING
    group = access_requests.group_of(user, asked)
    search = request.GET.get("q", "")[:120]
    can_choose = many = False
    if waits and asked.by_link:
        some, many = access_requests.choosable(user, asked)
        can_choose = bool(some)
    may_answer = waits and asked.connector.state is ConnectorState.LIVE
    context = {
        **row_of(asked),
        **_difference(asked),
        "connector": asked.connector,
        "form": form,
        "choices": permission_choices.rows(form["permissions"].value() or (), asked.permissions),
        "shown": ",".join(in_order(asked.permissions)),
        "group": group,
        "acts_for_somebody": asked.grant is not None and asked.grant.kind == Grant.Kind.USER,
        "waits": waits,
        "why_over": "" if waits else asking.why_over(asked),
        "is_owner": policies.is_owner(user, asked.connector),
        "may_answer": may_answer and (can_choose if asked.by_link else policies.can_answer(user, asked)),
        "not_live": waits and asked.connector.state is not ConnectorState.LIVE,
        "nothing_to_choose": waits and asked.by_link and not can_choose,
        "many": many or bool(search),
        "search": search,
        "grant_url": _grant_url(user, asked.grant),
        "crumbs": crumbs(
            (_("Groups"), reverse("groups:list")),
            (_("Requests"), reverse("groups:requests")),
            (asked.connector.name, ""),
        ),
    }
    if group is not None:
        context["where"] = group.name
    elif not (context["is_owner"] or policies.can_answer(user, asked)):
        context |= {"where": "", "given": ""}  # whoever kept a link learns that it was answered, not for which group
    return render(request, "groups/request.html", context, status=status)


def _difference(asked: AccessRequest) -> dict[str, Any]:
    """What the connector can do already, what it would be able to do, and what still not, in sentences."""
    has: frozenset[Permission] = frozenset()
    if asked.grant is not None and asked.state is RequestState.WAITING:
        has = asked.grant.permissions & asked.connector.permissions
    can, _rest = can_and_cannot(asked.permissions)
    return {
        "already": [DESCRIPTIONS[permission].can for permission in in_order(has)],
        "can": can,
        "cannot": [DESCRIPTIONS[p].cannot for p in PERMISSIONS if p not in asked.permissions | has],
    }


def rows_in(group: Group, user: User) -> list[dict[str, Any]]:
    """What waits for the admins of one group: for its "Connectors" tab."""
    return [row_of(asked) for asked in access_requests.asked_in(group, user)[: access_requests.MOST]]
