"""The signing secret of a webhook: shown once, and made anew. For owners, after a fresh confirmation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST

from accounts.pages.decorators import require_reauthentication, signed_in, user_of, with_phone
from connectors.models import Webhook
from connectors.pages import shown, snippets, webhooks
from connectors.pages.forms import form_key_of
from connectors.services import shown_secrets
from connectors.webhooks import showing
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, RuleBroken

SHOW, ROTATE = gettext_lazy("Show signing secret"), gettext_lazy("Make new secret")
SENSITIVE = ["form_key"]


def _settings_of(connector_id: UUID, webhook_id: UUID, **_more: Any) -> str:
    return reverse("connectors:webhook_settings", args=[connector_id, webhook_id])


@sensitive_post_parameters("form_key")
@require_POST
@with_phone(button_label=SHOW)
@webhooks.or_the_others
@sensitive_variables("form_key")
def show(request: HttpRequest, connector_id: UUID, webhook_id: UUID) -> HttpResponse:
    """ "Show signing secret": the one time."""
    return _page(request, connector_id, webhook_id, showing.show)


@sensitive_post_parameters("form_key")
@require_POST
@with_phone(button_label=ROTATE)
@webhooks.or_the_others
@sensitive_variables("form_key")
def rotate(request: HttpRequest, connector_id: UUID, webhook_id: UUID) -> HttpResponse:
    """ "Make new secret": shown once; for a day the one before signs as well."""
    return _page(request, connector_id, webhook_id, showing.rotate)


@sensitive_variables("form_key", "secret")
def _page(request: HttpRequest, connector_id: UUID, webhook_id: UUID, service: Callable[..., str]) -> HttpResponse:
    webhook = webhooks.own(user_of(request), connector_id, webhook_id)
    form_key = form_key_of(request.POST)
    if shown_secrets.find(user=user_of(request), form_key=form_key) is None:  # else a second click: it asks nothing
        require_reauthentication(request)
    try:
        secret = service(webhook=webhook, by=user_of(request), form_key=form_key)
    except (Conflict, RuleBroken) as refused:
        messages.error(request, str(refused))
        return redirect(_settings_of(connector_id, webhook_id))
    # Read again: the secret before this one may sign for a while, which the page says.
    return shown.page(request, _showing(webhooks.own(user_of(request), connector_id, webhook_id)), secret, form_key)


@sensitive_post_parameters("form_key")
@require_POST
@signed_in
@webhooks.or_the_others
def download(request: HttpRequest, connector_id: UUID, webhook_id: UUID) -> HttpResponse:
    """The file with the secret that is on the screen."""
    return shown.download(request, _showing(webhooks.own(user_of(request), connector_id, webhook_id)))


@sensitive_post_parameters("form_key")
@require_POST
@signed_in
@webhooks.or_the_others
def done(request: HttpRequest, connector_id: UUID, webhook_id: UUID) -> HttpResponse:
    """ "Done" under the secret."""
    return shown.done(request, _showing(webhooks.own(user_of(request), connector_id, webhook_id)))


def _showing(webhook: Webhook) -> shown.Showing:
    at = [webhook.connector_id, webhook.pk]
    return shown.Showing(
        subject=webhook,
        template="connectors/webhook_secret.html",
        values=lambda secret: [
            snippets.Value("WEBHOOK_SECRET", _("Signing secret"), secret),
            snippets.Value("WEBHOOK_ID", _("Webhook ID"), str(webhook.pk)),
        ],
        file=snippets.filename(webhook.connector.name, "webhook"),
        download_url=reverse("connectors:webhook_secret_download", args=at),
        done_url=reverse("connectors:webhook_secret_done", args=at),
        after_url=_settings_of(*at),
        finished=_("The signing secret is not shown any more."),
        gone=_("The signing secret is not shown any more. If it is lost, make a new one."),
        context=lambda secret: {
            "webhook": webhook,
            "old_secret_signs": webhook.old_secret_until is not None and webhook.old_secret_until > clock.now(),
        },
    )
