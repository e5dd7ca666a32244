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

from accounts.views.decorators import require_reauthentication, signed_in, user_of, with_phone
from connectors.models import Webhook
from connectors.services import one_time_secrets as shown_secrets
from connectors.views import one_time_secrets, snippets, webhooks
from connectors.views.forms import form_key_of
from connectors.webhooks import showing
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, RuleBroken

SHOW, ROTATE = gettext_lazy("Show signing secret"), gettext_lazy("Make new secret")
SENSITIVE = ["idempotency_key"]


def _settings_of(connector_id: UUID, webhook_id: UUID, **_more: Any) -> str:
    return reverse("connectors:webhook_settings", args=[connector_id, webhook_id])


@sensitive_post_parameters("idempotency_key")
@require_POST
@with_phone(button_label=SHOW)
@webhooks.redirect_if_removed
@sensitive_variables("idempotency_key")
def show(request: HttpRequest, connector_id: UUID, webhook_id: UUID) -> HttpResponse:
    """ "Show signing secret": the one time."""
    return _page(request, connector_id, webhook_id, showing.show)


@sensitive_post_parameters("idempotency_key")
@require_POST
@with_phone(button_label=ROTATE)
@webhooks.redirect_if_removed
@sensitive_variables("idempotency_key")
def rotate(request: HttpRequest, connector_id: UUID, webhook_id: UUID) -> HttpResponse:
    """ "Make new secret": shown once; for a day the one before signs as well."""
    return _page(request, connector_id, webhook_id, showing.rotate)


@sensitive_variables("idempotency_key", "secret")
def _page(request: HttpRequest, connector_id: UUID, webhook_id: UUID, service: Callable[..., str]) -> HttpResponse:
    webhook = webhooks.own(user_of(request), connector_id, webhook_id)
    idempotency_key = form_key_of(request.POST)
    if (
        shown_secrets.find(user=user_of(request), idempotency_key=idempotency_key) is None
    ):  # else a second click: it asks nothing
        require_reauthentication(request)
    try:
        secret = service(webhook=webhook, by=user_of(request), idempotency_key=idempotency_key)
    except (Conflict, RuleBroken) as refused:
        messages.error(request, str(refused))
        return redirect(_settings_of(connector_id, webhook_id))
    # Read again: the secret before this one may sign for a while, which the page says.
    return one_time_secrets.page(
        request, _showing(webhooks.own(user_of(request), connector_id, webhook_id)), secret, idempotency_key
    )


@sensitive_post_parameters("idempotency_key")
@require_POST
@signed_in
@webhooks.redirect_if_removed
def download(request: HttpRequest, connector_id: UUID, webhook_id: UUID) -> HttpResponse:
    """The file with the secret that is on the screen."""
    return one_time_secrets.download(request, _showing(webhooks.own(user_of(request), connector_id, webhook_id)))


@sensitive_post_parameters("idempotency_key")
@require_POST
@signed_in
@webhooks.redirect_if_removed
def done(request: HttpRequest, connector_id: UUID, webhook_id: UUID) -> HttpResponse:
    """ "Done" under the secret."""
    return one_time_secrets.done(request, _showing(webhooks.own(user_of(request), connector_id, webhook_id)))


def _showing(webhook: Webhook) -> one_time_secrets.OneTimeSecretPage:
    at = [webhook.connector_id, webhook.pk]
    return one_time_secrets.OneTimeSecretPage(
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
