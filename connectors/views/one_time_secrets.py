"""The pages that show a credential once, what can be downloaded from them, and "Done".

They are the answer to the POST that made the credential, so no address leads to them. Sent again, the same form shows
the same credential for some minutes (`services.one_time_secrets`); "Done" ends that at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST

from accounts.views.decorators import signed_in, user_of
from connectors.models import Connector, ConnectorSecret, Handoff
from connectors.queries import connectors
from connectors.services import one_time_secrets, secrets
from connectors.views import handoffs, snippets


@dataclass(frozen=True, slots=True)
class OneTimeSecretPage:
    """One kind of page with one subject: how its credential is laid out, and where its buttons lead."""

    subject: models.Model
    template: str
    values: Callable[[str], list[snippets.SnippetValue]]
    file: str
    download_url: str
    done_url: str
    after_url: str
    finished: str
    gone: str
    context: Callable[[str], dict[str, Any]] = field(default=lambda token: {})
    line_of: UUID | None = None  # the handoff whose line goes on under the credential


# What is shown -------------------------------------------------------------------------------------------------------


def _of_connector(connector: Connector) -> OneTimeSecretPage:
    return OneTimeSecretPage(
        subject=connector,
        template="connectors/created.html",
        values=lambda token: snippets.list_secret_values(connector, token),
        file=snippets.get_file_name(connector.name),
        download_url=reverse("connectors:connector_download", args=[connector.pk]),
        done_url=reverse("connectors:connector_done", args=[connector.pk]),
        after_url=reverse("connectors:details", args=[connector.pk]),
        finished=_("“%(name)s” is ready. Its secret is not shown any more.") % {"name": connector.name},
        gone=_secret_gone(),
        context=lambda token: {
            "connector": connector,
            "exchange": snippets.get_exchange_command(connector),
            "secret": connectors.get_secret_to_end_next(connector),
        },
    )


def _of_secret(secret: ConnectorSecret) -> OneTimeSecretPage:
    connector = secret.connector
    return OneTimeSecretPage(
        subject=secret,
        template="connectors/secret_added.html",
        values=lambda token: snippets.list_secret_values(connector, token),
        file=snippets.get_file_name(connector.name),
        download_url=reverse("connectors:secret_download", args=[connector.pk, secret.pk]),
        done_url=reverse("connectors:secret_done", args=[connector.pk, secret.pk]),
        after_url=reverse("connectors:credentials", args=[connector.pk]),
        finished=_("The new secret of “%(name)s” is not shown any more.") % {"name": connector.name},
        gone=_secret_gone(),
        context=lambda token: {"connector": connector, "secret": secret},
    )


def _of_handoff(handoff: Handoff) -> OneTimeSecretPage:
    connector, sealed = handoff.connector, handoff.is_sealed_to_key
    file = snippets.get_file_name(connector.name, handoff.grant.target_name)
    return OneTimeSecretPage(
        subject=handoff,
        template="connectors/claimed_sealed.html" if sealed else "connectors/claimed.html",
        values=lambda token: snippets.list_handoff_values(handoff, token),
        file=file,
        download_url=reverse("connectors:handoff_download", args=[handoff.pk]),
        done_url=reverse("connectors:handoff_done", args=[handoff.pk]),
        after_url=reverse("connectors:handoff", args=[handoff.pk]),
        finished=_("The refresh token for “%(group)s” is yours alone now: it is wiped here.")
        % {"group": handoff.grant.target_name},
        gone=_("The refresh token is not shown any more. If it is lost, have the handoff issued again."),
        context=lambda token: {
            "handoff": handoff,
            "connector": connector,
            "env_file": f"{file if sealed else snippets.get_file_name(connector.name)}.env",
            "exchange": snippets.get_exchange_command(connector, None if sealed else token),
            "open_line": snippets.get_open_command(),
        },
        line_of=handoff.pk,
    )


def _secret_gone() -> str:
    return _("The secret is not shown any more. If it is lost, add another one and revoke the lost one.")


# The pages -----------------------------------------------------------------------------------------------------------


@sensitive_variables("token", "idempotency_key")
def connector_page(request: HttpRequest, connector: Connector, token: str, idempotency_key: str) -> HttpResponse:
    """A new connector's ID and secret."""
    return page(request, _of_connector(connector), token, idempotency_key)


@sensitive_variables("token", "idempotency_key")
def secret_page(request: HttpRequest, secret: ConnectorSecret, token: str, idempotency_key: str) -> HttpResponse:
    """A further secret of a connector."""
    return page(request, _of_secret(secret), token, idempotency_key)


@sensitive_variables("token", "idempotency_key")
def handoff_page(request: HttpRequest, handoff: Handoff, token: str, idempotency_key: str) -> HttpResponse:
    """A claimed refresh token, with the line that trades it for an access token."""
    return page(request, _of_handoff(handoff), token, idempotency_key)


@sensitive_variables("token", "idempotency_key")
def page(
    request: HttpRequest, showing: OneTimeSecretPage, token: str, idempotency_key: str, error: str = ""
) -> HttpResponse:
    context = {
        "values": showing.values(token),
        "file": showing.file,
        "download_url": showing.download_url,
        "done_url": showing.done_url,
        "idempotency_key": idempotency_key,
        "error": error,
        **showing.context(token),
    }
    if showing.line_of is not None:
        context |= handoffs.get_handoff_line(user_of(request), showing.line_of)
    response = render(request, showing.template, context)
    # Neither a cache nor the browser's history keeps it; console.js empties the page when it is left.
    add_never_cache_headers(response)
    return response


# The buttons ---------------------------------------------------------------------------------------------------------


@sensitive_post_parameters("idempotency_key")
@require_POST
@signed_in
def connector_download(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """The file with a new connector's ID and secret."""
    return download(request, _of_connector(connectors.get_own_connector(user_of(request), connector_id)))


@sensitive_post_parameters("idempotency_key")
@require_POST
@signed_in
def connector_done(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """ "Done" under a new connector's secret."""
    return done(request, _of_connector(connectors.get_own_connector(user_of(request), connector_id)))


def _credentials_of(connector_id: UUID, secret_id: int) -> str:
    return reverse("connectors:credentials", args=[connector_id])


@sensitive_post_parameters("idempotency_key")
@require_POST
@signed_in
def secret_download(request: HttpRequest, connector_id: UUID, secret_id: int) -> HttpResponse:
    """The file with a further secret."""
    return download(request, _of_secret(connectors.get_own_secret(user_of(request), connector_id, secret_id)))


@sensitive_post_parameters("idempotency_key")
@require_POST
@signed_in
def secret_done(request: HttpRequest, connector_id: UUID, secret_id: int) -> HttpResponse:
    """ "Done" under a further secret."""
    return done(request, _of_secret(connectors.get_own_secret(user_of(request), connector_id, secret_id)))


@sensitive_post_parameters("idempotency_key")
@require_POST
@signed_in
def handoff_download(request: HttpRequest, handoff_id: UUID) -> HttpResponse:
    """The file with a claimed refresh token."""
    return download(request, _of_handoff(connectors.get_own_handoff(user_of(request), handoff_id)))


@sensitive_post_parameters("idempotency_key")
@require_POST
@signed_in
def handoff_done(request: HttpRequest, handoff_id: UUID) -> HttpResponse:
    """ "Done" under a claimed refresh token."""
    return done(request, _of_handoff(connectors.get_own_handoff(user_of(request), handoff_id)))


@sensitive_variables("token")
def download(request: HttpRequest, showing: OneTimeSecretPage) -> HttpResponse:
    token = _recalled(request, showing)
    if token is None:
        messages.warning(request, showing.gone)
        return redirect(showing.after_url)
    _note(request, showing, token)
    return snippets.to_download(showing.values(token), kind=request.POST.get("kind", ""), name=showing.file)


@sensitive_variables("token")
def done(request: HttpRequest, showing: OneTimeSecretPage) -> HttpResponse:
    """Twice is once: the second click finds nothing to end, and leads to the same page."""
    token = _recalled(request, showing)
    if token is not None:
        if "stored" not in request.POST:
            _note(request, showing, token)
            error = _("Store it first, then tick “I have stored it”: it will not be shown again.")
            return page(request, showing, token, request.POST["idempotency_key"], error)
        one_time_secrets.done(user=user_of(request), idempotency_key=request.POST["idempotency_key"])
        messages.success(request, showing.finished)
    return redirect(showing.after_url)


@sensitive_variables("token")
def _note(request: HttpRequest, showing: OneTimeSecretPage, token: str) -> None:
    """A further look at a secret is an event of its own; what happens to a token is told by its handoff."""
    if isinstance(showing.subject, Connector | ConnectorSecret):
        subject = showing.subject
        connector = subject if isinstance(subject, Connector) else subject.connector
        secrets.viewed(connector=connector, token=token, by=user_of(request))


@sensitive_variables()
def _recalled(request: HttpRequest, showing: OneTimeSecretPage) -> str | None:
    return one_time_secrets.recall(
        user=user_of(request), idempotency_key=request.POST.get("idempotency_key", ""), subject=showing.subject
    )
