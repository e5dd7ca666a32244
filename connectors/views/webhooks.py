"""The webhooks of a connector: what each is set on, where it sends, and its status. And what the pages of one share.

For owners. None of these pages shows the callback token or a whole address.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import User
from accounts.views.decorators import require_reauthentication, signed_in, user_of, with_phone
from connectors.models import Connector, Grant, Webhook
from connectors.models.webhook import MOST_URL_CHARACTERS
from connectors.permissions import Permission
from connectors.queries import connectors
from connectors.queries import webhooks as webhook_queries
from connectors.services.one_time_secrets import new_form_key
from connectors.views import links, one_time_secrets, states
from connectors.views.forms import TypedNameForm, get_idempotency_key, get_posted, show_refusals
from connectors.views.states import StateChange
from connectors.webhooks import authorization, management, subscriptions
from connectors.webhooks.events import WebhookEventType
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

InactiveReason = Webhook.InactiveReason
HIDDEN: Final = "…"
View = Callable[..., HttpResponse]


@require_GET
@signed_in
def webhooks(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """One page of a connector's webhooks, the newest first; without any, the line that makes one."""
    connector, context = links.get_own(user_of(request), connector_id, "webhooks")
    page = webhook_queries.get_webhook_page(connector, cursor=request.GET.get("cursor"))
    since = webhook_queries.get_failing_since(page.items)
    context |= {
        "rows": [{**get_webhook_facts(webhook), "failing_since": since.get(webhook.pk)} for webhook in page.items],
        "handoff_webhook": webhook_queries.get_handoff_webhook(connector),
        "may_listen": Permission.OUTGOING_WEBHOOKS in connector.permissions,
        **links.pagination_links(request, page),
    }
    if not page.items:
        context["subscribe"] = get_subscribe_command(_first_group(connector))
    return render(request, "connectors/webhooks.html", context)


# Pieces --------------------------------------------------------------------------------------------------------------


def get_own(user: User, connector_id: UUID, webhook_id: UUID) -> Webhook:
    """A webhook of a connector that the account owns. Raises NotFound, the same for all others."""
    return webhook_queries.get_webhook(connectors.get_own_connector(user, connector_id), webhook_id)


def redirect_if_removed(view: View) -> View:
    """For pages of one webhook: when it was deleted, they lead to the list."""

    @wraps(view)
    def opened(request: HttpRequest, *, connector_id: UUID, webhook_id: UUID, **more: Any) -> HttpResponse:
        try:
            return view(request, connector_id=connector_id, webhook_id=webhook_id, **more)
        except NotFound:
            if request.headers.get("HX-Request"):  # the log looks again by itself
                raise
            connector = connectors.get_own_connector(user_of(request), connector_id)
            found = Webhook.objects.filter(connector=connector, pk=webhook_id, deleted_at__isnull=False).first()
            if found is None:
                raise
            messages.info(request, _("The webhook to %(host)s is already deleted.") % {"host": found.host})
            return redirect("connectors:webhooks", connector_id)

    return opened


def get_webhook_facts(webhook: Webhook) -> dict[str, Any]:
    """What a line about a webhook, and the head of its page, say."""
    now = clock.now()
    return {
        "webhook": webhook,
        "pill": get_pill(webhook, now),
        "reason": authorization.explain_inactive(webhook, now),
        "object": describe_object(webhook),
        "events": list_events(webhook),
        "path": hide_secrets_in_path(webhook.callback_url),
        "address": hide_secrets_in_url(webhook.callback_url),
    }


def get_frame(webhook: Webhook, current: str, below: str = "") -> dict[str, Any]:
    """What the pages of one webhook share; `below` is what a page below it is called."""
    connector = webhook.connector
    here = reverse("connectors:webhook", args=[connector.pk, webhook.pk])
    rows = (
        ("deliveries", _("Deliveries"), here),
        ("settings", _("Settings"), reverse("connectors:webhook_settings", args=[connector.pk, webhook.pk])),
    )
    crumbs = links.connector_crumbs(connector, "webhooks", here=webhook.host)
    if below:
        crumbs = [*crumbs[:-1], *links.crumbs((webhook.host, here), (below, ""))]
    return {
        **get_webhook_facts(webhook),
        "connector": connector,
        "may_send": webhook.is_active,
        "backoff_until": webhook.backoff_until
        if webhook.backoff_until and webhook.backoff_until > clock.now()
        else None,
        "days": settings.WEBHOOK_DAYS,
        "tabs": [{"label": label, "url": url, "count": None, "current": name == current} for name, label, url in rows],
        "crumbs": crumbs,
    }


def _first_group(connector: Connector) -> Grant | None:
    return Grant.objects.present().filter(connector=connector, kind=Grant.Kind.GROUP).order_by("granted_at").first()


def get_pill(webhook: Webhook, at: dt.datetime) -> str:
    """The status of a webhook (kaizala_console/statuses.py). Asks no database."""
    if webhook.inactive_because:
        return {
            InactiveReason.PAUSED.value: "paused",
            InactiveReason.FAILED.value: "failed",
            InactiveReason.EXPIRED.value: "expired",
        }.get(webhook.inactive_because, "ended")
    if not authorization.explain_inactive(webhook, at):
        return "troubled" if webhook.failures else "active"
    if webhook.is_under_right(at):
        return "ended"  # the permission is gone
    if webhook.expires_at <= at:
        return "expired"
    over = webhook.grant is not None and webhook.grant.revoked_at is not None
    return "suspended" if authorization.is_suspended(webhook) and not over else "ended"


def describe_object(webhook: Webhook) -> dict[str, Any]:
    """What a webhook is set on: `word` for people, `id` where only the app above knows a name."""
    if webhook.grant is None:
        return {"word": _("Handoffs of this connector"), "id": ""}
    if webhook.object_type == Webhook.ObjectType.PACKAGE:
        return {"word": _("Actions of the package"), "id": webhook.object_id}
    if webhook.object_type == Webhook.ObjectType.ACTION:
        return {"word": _("One action in %(where)s") % {"where": _quote_target(webhook.grant)}, "id": webhook.object_id}
    if webhook.grant.target == f"group:{webhook.object_id}":
        return {"word": webhook.grant.target_name, "id": ""}
    return {
        "word": _("A group reachable from %(where)s") % {"where": _quote_target(webhook.grant)},
        "id": webhook.object_id,
    }


def _quote_target(grant: Grant) -> str:
    return f"“{grant.target_name}”"


def list_events(webhook: Webhook, *, most: int = 3) -> dict[str, Any]:
    """`named` for a cell, how many `more`, and `all`."""
    if len(webhook.event_types) == len(WebhookEventType):
        return {"named": _("all events"), "more": 0, "all": ", ".join(webhook.event_types)}
    return {
        "named": ", ".join(webhook.event_types[:most]),
        "more": max(0, len(webhook.event_types) - most),
        "all": ", ".join(webhook.event_types),
    }


def hide_secrets_in_url(url: str) -> str:
    """An address without what may be a secret in it: no password, no values of its query, no fragment."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{parts.scheme}://{host}{port}{hide_secrets_in_path(url)}"


def hide_secrets_in_path(url: str) -> str:
    """What follows the host in `hide_secrets_in_url`."""
    parts = urlsplit(url)
    names = [name for name, _value in parse_qsl(parts.query, keep_blank_values=True) if f"{name}=" in parts.query]
    query = "?" + "&".join(f"{name}={HIDDEN}" for name in names) if names else f"?{HIDDEN}" if parts.query else ""
    return f"{parts.path or '/'}{query}"


def get_subscribe_command(grant: Grant | None) -> str:
    """The line that makes the first webhook; on the grant's own group, when it has one."""
    key = ids.parse_guid(grant.target.removeprefix("group:")) if grant is not None else None
    kinds = json.dumps([WebhookEventType.TEXT_MESSAGE_CREATED.value, WebhookEventType.JOB_RESPONSE.value])
    body = f"""{{
    "objectId": "{key or "GROUP_ID"}",
    "objectType": "Group",
    "eventTypes": {kinds},
    "callBackUrl": "https://example.com/kaizala"
  }}"""
    return " \\\n".join(
        [
            f"curl {one_time_secrets.quote_url(f'{settings.CONSOLE_BASE_URL}/v1/webhook')}",
            '  -H "accessToken: $ACCESS_TOKEN"',
            '  -H "Content-Type: application/json"',
            f"  -d '{body}'",
        ]
    )


# ----------------------------------------------------------------------------------------------------
# The settings of a webhook; and pause, wake and delete, each of which says first what becomes of what is on its way.
#
# For owners.


WEBHOOK_CHANGES: Final = states.by_key(
    StateChange(
        key="pause",
        label=gettext_lazy("Pause"),
        title=gettext_lazy("Pause the webhook to %(host)s"),
        says=gettext_lazy("Nothing is sent until it is resumed, here or by API."),
        says_more=gettext_lazy("Events are buffered for %(days)s days and delivered in order once it resumes."),
        done=gettext_lazy("Webhook paused. Events are buffered."),
        service=management.pause,
        states=frozenset({True}),
        stops=True,
    ),
    StateChange(
        key="wake",
        label=gettext_lazy("Resume"),
        title=gettext_lazy("Resume the webhook to %(host)s"),
        says=gettext_lazy("Events are delivered again."),
        says_more=gettext_lazy(
            "Buffered events are sent at once, in order. Failed deliveries stay failed until you redeliver them."
        ),
        done=gettext_lazy("Webhook resumed. Buffered events are being sent."),
        service=management.resume,
        states=frozenset({False}),
    ),
    StateChange(
        key="delete",
        label=gettext_lazy("Delete"),
        title=gettext_lazy("Delete the webhook to %(host)s"),
        says=gettext_lazy("Nothing is sent to this address any longer."),
        says_more=gettext_lazy(
            "Pending deliveries are not sent, and the log, callback token and signing secret are deleted."
        ),
        done=gettext_lazy("Webhook to %(host)s deleted."),
        service=management.delete,
        states=frozenset({True, False}),
        variant="danger",
        stops=True,
        typed=True,
    ),
)


HANDOFF_WEBHOOK_DELETED: Final = gettext_lazy(
    "Pending deliveries are not sent, and the log and signing secret are deleted. You still get mail "
    "about handoffs, and can register another address."
)


def list_changes(webhook: Webhook) -> list[StateChange]:
    """What can be done with the webhook as it is, the harmless first."""
    return [change for change in WEBHOOK_CHANGES.values() if webhook.is_active in change.states]


@require_GET
@signed_in
@redirect_if_removed
def settings_page(request: HttpRequest, connector_id: UUID, webhook_id: UUID) -> HttpResponse:
    """What is known about one webhook, its signing secret, and the ways to stop it."""
    webhook = get_own(user_of(request), connector_id, webhook_id)
    context = {
        **get_frame(webhook, "settings"),
        "failing_since": webhook_queries.get_failing_since([webhook]).get(webhook.pk),
        "has_token": webhook.sealed_token is not None,
        "old_secret_signs": webhook.old_secret_until is not None and webhook.old_secret_until > clock.now(),
        "idempotency_key": new_form_key(),
        "verbs": list_changes(webhook),
    }
    return render(request, "connectors/webhook_settings.html", context)


@require_http_methods(["GET", "POST"])
@signed_in
@redirect_if_removed
def change_webhook_state(request: HttpRequest, connector_id: UUID, webhook_id: UUID, verb: str) -> HttpResponse:
    """GET shows what would happen, POST does it."""
    change = WEBHOOK_CHANGES.get(verb)
    if change is None:
        raise Http404
    webhook = get_own(user_of(request), connector_id, webhook_id)
    if change.typed and webhook.grant_id is None:
        change = replace(change, says_more=HANDOFF_WEBHOOK_DELETED)
    return states.change_state(
        request,
        change,
        subject=webhook,
        is_allowed=webhook.is_active in change.states,
        names={"host": webhook.host, "days": settings.WEBHOOK_DAYS},
        form=TypedNameForm(get_posted(request), name=webhook.host, label=_("Host of the webhook")),
        get_context=lambda: _get_state_context(webhook, change),
        page=reverse("connectors:webhook_settings", args=[connector_id, webhook_id]),
        page_when_deleted=reverse("connectors:webhooks", args=[connector_id]),
    )


def _get_state_context(webhook: Webhook, change: StateChange) -> dict[str, Any]:
    return {
        **get_frame(webhook, "settings", str(change.label)),
        "facts": [
            {"label": _("pending deliveries"), "count": webhook.waiting_count},
            {"label": _("buffered deliveries"), "count": webhook.kept_count},
            {"label": _("failed deliveries"), "count": webhook.failed_count},
            {"label": _("event types"), "count": len(webhook.event_types)},
        ],
    }


# ----------------------------------------------------------------------------------------------------
# Registering the address that is told of a connector's handoffs. For owners, after a fresh confirmation.


class AddressForm(forms.Form):
    """Where the connector's program listens."""

    address = forms.CharField(
        label=gettext_lazy("Address"),
        help_text=gettext_lazy(
            "A public https:// address. We call it once with ?validationToken=…; it must answer with that "
            "token as plain text."
        ),
        error_messages={"required": gettext_lazy("Enter an address.")},
        max_length=MOST_URL_CHARACTERS,
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
    )


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Register address"))
def register(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """GET asks for the address; POST has it answer the handshake, and keeps it. Twice is once."""
    user = user_of(request)
    connector = connectors.get_own_connector(user, connector_id)
    form = AddressForm(get_posted(request))
    if form.is_valid():
        require_reauthentication(request)
        with show_refusals(form, "address"):
            made = subscriptions.register_handoff_webhook(
                connector=connector, callback_url=form.cleaned_data["address"], by=user
            )
            messages.success(request, _("Handoff events now go to %(host)s.") % {"host": made.host})
            return redirect("connectors:webhook_settings", connector_id, made.pk)
    elif request.method == "GET":
        present = webhook_queries.get_handoff_webhook(connector)
        if present is not None:
            return redirect("connectors:webhook_settings", connector_id, present.pk)
    context = {
        "connector": connector,
        "form": form,
        "crumbs": links.connector_crumbs(connector, "webhooks", here=_("Handoffs")),
    }
    return render(request, "connectors/webhook_handoffs.html", context, status=400 if form.is_bound else 200)


# ----------------------------------------------------------------------------------------------------
# The signing secret of a webhook: shown once, and rotated. For owners, after a fresh confirmation.


def _make_secret_view(label: Promise, act: Callable[..., str]) -> View:
    @sensitive_post_parameters("idempotency_key")
    @require_POST
    @with_phone(button_label=label)
    @redirect_if_removed
    @sensitive_variables("idempotency_key", "secret")
    def show(request: HttpRequest, connector_id: UUID, webhook_id: UUID) -> HttpResponse:
        webhook = get_own(user_of(request), connector_id, webhook_id)
        idempotency_key = get_idempotency_key(request.POST)
        one_time_secrets.require_reauthentication_once(request, idempotency_key)
        try:
            secret = management.act_once(act, webhook=webhook, by=user_of(request), idempotency_key=idempotency_key)
        except (Conflict, RuleBroken) as refused:
            messages.error(request, str(refused))
            return redirect("connectors:webhook_settings", connector_id, webhook_id)
        # Read again: the secret before this one may sign for a while, which the page says.
        secret_page = _describe_secret(get_own(user_of(request), connector_id, webhook_id))
        return one_time_secrets.page(request, secret_page, secret, idempotency_key)

    return show


show = _make_secret_view(gettext_lazy("Show signing secret"), management.show_secret)
rotate = _make_secret_view(gettext_lazy("Regenerate secret"), management.rotate_secret)


def _describe_secret(webhook: Webhook) -> one_time_secrets.OneTimeSecretPage:
    at = [webhook.connector_id, webhook.pk]
    return one_time_secrets.OneTimeSecretPage(
        subject=webhook,
        template="connectors/webhook_secret.html",
        values=lambda secret: [
            one_time_secrets.SnippetValue("WEBHOOK_SECRET", _("Signing secret"), secret),
            one_time_secrets.SnippetValue("WEBHOOK_ID", _("Webhook ID"), str(webhook.pk)),
        ],
        file=one_time_secrets.get_file_name(webhook.connector.name, "webhook"),
        download_url=reverse("connectors:webhook_secret_download", args=at),
        done_url=reverse("connectors:webhook_secret_done", args=at),
        after_url=reverse("connectors:webhook_settings", args=at),
        finished=_("The signing secret is not shown again."),
        gone=_("The signing secret is not shown again. If it is lost, regenerate it."),
        context=lambda secret: {
            "webhook": webhook,
            "old_secret_signs": webhook.old_secret_until is not None and webhook.old_secret_until > clock.now(),
        },
    )


download, done = map(
    redirect_if_removed,
    one_time_secrets.make_buttons(
        lambda user, connector_id, webhook_id: _describe_secret(get_own(user, connector_id, webhook_id))
    ),
)
