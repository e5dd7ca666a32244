"""The webhooks of a connector: what each is set on, where it sends, how it stands. And what the pages of one share.

For owners. Neither the callback token nor a whole address stands on any of these pages.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.models import User
from accounts.views.decorators import signed_in, user_of
from connectors.models import Connector, Grant, Webhook
from connectors.permissions import Permission
from connectors.queries import connectors
from connectors.views import details, links, webhook_words
from connectors.webhooks import log
from connectors.webhooks import queries as webhook_queries
from kaizala_console.lib import clock, keyset
from kaizala_console.lib.errors import NotFound

View = Callable[..., HttpResponse]


@require_GET
@signed_in
def webhooks(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """One page of a connector's webhooks, the newest first; without any, the line that makes one."""
    connector, context = details.own(user_of(request), connector_id, "webhooks")
    try:
        page = log.webhook_page(connector, cursor=request.GET.get("cursor"))
    except keyset.BadCursor:
        return redirect(links.url_with(request, cursor=None))
    since = log.failing_since(page.items)
    context |= {
        "rows": [{**facts_of(webhook), "failing_since": since.get(webhook.pk)} for webhook in page.items],
        "handoff_webhook": webhook_queries.of_handoffs(connector),
        "may_listen": Permission.OUTGOING_WEBHOOKS in connector.permissions,
        **links.pagination_links(request, page),
    }
    if not page.items:
        context["subscribe"] = webhook_words.subscribe_line(_first_group(connector))
    return render(request, "connectors/webhooks.html", context)


# Pieces --------------------------------------------------------------------------------------------------------------


def own(user: User, connector_id: UUID, webhook_id: UUID) -> Webhook:
    """A webhook of a connector that the account owns. Raises NotFound, the same for all others."""
    return log.one(connectors.own_connector(user, connector_id), webhook_id)


def redirect_if_removed(view: View) -> View:
    """For pages of one webhook: when it was deleted meanwhile they lead to those that are there."""

    @wraps(view)
    def opened(request: HttpRequest, *, connector_id: UUID, webhook_id: UUID, **more: Any) -> HttpResponse:
        try:
            return view(request, connector_id=connector_id, webhook_id=webhook_id, **more)
        except NotFound:
            if request.headers.get("HX-Request"):  # the log looks again by itself
                raise
            connector = connectors.own_connector(user_of(request), connector_id)
            found = Webhook.objects.filter(connector=connector, pk=webhook_id, deleted_at__isnull=False).first()
            if found is None:
                raise
            messages.info(request, _("The webhook to %(host)s is deleted already.") % {"host": found.host})
            return redirect("connectors:webhooks", connector_id)

    return opened


def facts_of(webhook: Webhook) -> dict[str, Any]:
    """What a line about a webhook, and the head of its page, say."""
    now = clock.now()
    return {
        "webhook": webhook,
        "pill": webhook_words.pill_of(webhook, now),
        "reason": webhook_queries.why_inactive(webhook, now),
        "object": webhook_words.object_of(webhook),
        "events": webhook_words.events_of(webhook),
        "path": webhook_words.path_of(webhook.callback_url),
        "address": webhook_words.address_of(webhook.callback_url),
    }


def frame(webhook: Webhook, current: str, *below: tuple[str, str]) -> dict[str, Any]:
    """What the pages of one webhook share; `below` are crumbs of a page below it."""
    connector = webhook.connector
    here = reverse("connectors:webhook", args=[connector.pk, webhook.pk])
    rows = (
        ("deliveries", _("Deliveries"), here),
        ("settings", _("Settings"), reverse("connectors:webhook_settings", args=[connector.pk, webhook.pk])),
    )
    return {
        **facts_of(webhook),
        "connector": connector,
        "may_send": webhook.is_active,
        "rests_until": webhook.rests_until if webhook.rests_until and webhook.rests_until > clock.now() else None,
        "days": settings.WEBHOOK_DAYS,
        "tabs": [{"label": label, "url": url, "count": None, "current": name == current} for name, label, url in rows],
        "crumbs": links.connector_crumbs(
            connector,
            (_("Webhooks"), reverse("connectors:webhooks", args=[connector.pk])),
            (webhook.host, here if below else ""),
            *below,
        ),
    }


def _first_group(connector: Connector) -> Grant | None:
    return Grant.objects.present().filter(connector=connector, kind=Grant.Kind.GROUP).order_by("granted_at").first()
