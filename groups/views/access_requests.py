"""What developers ask, answered by who runs the group: all, some or none. Opening a request changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from accounts.models import User
from accounts.views.decorators import require_reauthentication, user_of, with_phone
from accounts.views.forms import add_error
from connectors import policies
from connectors.models import AccessRequest, ConnectorState, Grant, RequestState
from connectors.permissions import DESCRIPTIONS, PERMISSIONS, Permission, describe_permissions, sort_permissions
from connectors.queries.access_requests import get_request
from connectors.services import access_requests as asking
from connectors.services.grants import AlreadyGranted
from connectors.views import permissions
from connectors.views.access_requests import get_row
from connectors.views.forms import PERMISSION_CHOICES, PermissionsForm, WithEndDate, last_day
from connectors.views.links import crumbs
from groups import access
from groups.models import Group
from groups.queries import access_requests
from groups.queries.access_requests import OpenRequest
from groups.services import access_requests as requests
from kaizala_console.lib import clock, ids, live
from kaizala_console.lib.errors import Conflict, ConsoleError, RuleBroken

APPROVE = gettext_lazy("Approve selected")
REFUSE = gettext_lazy("Refuse")


def _here(request_id: UUID, **_more: Any) -> str:
    return reverse("groups:request", args=[request_id])


@require_GET
@with_phone
@live.polled
def listing(request: HttpRequest) -> HttpResponse:
    """Everything that waits for this person, what expires first in front. An open page follows along."""
    user = user_of(request)
    found = access_requests.list_open_requests(user, everywhere=True)
    etag = live.etag(user.pk, [one.request.pk for one in found])
    if unchanged := live.unchanged(request, etag):
        return unchanged
    rows = [
        {**get_row(row.request), "where": row.group.name if row.group else row.request.target_name} for row in found
    ]
    context = {
        **live.follow(request.path, etag),
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
    asked = get_request(user, request_id)
    return _page(request, user, asked, _form(request, user, asked, initial=AnswerForm.first(asked)))


@require_POST
@with_phone(button_label=APPROVE)
def approve(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Gives what is ticked. Twice is once: the second is told who answered."""
    user = user_of(request)
    asked = get_request(user, request_id)
    if asked.state is not RequestState.WAITING:
        return _close(request, asked, asking.explain_over(asked))
    form = _form(request, user, asked, request.POST)
    if not form.is_valid():
        return _page(request, user, asked, form, status=400)
    require_reauthentication(request)
    given = form.cleaned_data["permissions"]
    try:
        group = _chosen_group(user, asked, form)
        ends_at = None if group is None else form.ends_at()
        grant = _approve(asked, group, user, permissions=given, ends_at=ends_at, as_shown=form.as_shown())
    except AlreadyGranted as there:
        messages.info(request, str(there))
        return _to_grant(user, there.grant, asked)
    except Conflict as over:
        return _close(request, asked, str(over))
    except RuleBroken as broken:
        add_error(form, broken)
        return _page(request, user, asked, form, status=400)
    if group is None:
        says = _("Approved. “%(connector)s” has the permissions now.")
    else:
        says = _("Approved. We notified %(developer)s, who can claim the refresh token.")
    messages.success(request, says % _facts(asked))
    return _to_grant(user, grant, asked)


@require_POST
@with_phone(button_label=REFUSE)
def refuse(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Gives nothing, and the developer is told."""
    user = user_of(request)
    asked = get_request(user, request_id)
    if asked.state is not RequestState.WAITING:
        return _close(request, asked, asking.explain_over(asked))
    require_reauthentication(request)
    form = _form(request, user, asked, request.POST)
    if not form.only_group_is_valid():
        return _page(request, user, asked, form, status=400)
    try:
        _refuse(asked, _chosen_group(user, asked, form), user)
    except Conflict as over:
        return _close(request, asked, str(over))
    messages.success(request, _("Refused. We notified %(developer)s.") % _facts(asked))
    return redirect("groups:request", request_id)


# Pieces --------------------------------------------------------------------------------------------------------------


def _approve(
    asked: AccessRequest,
    group: Group | None,
    by: User,
    *,
    permissions: frozenset[Permission],
    ends_at: dt.datetime | None,
    as_shown: frozenset[Permission],
) -> Grant:
    """Lets the connector into the group; without one it is about a grant that is there, which may do more."""
    if group is None:
        return asking.approve_more(request=asked, by=by, permissions=permissions, as_shown=as_shown)
    return requests.approve(
        request=asked, group=group, by=by, permissions=permissions, ends_at=ends_at, as_shown=as_shown
    ).grant


def _refuse(asked: AccessRequest, group: Group | None, by: User) -> None:
    if group is None:
        asking.refuse(request=asked, by=by)
    else:
        requests.refuse(request=asked, group=group, by=by)


def _facts(asked: AccessRequest) -> dict[str, str]:
    return {"connector": asked.connector.name, "developer": asked.connector.owner.name}


def _close(request: HttpRequest, asked: AccessRequest, why: str) -> HttpResponse:
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


def _chosen_group(user: User, asked: AccessRequest, form: AnswerForm) -> Group | None:
    """None for a request that is about a grant. Raises NotFound and NotAllowed as `access` does."""
    if asked.grant is not None:
        return None
    key = form.cleaned_data["group"] if asked.by_link else asked.target.partition(":")[2]
    return access.require_admin(user, key)


def _form(request: HttpRequest, user: User, asked: AccessRequest, data: Any = None, **kwargs: Any) -> AnswerForm:
    groups: list[Group] = []
    if asked.by_link:
        search = request.GET.get("q", "")[:120]
        groups, _more = access_requests.list_choosable_groups(user, asked, search=search)
        key = ids.parse_guid((data or kwargs.get("initial") or {}).get("group", ""))
        if key is not None and key not in {group.pk for group in groups}:
            groups += access.list_administered_groups(user).filter(pk=key)
    return AnswerForm(data, asked=asked, groups=groups, **kwargs)


def _page(
    request: HttpRequest, user: User, asked: AccessRequest, form: AnswerForm, *, status: int = 200
) -> HttpResponse:
    waits = asked.state is RequestState.WAITING
    group = access_requests.get_group(user, asked)
    search = request.GET.get("q", "")[:120]
    can_choose = many = False
    if waits and asked.by_link:
        some, many = access_requests.list_choosable_groups(user, asked)
        can_choose = bool(some)
    may_answer = waits and asked.connector.state is ConnectorState.LIVE
    context = {
        **get_row(asked),
        **_difference(asked),
        "connector": asked.connector,
        "form": form,
        "choices": permissions.list_choices(form["permissions"].value() or (), asked.permissions),
        "shown": ",".join(sort_permissions(asked.permissions)),
        "group": group,
        "acts_for_somebody": asked.grant is not None and asked.grant.kind == Grant.Kind.USER,
        "waits": waits,
        "why_over": "" if waits else asking.explain_over(asked),
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
    can, _rest = describe_permissions(asked.permissions)
    return {
        "already": [DESCRIPTIONS[permission].can for permission in sort_permissions(has)],
        "can": can,
        "cannot": [DESCRIPTIONS[p].cannot for p in PERMISSIONS if p not in asked.permissions | has],
    }


# ----------------------------------------------------------------------------------------------------
# Several requests answered at once, each as it was asked: the inbox leads here with those that are ticked.
#
# Who would give less than was asked, or another end date, opens the one request. Opening this page changes nothing.


MOST: Final = 50  # each is a grant with a token of its own: so many take a second or two
APPROVE_ALL, REFUSE_ALL = "approve", "refuse"
BUTTONS: Final = {APPROVE_ALL: gettext_lazy("Approve as requested"), REFUSE_ALL: gettext_lazy("Refuse")}


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
        says = _("These requests are no longer waiting.") if is_over else _("Select requests first.")
        messages.info(request, says)
        return redirect("groups:requests")
    if request.method == "POST":
        require_reauthentication(request, button_label=BUTTONS[act])
        _answer_all(request, user, act, chosen)
        return redirect("groups:requests")
    n = len(chosen)
    if act == APPROVE_ALL:
        title = ngettext("Approve %(n)d request", "Approve %(n)d requests", n) % {"n": n}
    else:
        title = ngettext("Refuse %(n)d request", "Refuse %(n)d requests", n) % {"n": n}
    context = {
        "act": act,
        "approves": act == APPROVE_ALL,
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


def _chosen(user: User, sent: QueryDict) -> list[OpenRequest]:
    """Those that wait for this person, in the order of the inbox."""
    keys = {key for one in sent.getlist("request")[:MOST] if (key := ids.parse_guid(one))}
    if not keys:
        return []
    return [one for one in access_requests.list_open_requests(user, everywhere=True) if one.request.pk in keys]


def _row(one: OpenRequest) -> dict[str, Any]:
    """With what is shown of it, so that nothing is given that a developer put into it in the meantime."""
    shown = ",".join(sorted(permission.value for permission in one.request.permissions))
    where = one.group.name if one.group else one.request.target_name
    return {**get_row(one.request), "where": where, "shown": f"{one.request.pk}:{shown}"}


def _shown(sent: QueryDict) -> dict[str, frozenset[Permission]]:
    known = {permission.value: permission for permission in Permission}
    pairs = (text.partition(":") for text in sent.getlist("shown"))
    return {key: frozenset(known[name] for name in names.split(",") if name in known) for key, _colon, names in pairs}


def _answer_all(request: HttpRequest, user: User, act: str, chosen: list[OpenRequest]) -> None:
    shown, done = _shown(request.POST), 0
    for one in chosen:
        try:
            asked = one.request
            group = None if asked.grant is not None else one.group
            if act == REFUSE_ALL:
                _refuse(asked, group, user)
            else:
                as_shown = shown.get(str(asked.pk), frozenset())
                _approve(asked, group, user, permissions=asked.permissions, ends_at=asked.ends_at, as_shown=as_shown)
        except ConsoleError as problem:
            where = one.group.name if one.group else one.request.target_name
            facts = {"connector": one.request.connector.name, "group": where, "reason": problem}
            messages.error(request, _("“%(connector)s” in “%(group)s” was not answered: %(reason)s") % facts)
        else:
            done += 1
    if done and act == APPROVE_ALL:
        says = ngettext("%(n)d request approved.", "%(n)d requests approved.", done) % {"n": done}
        messages.success(request, says + " " + _("The developers can claim their tokens. We notified them."))
    elif done:
        says = ngettext("%(n)d request refused.", "%(n)d requests refused.", done) % {"n": done}
        messages.success(request, says + " " + _("We notified the developers."))


# ----------------------------------------------------------------------------------------------------
# The form by which a group's admin answers a request.


class AnswerForm(PermissionsForm, WithEndDate):
    """Which of the permissions, in which group when a link is answered, and until when."""

    group = forms.ChoiceField(
        label=gettext_lazy("Group"),
        error_messages={
            "required": gettext_lazy("Choose the group first."),
            "invalid_choice": gettext_lazy("Choose a group you manage."),
        },
    )
    shown = forms.CharField(widget=forms.HiddenInput, required=False)

    field_order = ["group", "permissions", "end_date"]

    def __init__(self, *args: Any, asked: AccessRequest, groups: Iterable[Group] = (), **kwargs: Any) -> None:
        """`groups` are those to choose from when the request is a link."""
        super().__init__(*args, **kwargs)
        self._asked = asked
        boxes: Any = self.fields["permissions"]
        boxes.choices = [(value, label) for value, label in PERMISSION_CHOICES if value in asked.permissions]
        boxes.error_messages["required"] = gettext_lazy("Select permissions, or press “Refuse”.")
        boxes.error_messages["invalid_choice"] = gettext_lazy(
            "More was selected than requested. Open the request again."
        )
        if asked.by_link:
            chooser: Any = self.fields["group"]
            chooser.choices = [("", gettext_lazy("Choose a group")), *((str(group.pk), group.name) for group in groups)]
        else:
            del self.fields["group"]
        if asked.kind == AccessRequest.Kind.MORE:
            del self.fields["end_date"]
        else:
            self.fields["end_date"].widget.attrs["min"] = timezone.localdate(clock.now()).isoformat()

    def as_shown(self) -> frozenset[Permission]:
        """What the person saw; an unknown name is a page of another version, and is none of the request's."""
        known = {permission.value for permission in Permission}
        return frozenset(Permission(name) for name in self.cleaned_data["shown"].split(",") if name in known)

    def ends_at(self) -> dt.datetime | None:
        """Left on the day that was asked, it is that very moment: the developer's day may end in another zone."""
        same_day = self.cleaned_data["end_date"] == last_day(self._asked.ends_at)
        return self._asked.ends_at if same_day else super().ends_at()

    @staticmethod
    def first(asked: AccessRequest) -> dict[str, Any]:
        """What the form says when it is opened: all that was asked, until when it was asked."""
        return {"permissions": list(asked.permissions), "end_date": last_day(asked.ends_at)}

    def only_group_is_valid(self) -> bool:
        """Refusing asks for the group alone: what is ticked does not matter then."""
        self.full_clean()
        for name in [name for name in self.errors if name != "group"]:
            del self.errors[name]
        return not self.errors
