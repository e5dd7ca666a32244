"""The settings of a webhook; and pause, wake and delete, each of which says first what becomes of what is on its way.

For owners.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from accounts.views.decorators import require_reauthentication, signed_in, user_of
from connectors.models import Webhook
from connectors.services.one_time_secrets import new_form_key
from connectors.views import webhooks
from connectors.views.forms import TypedNameForm
from connectors.webhooks import log, management
from kaizala_console.lib import clock
from kaizala_console.lib.errors import RuleBroken


@dataclass(frozen=True, slots=True)
class Verb:
    """One act on a webhook: its words, its service, and how carefully it is asked for."""

    key: str
    label: Promise
    title: Promise
    says: Promise
    meanwhile: Promise
    done: Promise
    service: Callable[..., Any]
    active: bool | None  # in which state it can be done; None in both
    variant: str = "secondary"
    final: bool = False


VERBS = {
    verb.key: verb
    for verb in (
        Verb(
            key="pause",
            label=gettext_lazy("Pause"),
            title=gettext_lazy("Pause the webhook to %(host)s"),
            says=gettext_lazy("Nothing is sent until somebody wakes it, here or through the API."),
            meanwhile=gettext_lazy(
                "What happens meanwhile is kept for %(days)s days, and told in order when it wakes."
            ),
            done=gettext_lazy("The webhook is paused. What happens is kept until it wakes."),
            service=management.pause,
            active=True,
        ),
        Verb(
            key="wake",
            label=gettext_lazy("Wake"),
            title=gettext_lazy("Wake the webhook to %(host)s"),
            says=gettext_lazy("It is told again of what happens."),
            meanwhile=gettext_lazy(
                "What was kept is sent at once, in order. What failed for good stays so until you redeliver it."
            ),
            done=gettext_lazy("The webhook is awake. What was kept for it is on its way."),
            service=management.wake,
            active=False,
        ),
        Verb(
            key="delete",
            label=gettext_lazy("Delete"),
            title=gettext_lazy("Delete the webhook to %(host)s"),
            says=gettext_lazy("Nothing is sent to this address any more, for good."),
            meanwhile=gettext_lazy(
                "What waits is not sent, and the log cannot be opened any more. The callback token and the signing "
                "secret are wiped. The program can make a new webhook at any time."
            ),
            done=gettext_lazy("The webhook to %(host)s is deleted."),
            service=management.delete,
            active=None,
            variant="danger",
            final=True,
        ),
    )
}


class TypedHostForm(TypedNameForm):
    """Typing the host is the confirmation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["typed"].label = gettext_lazy("Host of the webhook")


def verbs_for(webhook: Webhook) -> list[Verb]:
    """What can be done with the webhook as it is, the harmless first."""
    return [verb for verb in VERBS.values() if verb.active in (None, webhook.is_active)]


@require_GET
@signed_in
@webhooks.redirect_if_removed
def settings_page(request: HttpRequest, connector_id: UUID, webhook_id: UUID) -> HttpResponse:
    """What is known about one webhook, its signing secret, and the ways to stop it."""
    webhook = webhooks.own(user_of(request), connector_id, webhook_id)
    context = {
        **webhooks.frame(webhook, "settings"),
        "failing_since": log.failing_since([webhook]).get(webhook.pk),
        "has_token": webhook.sealed_token is not None,
        "old_secret_signs": webhook.old_secret_until is not None and webhook.old_secret_until > clock.now(),
        "idempotency_key": new_form_key(),
        "verbs": verbs_for(webhook),
    }
    return render(request, "connectors/webhook_settings.html", context)


@require_http_methods(["GET", "POST"])
@signed_in
@webhooks.redirect_if_removed
def change_state(request: HttpRequest, connector_id: UUID, webhook_id: UUID, verb: str) -> HttpResponse:
    """GET tells what would happen, POST does it."""
    act = VERBS.get(verb)
    if act is None:
        raise Http404
    webhook = webhooks.own(user_of(request), connector_id, webhook_id)
    if act not in verbs_for(webhook):
        messages.info(request, _("Nothing was left to do: somebody was faster, or the button was pressed twice."))
        return redirect("connectors:webhook_settings", connector_id, webhook_id)
    form = None
    if act.final:
        typed = request.POST if request.method == "POST" else None
        form = TypedHostForm(typed, name=webhook.host)
    if request.method != "POST" or (form is not None and not form.is_valid()):
        status = 400 if form is not None and form.is_bound else 200
        return render(request, "connectors/webhook_state.html", _context(webhook, act, form), status=status)
    require_reauthentication(request, button_label=act.label)
    return _do(request, webhook, act)


def _do(request: HttpRequest, webhook: Webhook, act: Verb) -> HttpResponse:
    try:
        act.service(webhook=webhook, by=user_of(request))
    except RuleBroken as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, act.done % {"host": webhook.host})
    if act.final:
        return redirect("connectors:webhooks", webhook.connector_id)
    return redirect("connectors:webhook_settings", webhook.connector_id, webhook.pk)


def _meanwhile(act: Verb, webhook: Webhook) -> str:
    if act.final and webhook.grant_id is None:
        return _(
            "What waits is not sent, and the log cannot be opened any more. The signing secret is wiped. Handoffs are "
            "told by mail and on Home as before, and you can register another address."
        )
    return act.meanwhile % {"days": settings.WEBHOOK_DAYS}


def _context(webhook: Webhook, act: Verb, form: TypedHostForm | None) -> dict[str, Any]:
    return {
        **webhooks.frame(webhook, "settings", (str(act.label), "")),
        "act": act,
        "form": form,
        "title": act.title % {"host": webhook.host},
        "says_more": _meanwhile(act, webhook),
        "stops": act.key != "wake",
        "here": reverse("connectors:webhook_state", args=[webhook.connector_id, webhook.pk, act.key]),
        "back": reverse("connectors:webhook_settings", args=[webhook.connector_id, webhook.pk]),
        "facts": [
            {"label": _("deliveries that wait"), "count": webhook.waiting_count},
            {"label": _("kept until it wakes"), "count": webhook.kept_count},
            {"label": _("failed for good"), "count": webhook.failed_count},
            {"label": _("kinds of events"), "count": len(webhook.event_types)},
        ],
    }
