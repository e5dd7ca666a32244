"""Deactivate, suspend, delete, and the ways back: each page says first what happens to live tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.views.decorators import require_reauthentication, signed_in, user_of
from connectors.models import Connector, ConnectorState
from connectors.queries import connectors as queries
from connectors.services import connectors
from connectors.views import links
from connectors.views.forms import TypedNameForm
from connectors.views.usage import get_use_facts
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

LIVE, DEACTIVATED, SUSPENDED = ConnectorState.LIVE, ConnectorState.DEACTIVATED, ConnectorState.SUSPENDED


@dataclass(frozen=True, slots=True)
class Verb:
    """One act on a whole connector: its words, its service, and how carefully it is asked for."""

    key: str
    label: Promise
    title: Promise
    says: Promise
    tokens: Promise
    done: Promise
    service: Callable[..., Connector]
    states: frozenset[ConnectorState]
    variant: str = "secondary"
    typed: bool = False


VERBS = {
    verb.key: verb
    for verb in (
        Verb(
            key="reactivate",
            label=gettext_lazy("Reactivate"),
            title=gettext_lazy("Reactivate “%(name)s”"),
            says=gettext_lazy("Groups can add it again."),
            tokens=gettext_lazy("Live tokens keep working."),
            done=gettext_lazy("“%(name)s” can be added to groups again."),
            service=connectors.reactivate,
            states=frozenset({DEACTIVATED}),
        ),
        Verb(
            key="resume",
            label=gettext_lazy("Resume"),
            title=gettext_lazy("Resume “%(name)s”"),
            says=gettext_lazy("The connector works again in every group that has it."),
            tokens=gettext_lazy("Existing tokens work again at once."),
            done=gettext_lazy("“%(name)s” works again."),
            service=connectors.resume,
            states=frozenset({SUSPENDED}),
        ),
        Verb(
            key="deactivate",
            label=gettext_lazy("Deactivate"),
            title=gettext_lazy("Deactivate “%(name)s”"),
            says=gettext_lazy("No more groups can add it. You can reactivate it at any time."),
            tokens=gettext_lazy("Live tokens keep working."),
            done=gettext_lazy("“%(name)s” deactivated."),
            service=connectors.deactivate,
            states=frozenset({LIVE}),
        ),
        Verb(
            key="suspend",
            label=gettext_lazy("Suspend"),
            title=gettext_lazy("Suspend “%(name)s”"),
            says=gettext_lazy("It stops in every group until you resume it."),
            tokens=gettext_lazy("Every token is refused until you resume it."),
            done=gettext_lazy("“%(name)s” suspended."),
            service=connectors.suspend,
            states=frozenset({LIVE, DEACTIVATED}),
            variant="danger",
            typed=True,
        ),
        Verb(
            key="delete",
            label=gettext_lazy("Delete"),
            title=gettext_lazy("Delete “%(name)s”"),
            says=gettext_lazy("The connector, its access and its secrets are deleted."),
            tokens=gettext_lazy("Every token and secret stops working for good. This can’t be undone."),
            done=gettext_lazy("“%(name)s” deleted."),
            service=connectors.delete,
            states=frozenset({LIVE, DEACTIVATED, SUSPENDED}),
            variant="danger",
            typed=True,
        ),
    )
}


def list_verbs(connector: Connector) -> list[Verb]:
    """What can be done with the connector in its present state, the harmless first."""
    return [verb for verb in VERBS.values() if connector.state in verb.states]


@require_http_methods(["GET", "POST"])
@signed_in
def change_state(request: HttpRequest, connector_id: UUID, verb: str) -> HttpResponse:
    """GET tells what would happen, POST does it."""
    act = VERBS.get(verb)
    if act is None:
        raise Http404
    user = user_of(request)
    try:
        connector = queries.get_own_connector(user, connector_id)
    except NotFound:
        if request.method == "POST" and verb == "delete" and _was_theirs(user, connector_id):
            messages.info(request, _("This connector is already deleted."))
            return redirect("connectors:list")
        raise
    form = None
    if act.typed:
        data = request.POST if request.method == "POST" else None
        form = TypedNameForm(data, name=connector.name)
    if connector.state not in act.states:
        messages.info(request, _("This was already done."))
        return redirect("connectors:details", connector_id)
    if request.method != "POST" or (form is not None and not form.is_valid()):
        return render(request, "connectors/change_state.html", _context(connector, act, form))
    require_reauthentication(request, button_label=act.label)
    return _do(request, connector, act)


def _do(request: HttpRequest, connector: Connector, act: Verb) -> HttpResponse:
    try:
        act.service(connector=connector, by=user_of(request))
    except Conflict as already:
        messages.info(request, str(already))
    except RuleBroken as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, act.done % {"name": connector.name})
    if act.key == "delete":
        return redirect("connectors:list")
    return redirect("connectors:details", connector.pk)


def _context(connector: Connector, act: Verb, form: TypedNameForm | None) -> dict[str, Any]:
    counts = queries.count_stopping(connector)
    use = get_use_facts(connector)
    facts = [
        {"label": _("live refresh tokens"), "count": counts.live_tokens},
        {"label": _("groups"), "count": counts.groups},
        {"label": _("live secrets"), "count": counts.live_secrets},
        {"label": _("handoffs waiting"), "count": counts.waiting_handoffs},
        *use.pop("use_facts"),
    ]
    return {
        "connector": connector,
        "act": act,
        "title": act.title % {"name": connector.name},
        "says_more": act.tokens,
        "stops": act.typed,
        "form": form,
        "here": reverse("connectors:change_state", args=[connector.pk, act.key]),
        "back": reverse("connectors:details", args=[connector.pk]),
        "crumbs": links.connector_crumbs(connector, (str(act.label), "")),
        "facts": facts if act.typed else [],
        **use,
    }


def _was_theirs(user: User, connector_id: UUID) -> bool:
    return Connector.objects.owned_by(user.pk).filter(pk=connector_id, deleted_at__isnull=False).exists()
