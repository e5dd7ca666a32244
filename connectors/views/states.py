"""What stops a connector or a webhook, and the ways back: each page says first what happens to what is in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
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
from connectors.models import Connector, ConnectorState, Webhook
from connectors.queries import connectors as queries
from connectors.services import connectors
from connectors.views import links
from connectors.views.forms import TypedNameForm, flash_refusals, get_posted
from connectors.views.usage import get_use_facts
from kaizala_console.lib.errors import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """One act: its words (with `%(name)s`), its service, and how carefully it is asked for."""

    key: str
    label: Promise
    title: Promise
    says: Promise
    says_more: Promise
    done: Promise
    service: Callable[..., Any]
    states: frozenset[Any]  # in which it can be done
    variant: str = "secondary"
    stops: bool = False
    typed: bool = False


def by_key(*changes: StateChange) -> dict[str, StateChange]:
    return {change.key: change for change in changes}


def change_state(
    request: HttpRequest,
    change: StateChange,
    *,
    subject: Connector | Webhook,
    is_allowed: bool,
    names: Mapping[str, Any],
    form: TypedNameForm,
    get_context: Callable[[], dict[str, Any]],
    page: str,
    page_when_deleted: str,
) -> HttpResponse:
    """GET shows what would happen, POST does it; `form` counts where the name is typed to confirm it."""
    if not is_allowed:
        messages.info(request, _("This was already done."))
        return redirect(page)
    if request.method != "POST" or (change.typed and not form.is_valid()):
        context = {
            "act": change,
            "title": change.title % names,
            "says_more": change.says_more % names,
            "form": form if change.typed else None,
            "here": request.path,
            "back": page,
            **get_context(),
        }
        return render(request, "connectors/change_state.html", context, status=400 if request.method == "POST" else 200)
    require_reauthentication(request, button_label=change.label)
    with flash_refusals(request):
        change.service(**{subject._meta.model_name or "": subject}, by=user_of(request))
        messages.success(request, change.done % names)
    return redirect(page_when_deleted if change.key == "delete" else page)


# Connectors ----------------------------------------------------------------------------------------------------------


LIVE, DEACTIVATED, SUSPENDED = ConnectorState.LIVE, ConnectorState.DEACTIVATED, ConnectorState.SUSPENDED
CONNECTOR_CHANGES: Final = by_key(
    StateChange(
        key="reactivate",
        label=gettext_lazy("Reactivate"),
        title=gettext_lazy("Reactivate “%(name)s”"),
        says=gettext_lazy("Groups can add it again."),
        says_more=gettext_lazy("Live tokens keep working."),
        done=gettext_lazy("“%(name)s” can be added to groups again."),
        service=connectors.reactivate,
        states=frozenset({DEACTIVATED}),
    ),
    StateChange(
        key="resume",
        label=gettext_lazy("Resume"),
        title=gettext_lazy("Resume “%(name)s”"),
        says=gettext_lazy("The connector works again in every group that has it."),
        says_more=gettext_lazy("Existing tokens work again at once."),
        done=gettext_lazy("“%(name)s” works again."),
        service=connectors.resume,
        states=frozenset({SUSPENDED}),
    ),
    StateChange(
        key="deactivate",
        label=gettext_lazy("Deactivate"),
        title=gettext_lazy("Deactivate “%(name)s”"),
        says=gettext_lazy("No more groups can add it. You can reactivate it at any time."),
        says_more=gettext_lazy("Live tokens keep working."),
        done=gettext_lazy("“%(name)s” deactivated."),
        service=connectors.deactivate,
        states=frozenset({LIVE}),
    ),
    StateChange(
        key="suspend",
        label=gettext_lazy("Suspend"),
        title=gettext_lazy("Suspend “%(name)s”"),
        says=gettext_lazy("It stops in every group until you resume it."),
        says_more=gettext_lazy("Every token is refused until you resume it."),
        done=gettext_lazy("“%(name)s” suspended."),
        service=connectors.suspend,
        states=frozenset({LIVE, DEACTIVATED}),
        variant="danger",
        stops=True,
        typed=True,
    ),
    StateChange(
        key="delete",
        label=gettext_lazy("Delete"),
        title=gettext_lazy("Delete “%(name)s”"),
        says=gettext_lazy("The connector, its access and its secrets are deleted."),
        says_more=gettext_lazy("Every token and secret stops working for good. This can’t be undone."),
        done=gettext_lazy("“%(name)s” deleted."),
        service=connectors.delete,
        states=frozenset({LIVE, DEACTIVATED, SUSPENDED}),
        variant="danger",
        stops=True,
        typed=True,
    ),
)


def list_changes(connector: Connector) -> list[StateChange]:
    """What can be done with the connector in its present state, the harmless first."""
    return [change for change in CONNECTOR_CHANGES.values() if connector.state in change.states]


@require_http_methods(["GET", "POST"])
@signed_in
def change_connector_state(request: HttpRequest, connector_id: UUID, verb: str) -> HttpResponse:
    """GET shows what would happen, POST does it."""
    change = CONNECTOR_CHANGES.get(verb)
    if change is None:
        raise Http404
    user = user_of(request)
    try:
        connector = queries.get_own_connector(user, connector_id)
    except NotFound:
        if request.method == "POST" and verb == "delete" and _was_theirs(user, connector_id):
            messages.info(request, _("This connector is already deleted."))
            return redirect("connectors:list")
        raise
    return change_state(
        request,
        change,
        subject=connector,
        is_allowed=connector.state in change.states,
        names={"name": connector.name},
        form=TypedNameForm(get_posted(request), name=connector.name),
        get_context=lambda: _get_context(connector, change),
        page=reverse("connectors:details", args=[connector_id]),
        page_when_deleted=reverse("connectors:list"),
    )


def _get_context(connector: Connector, change: StateChange) -> dict[str, Any]:
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
        "crumbs": links.connector_crumbs(connector, here=str(change.label)),
        "facts": facts if change.typed else [],
        **use,
    }


def _was_theirs(user: User, connector_id: UUID) -> bool:
    return Connector.objects.owned_by(user.pk).filter(pk=connector_id, deleted_at__isnull=False).exists()
