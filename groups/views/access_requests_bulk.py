"""Several requests answered at once, each as it was asked: the inbox leads here with those that are ticked.

Who would give less than was asked, or another end date, opens the one request. Opening this page changes nothing.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.views.decorators import require_reauthentication, user_of, with_phone
from connectors.permissions import Permission
from connectors.services import request_decisions
from connectors.views.access_requests import row_of
from connectors.views.links import crumbs
from groups.queries import access_requests
from groups.queries.access_requests import Asked
from groups.services import access_requests as requests
from kaizala_console.lib import ids
from kaizala_console.lib.errors import ConsoleError

MOST: Final = 50  # each is a grant with a token of its own: so many take a second or two
APPROVE, REFUSE = "approve", "refuse"
BUTTONS: Final = {APPROVE: gettext_lazy("Approve as asked"), REFUSE: gettext_lazy("Refuse")}


@require_http_methods(["GET", "POST"])
@with_phone
def several(request: HttpRequest) -> HttpResponse:
    """GET shows what would be given, POST answers one after the other, and says which it could not. Twice is once."""
    user = user_of(request)
    sent = request.POST if request.method == "POST" else request.GET
    act = sent.get("act", "")
    chosen = _chosen(user, sent)
    if act not in BUTTONS or not chosen:
        is_over = act in BUTTONS and sent.getlist("request")
        says = _("These requests do not wait any more.") if is_over else _("Tick the requests that you mean first.")
        messages.info(request, says)
        return redirect("groups:requests")
    if request.method == "POST":
        require_reauthentication(request, button_label=BUTTONS[act])
        _answer_all(request, user, act, chosen)
        return redirect("groups:requests")
    n = len(chosen)
    if act == APPROVE:
        title = ngettext("Approve %(n)d request as asked", "Approve %(n)d requests as asked", n) % {"n": n}
    else:
        title = ngettext("Refuse %(n)d request", "Refuse %(n)d requests", n) % {"n": n}
    context = {
        "act": act,
        "approves": act == APPROVE,
        "button": BUTTONS[act],
        "title": title,
        "rows": [_row(one) for one in chosen],
        "is_full": len(sent.getlist("request")) > MOST,
        "most": MOST,
        "crumbs": crumbs(
            (_("Groups"), reverse("groups:list")), (_("Requests"), reverse("groups:requests")), (title, "")
        ),
    }
    return render(request, "groups/requests_several.html", context)


def _chosen(user: User, sent: QueryDict) -> list[Asked]:
    """Those that wait for this person, in the order of the inbox."""
    keys = {key for one in sent.getlist("request")[:MOST] if (key := ids.parse_guid(one))}
    if not keys:
        return []
    return [one for one in access_requests.asked_of(user, everywhere=True) if one.request.pk in keys]


def _row(one: Asked) -> dict[str, Any]:
    """With what is shown of it, so that nothing is given that a developer put into it in the meantime."""
    shown = ",".join(sorted(permission.value for permission in one.request.permissions))
    where = one.group.name if one.group else one.request.target_name
    return {**row_of(one.request), "where": where, "shown": f"{one.request.pk}:{shown}"}


def _shown(sent: QueryDict) -> dict[str, frozenset[Permission]]:
    known = {permission.value: permission for permission in Permission}
    pairs = (text.partition(":") for text in sent.getlist("shown"))
    return {key: frozenset(known[name] for name in names.split(",") if name in known) for key, _colon, names in pairs}


def _answer_all(request: HttpRequest, user: User, act: str, chosen: list[Asked]) -> None:
    shown, done = _shown(request.POST), 0
    for one in chosen:
        try:
            if act == REFUSE:
                _refuse(one, user)
            else:
                _approve(one, user, shown.get(str(one.request.pk), frozenset()))
        except ConsoleError as problem:
            where = one.group.name if one.group else one.request.target_name
            facts = {"connector": one.request.connector.name, "group": where, "reason": problem}
            messages.error(request, _("“%(connector)s” in “%(group)s” was not answered: %(reason)s") % facts)
        else:
            done += 1
    if done and act == APPROVE:
        says = ngettext("%(n)d request is approved.", "%(n)d requests are approved.", done) % {"n": done}
        messages.success(request, says + " " + _("Refresh tokens are sealed, and the developers are told."))
    elif done:
        says = ngettext("%(n)d request is refused.", "%(n)d requests are refused.", done) % {"n": done}
        messages.success(request, says + " " + _("Nothing has changed, and the developers are told."))


def _approve(one: Asked, user: User, as_shown: frozenset[Permission]) -> None:
    asked = one.request
    if one.group is None or asked.grant is not None:
        request_decisions.approve_more(request=asked, by=user, permissions=asked.permissions, as_shown=as_shown)
    else:
        requests.approve(
            request=asked,
            group=one.group,
            by=user,
            permissions=asked.permissions,
            ends_at=asked.ends_at,
            as_shown=as_shown,
        )


def _refuse(one: Asked, user: User) -> None:
    if one.group is None or one.request.grant is not None:
        request_decisions.refuse(request=one.request, by=user)
    else:
        requests.refuse(request=one.request, group=one.group, by=user)
