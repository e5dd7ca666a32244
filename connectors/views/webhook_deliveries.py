"""The log of one webhook: what was sent and what came back, one line's page, and sending again. For owners."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.views import time_zones
from accounts.views.decorators import safe_path, signed_in, user_of
from connectors.models import Webhook, WebhookAttempt, WebhookDelivery
from connectors.queries import webhooks as webhook_log
from connectors.views import links, webhooks
from connectors.views.forms import flash_refusals, show_refusals
from connectors.webhooks import management, signing
from connectors.webhooks.events import HandoffEvent, WebhookEventType
from kaizala_console.lib import clock

State = WebhookDelivery.State
Problem = WebhookAttempt.Problem
DELIVERY_PILLS: Final = {
    State.WAITING: "waiting",
    State.HELD: "kept",
    State.DELIVERED: "delivered",
    State.FAILED: "failed",
    State.DROPPED: "not-sent",
}
STATE_CHOICES: Final = {
    State.WAITING.value: gettext_lazy("Waiting"),
    State.HELD.value: gettext_lazy("Buffered"),
    State.DELIVERED.value: gettext_lazy("Delivered"),
    State.FAILED.value: gettext_lazy("Failed"),
    State.DROPPED.value: gettext_lazy("Not sent"),
}
# In a cell of the log; a delivery's own page has the sentence.
_SHORT: Final = {
    Problem.KEY: gettext_lazy("encryption key missing"),
    Problem.REFUSED: gettext_lazy("not called"),
    Problem.UNREACHABLE: gettext_lazy("unreachable"),
    Problem.TIMEOUT: gettext_lazy("timed out"),
    Problem.TLS: gettext_lazy("certificate refused"),
    Problem.PROTOCOL: gettext_lazy("no HTTP answer"),
}
_BODIES: Final = {
    "": gettext_lazy("No body arrived in time."),
    WebhookAttempt.Body.EMPTY.value: gettext_lazy("The body was empty."),
    WebhookAttempt.Body.CUT.value: gettext_lazy("Beginning of the body."),
    WebhookAttempt.Body.BINARY.value: gettext_lazy("The body is not text, so it is not stored."),
}
_WHAT_TO_DO: Final = {
    Problem.KEY: gettext_lazy(
        "Deliveries wait until the operator restores the encryption key. You can also regenerate the signing "
        "secret and set the callback token again."
    ),
    Problem.REFUSED: gettext_lazy("The host resolves to a private address. Use another address."),
    Problem.UNREACHABLE: gettext_lazy("Check that the endpoint is running and reachable from here."),
    Problem.TIMEOUT: gettext_lazy("Answer first and work later: any 2xx will do."),
    Problem.TLS: gettext_lazy("Renew the certificate, and send the whole chain. It must name this host."),
    Problem.PROTOCOL: gettext_lazy("Check that no other program uses this port."),
    Problem.REDIRECT: gettext_lazy("Use the address it redirects to."),
    Problem.STATUS: gettext_lazy("Check the endpoint’s log. We expect any 2xx."),
}
EVENTS = {kind.value: kind.value for kind in WebhookEventType}
HANDOFF_EVENTS = {kind.value: kind.value for kind in HandoffEvent}
LIVE = "live"
REPLAYED_BEFORE = dt.timedelta(hours=1)  # what the form suggests


@require_GET
@signed_in
@webhooks.redirect_if_removed
def log(request: HttpRequest, connector_id: UUID, webhook_id: UUID) -> HttpResponse:
    """One page of the log. While something waits it looks again by itself, unless `?live=off`."""
    webhook = webhooks.get_own(user_of(request), connector_id, webhook_id)
    state = links.get_choice(request, "state", STATE_CHOICES)
    kinds = EVENTS if webhook.grant_id is not None else HANDOFF_EVENTS
    event_type = links.get_choice(request, "event", kinds)
    page = webhook_log.get_delivery_page(
        webhook, state=state, event_type=event_type, cursor=request.GET.get("cursor") or None
    )
    still = request.GET.get(LIVE) == "off"
    context = {
        **webhooks.get_frame(webhook, "deliveries"),
        "rows": [_row(delivery, webhook) for delivery in page.items],
        "selects": [
            links.make_select("state", _("State"), {"": _("Any state"), **STATE_CHOICES}, state),
            links.make_select("event", _("Event"), {"": _("Any event"), **kinds}, event_type),
        ],
        "chips": links.list_chips(
            request,
            state=state and _("State: %(state)s") % {"state": STATE_CHOICES[state]},
            event=event_type and _("Event: %(event)s") % {"event": event_type},
        ),
        "filtered": bool(state or event_type),
        "first_page_url": links.url_with(request, state=None, event=None, cursor=None),
        "here": links.url_with(request),
        "moves": bool(webhook.waiting_count) and not request.GET.get("cursor"),
        "still": still,
        "live_url": links.url_with(request, live=None if still else "off"),
        **links.pagination_links(request, page),
    }
    return render(request, "connectors/webhook.html", context)


@require_GET
@signed_in
@webhooks.redirect_if_removed
def delivery(request: HttpRequest, connector_id: UUID, webhook_id: UUID, delivery_id: int) -> HttpResponse:
    """What was sent, and each try: when, how long, and what came back."""
    webhook = webhooks.get_own(user_of(request), connector_id, webhook_id)
    delivery = webhook_log.get_delivery(webhook, delivery_id)
    payload = signing.get_payload(delivery)
    last = webhook_log.list_attempts(delivery)
    tries = [_attempt(number, found) for number, found in enumerate(last, delivery.attempt_count - len(last) + 1)]
    context = {
        **webhooks.get_frame(webhook, "deliveries", delivery.event.event_type),
        "row": _row(delivery, webhook),
        "delivery": delivery,
        "payload": format_json(payload) if payload is not None else "",
        "attempts": tries,
        "left_out": delivery.attempt_count - len(tries),
        "advice": give_advice(delivery.last_problem, delivery.last_status),
    }
    return render(request, "connectors/webhook_delivery.html", context)


# Sending again -------------------------------------------------------------------------------------------------------


@require_POST
@signed_in(button_label=gettext_lazy("Redeliver"))  # the log has one of these on each row
@webhooks.redirect_if_removed
def redeliver(request: HttpRequest, connector_id: UUID, webhook_id: UUID, delivery_id: int) -> HttpResponse:
    """ "Redeliver": one again, under the same event id."""
    user = user_of(request)
    webhook = webhooks.get_own(user, connector_id, webhook_id)
    delivery = webhook_log.get_delivery(webhook, delivery_id)
    with flash_refusals(request):
        queued = management.redeliver(delivery=delivery, by=user)
        messages.success(request, _("Redelivery queued.") if queued else _("It is already queued."))
    return redirect(
        safe_path(request.POST.get("back"), fallback=reverse("connectors:webhook", args=[connector_id, webhook_id]))
    )


@require_POST
@signed_in(button_label=gettext_lazy("Redeliver all failed"))
@webhooks.redirect_if_removed
def redeliver_failed(request: HttpRequest, connector_id: UUID, webhook_id: UUID) -> HttpResponse:
    """ "Redeliver all failed": what was given up, the oldest first."""
    user = user_of(request)
    webhook = webhooks.get_own(user, connector_id, webhook_id)
    with flash_refusals(request):
        count = management.redeliver_failed(webhook=webhook, by=user)
        _flash_count(request, count, _("No failed deliveries left."))
    return redirect("connectors:webhook", connector_id, webhook_id)


class ReplayForm(forms.Form):
    """From which moment on, in the reader's zone. The field names it: they may be on a journey."""

    since = forms.DateTimeField(
        label=pgettext_lazy("first moment", "From"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        error_messages={
            "required": gettext_lazy("Choose when to start."),
            "invalid": gettext_lazy("Enter a date and a time, like 2030-12-31 14:05."),
        },
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        now = timezone.localtime(clock.now())
        self.fields["since"].help_text = _("Time in %(zone)s, now %(time)s.") % {
            "zone": time_zones.display_name(timezone.get_current_timezone()),
            "time": now.strftime("%H:%M"),
        }

    def clean_since(self) -> dt.datetime:
        since: dt.datetime = self.cleaned_data["since"]
        if since > clock.now():
            raise forms.ValidationError(_("Choose a time in the past."))
        return since


@require_http_methods(["GET", "POST"])
@signed_in(button_label=gettext_lazy("Replay"))
@webhooks.redirect_if_removed
def replay(request: HttpRequest, connector_id: UUID, webhook_id: UUID) -> HttpResponse:
    """GET asks from when, and with `?since=` says how many that would be; POST sends them."""
    user = user_of(request)
    webhook = webhooks.get_own(user, connector_id, webhook_id)
    form = _replay_form(request)
    if request.method == "POST" and form.is_valid():
        with show_refusals(form):
            count = management.replay(webhook=webhook, since=form.cleaned_data["since"], by=user)
            _flash_count(request, count, _("Nothing to replay since then."))
            return redirect("connectors:webhook", connector_id, webhook_id)
    since = form.cleaned_data.get("since") if form.is_bound and form.is_valid() else None
    context = {
        **webhooks.get_frame(webhook, "deliveries", _("Replay")),
        "form": form,
        "since": since,
        "since_value": timezone.localtime(since).strftime("%Y-%m-%dT%H:%M:%S") if since is not None else "",
        "again": webhook_log.count_replayed(webhook, since) if since is not None else None,
    }
    status = 400 if request.method == "POST" else 200
    return render(request, "connectors/webhook_replay.html", context, status=status)


def _replay_form(request: HttpRequest) -> ReplayForm:
    if request.method == "POST":
        return ReplayForm(request.POST)
    if "since" in request.GET:
        return ReplayForm(request.GET)
    # To the whole minute, as browsers have it.
    begin = timezone.localtime(clock.now() - REPLAYED_BEFORE).replace(second=0, microsecond=0)
    return ReplayForm(initial={"since": begin})


def _flash_count(request: HttpRequest, count: int, nothing: str) -> None:
    if not count:
        messages.info(request, nothing)
        return
    told = ngettext("%(n)s delivery queued.", "%(n)s deliveries queued.", count)
    messages.success(request, told % {"n": count})


# Pieces --------------------------------------------------------------------------------------------------------------


def _row(delivery: WebhookDelivery, webhook: Webhook) -> dict[str, Any]:
    """What a line of the log says. Expects what `list_deliveries` adds."""
    waits = delivery.state == State.WAITING
    return {
        "delivery": delivery,
        "pill": DELIVERY_PILLS[State(delivery.state)],
        "about": describe_subject(delivery, webhook),
        "answer": describe_answer(delivery.last_status, delivery.last_problem),
        "milliseconds": delivery.last_milliseconds,
        "tries": delivery.attempt_count,
        "next_at": delivery.next_attempt_at if waits and _is_ahead(delivery.next_attempt_at) else None,
        "is_due": waits and not _is_ahead(delivery.next_attempt_at),
        "may_go_again": webhook.is_active and not waits,
    }


def _is_ahead(at: dt.datetime | None) -> bool:
    return at is not None and at > clock.now()


def _attempt(number: int, attempt: WebhookAttempt) -> dict[str, Any]:
    return {
        "number": number,
        "attempt": attempt,
        "answer": describe_answer(attempt.status, attempt.problem),
        "problem": WebhookAttempt.Problem(attempt.problem).label if attempt.problem else "",
        "headers": sorted(attempt.answer_headers.items()),
        "body": describe_body(attempt),
    }


def describe_subject(delivery: WebhookDelivery, webhook: Webhook) -> dict[str, str]:
    """What one event was about, as `describe_object` says it."""
    event = delivery.event
    if event.action_id is not None:
        return {"word": _("Action"), "id": str(event.action_id)}
    if webhook.grant is None:
        return {"word": _("Handoff"), "id": str(delivery.ordering_key)}
    if webhook.grant.target == f"group:{event.group_id}":
        return {"word": webhook.grant.target_name, "id": ""}
    return {"word": _("Group"), "id": str(event.group_id)}


def describe_answer(status: int | None, problem: str | None) -> str:
    """What came back of a try, in a word or a number; "" before the first."""
    if status is not None:
        return str(status)
    return str(_SHORT.get(Problem(problem), Problem(problem).label)) if problem else ""


def describe_body(attempt: WebhookAttempt) -> str | Promise:
    """What is to be said of the body of an answer, in addition to its text; "" when that is all of it."""
    return "" if attempt.answer_body == WebhookAttempt.Body.TEXT else _BODIES[attempt.answer_body]


def give_advice(problem: str | None, status: int | None) -> str | Promise:
    """One sentence for the developer whose receiver failed; "" when nothing did."""
    if not problem:
        return ""
    if status in (401, 403):
        return _("Check the callback token and the signing secret at the endpoint.")
    if status == 404 or status == 410:
        return _("Nothing answers at this path. Check the address.")
    return _WHAT_TO_DO[Problem(problem)]


def format_json(document: dict[str, Any]) -> str:
    """JSON to read."""
    return json.dumps(document, ensure_ascii=False, indent=2)
