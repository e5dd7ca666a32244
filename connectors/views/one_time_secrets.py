"""The pages that show a credential once, what can be downloaded from them, and "Done".

They are the answer to the POST that made the credential, so no address leads to them. Sent again, the same form shows
the same credential for some minutes (`services.one_time_secrets`); "Done" ends that at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST

from accounts.views.decorators import require_reauthentication, signed_in, user_of
from connectors.models import Connector, ConnectorSecret, Handoff
from connectors.queries import connectors
from connectors.queries import handoffs as handoff_queries
from connectors.services import one_time_secrets, secrets
from connectors.views import handoffs

ID, SECRET, REFRESH_TOKEN, URL = "CONNECTOR_ID", "CONNECTOR_SECRET", "REFRESH_TOKEN", "CONSOLE_URL"
SEALED = "SEALED_REFRESH_TOKEN"
View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class SnippetValue:
    """One line of the file: `name` is the variable, `label` is for people."""

    name: str
    label: str
    value: str = field(repr=False)
    multiline: bool = False


def list_secret_values(connector: Connector, secret: str) -> list[SnippetValue]:
    """The three strings that a new connector's program needs."""
    return [
        SnippetValue(ID, _("Connector ID"), str(connector.pk)),
        SnippetValue(SECRET, _("Connector secret"), secret),
        SnippetValue(URL, _("Address of the console"), settings.CONSOLE_BASE_URL),
    ]


def list_handoff_values(handoff: Handoff, refresh_token: str) -> list[SnippetValue]:
    """What a program needs for one group, besides the connector's secret, which nobody can read here any more."""
    if handoff.is_sealed_to_key:
        token = SnippetValue(SEALED, _("Sealed refresh token"), refresh_token, multiline=True)
    else:
        token = SnippetValue(REFRESH_TOKEN, _("Refresh token"), refresh_token)
    return [
        token,
        SnippetValue(ID, _("Connector ID"), str(handoff.connector_id)),
        SnippetValue(URL, _("Address of the console"), settings.CONSOLE_BASE_URL),
    ]


def get_file_name(*names: str) -> str:
    """A file name, without ending, that any system takes: `shift-bot-pune-depot`."""
    return "-".join(filter(None, (slugify(name)[:40].strip("-") for name in names))) or "connector"


def to_env(values: Sequence[SnippetValue]) -> str:
    """Lines that a POSIX shell and the usual dotenv readers take alike."""
    return "".join(f'{row.name}="{_escape(row.value)}"\n' for row in values)


def to_json(values: Sequence[SnippetValue]) -> str:
    """The same as one JSON object."""
    return json.dumps({row.name: row.value for row in values}, indent=2) + "\n"


def to_download(values: Sequence[SnippetValue], *, kind: str, name: str) -> HttpResponse:
    """The file, `env` or else `json`, which no cache keeps."""
    if kind == "env":
        response = HttpResponse(to_env(values), content_type="text/plain; charset=utf-8")
    else:
        response = HttpResponse(to_json(values), content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{"env" if kind == "env" else "json"}"'
    add_never_cache_headers(response)
    return response


def get_exchange_command(connector: Connector, refresh_token: str | None = None) -> str:
    """Trades the refresh token for an access token (wire protocol §4); answers 200 when pasted as it is.

    The secret is read from the environment: it is not known here any more. Without a token, that is too.
    """
    return _curl(
        f"{settings.CONSOLE_BASE_URL}/v1/accessToken",
        f"applicationId: {connector.pk}",
        f"applicationSecret: ${SECRET}",
        f"refreshToken: {refresh_token or f'${REFRESH_TOKEN}'}",
    )


def get_claim_command(handoff: Handoff) -> str:
    """Lets the program itself take this handoff; sent again as it was, it gets the same answer for some minutes."""
    return _curl(
        f"{settings.CONSOLE_BASE_URL}/v1/handoffs/claim",
        f"applicationId: {handoff.connector_id}",
        f"applicationSecret: ${SECRET}",
        "Idempotency-Key: $(openssl rand -hex 16)",
        data=f'{{"handoffId": "{handoff.pk}"}}',
    )


def get_open_command() -> str:
    """Opens a sealed refresh token with the private key, a PEM or a JWK file, and keeps it in a variable of the shell.

    Written for jwcrypto, which is no part of this console; a test runs it.
    """
    program = """
import sys; from jwcrypto import jwe, jwk
k = open(sys.argv[1], "rb").read()
k = jwk.JWK.from_pem(k) if k.startswith(b"-") else jwk.JWK.from_json(k)
t = jwe.JWE(); t.deserialize(sys.argv[2], k); print(t.payload.decode())
"""
    return f"{REFRESH_TOKEN}=$(python3 -c '{program}' private-key.pem \"${SEALED}\")"


def _curl(url: str, *headers: str, data: str = "") -> str:
    lines = [f"curl {quote_url(url)}", *(f'  -H "{header}"' for header in headers)]
    if data:
        lines.append(f"  -d '{data}'")
    return " \\\n".join(lines)


def quote_url(url: str) -> str:
    """An address as a POSIX shell, and curl behind it, take it."""
    return url if re.fullmatch(r"[A-Za-z0-9:/._\[\]-]+", url) and "[" not in url else f'"{url}"'


def _escape(value: str) -> str:
    return re.sub(r'([\\"$`])', r"\\\1", value)


@dataclass(frozen=True, slots=True)
class OneTimeSecretPage:
    """One kind of page with one subject: how its credential is laid out, and where its buttons lead."""

    subject: models.Model
    template: str
    values: Callable[[str], list[SnippetValue]]
    file: str
    download_url: str
    done_url: str
    after_url: str
    finished: str
    gone: str
    context: Callable[[str], dict[str, Any]] = field(default=lambda token: {})
    line_of: UUID | None = None  # the handoff whose line goes on under the credential


# What is shown -------------------------------------------------------------------------------------------------------


def describe_connector(connector: Connector) -> OneTimeSecretPage:
    """A new connector's ID and secret."""
    return OneTimeSecretPage(
        subject=connector,
        template="connectors/created.html",
        values=lambda token: list_secret_values(connector, token),
        file=get_file_name(connector.name),
        download_url=reverse("connectors:connector_download", args=[connector.pk]),
        done_url=reverse("connectors:connector_done", args=[connector.pk]),
        after_url=reverse("connectors:details", args=[connector.pk]),
        finished=_("“%(name)s” is ready. Its secret is not shown again.") % {"name": connector.name},
        gone=_secret_gone(),
        context=lambda token: {
            "connector": connector,
            "exchange": get_exchange_command(connector),
            "secret": connectors.get_secret_to_end_next(connector),
        },
    )


def describe_secret(secret: ConnectorSecret) -> OneTimeSecretPage:
    """A further secret of a connector."""
    connector = secret.connector
    return OneTimeSecretPage(
        subject=secret,
        template="connectors/secret_added.html",
        values=lambda token: list_secret_values(connector, token),
        file=get_file_name(connector.name),
        download_url=reverse("connectors:secret_download", args=[connector.pk, secret.pk]),
        done_url=reverse("connectors:secret_done", args=[connector.pk, secret.pk]),
        after_url=reverse("connectors:credentials", args=[connector.pk]),
        finished=_("The new secret of “%(name)s” is not shown again.") % {"name": connector.name},
        gone=_secret_gone(),
        context=lambda token: {"connector": connector, "secret": secret},
    )


def describe_handoff(handoff: Handoff) -> OneTimeSecretPage:
    """A claimed refresh token, with the line that trades it for an access token."""
    connector, sealed = handoff.connector, handoff.is_sealed_to_key
    file = get_file_name(connector.name, handoff.grant.target_name)
    return OneTimeSecretPage(
        subject=handoff,
        template="connectors/claimed_sealed.html" if sealed else "connectors/claimed.html",
        values=lambda token: list_handoff_values(handoff, token),
        file=file,
        download_url=reverse("connectors:handoff_download", args=[handoff.pk]),
        done_url=reverse("connectors:handoff_done", args=[handoff.pk]),
        after_url=reverse("connectors:handoff", args=[handoff.pk]),
        finished=_("Saved? We’ve deleted our copy of the refresh token for “%(group)s”.")
        % {"group": handoff.grant.target_name},
        gone=_("The refresh token is not shown again. If it is lost, regenerate it."),
        context=lambda token: {
            "handoff": handoff,
            "connector": connector,
            "env_file": f"{file if sealed else get_file_name(connector.name)}.env",
            "exchange": get_exchange_command(connector, None if sealed else token),
            "open_line": get_open_command(),
        },
        line_of=handoff.pk,
    )


def _secret_gone() -> str:
    return _("The secret is not shown again. If it is lost, add another one and revoke this one.")


# The pages -----------------------------------------------------------------------------------------------------------


@sensitive_variables("idempotency_key")
def require_reauthentication_once(request: HttpRequest, idempotency_key: str) -> None:
    """Asks for a fresh confirmation, but not of a form that was confirmed and sent before: it shows the same again."""
    if one_time_secrets.find(user=user_of(request), idempotency_key=idempotency_key) is None:
        require_reauthentication(request)


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


@sensitive_variables("token")
def download(request: HttpRequest, showing: OneTimeSecretPage) -> HttpResponse:
    token = _recall(request, showing)
    if token is None:
        messages.warning(request, showing.gone)
        return redirect(showing.after_url)
    _note_viewed(request, showing, token)
    return to_download(showing.values(token), kind=request.POST.get("kind", ""), name=showing.file)


@sensitive_variables("token")
def done(request: HttpRequest, showing: OneTimeSecretPage) -> HttpResponse:
    """Twice is once: the second click finds nothing to end, and leads to the same page."""
    token = _recall(request, showing)
    if token is not None:
        if "stored" not in request.POST:
            _note_viewed(request, showing, token)
            error = _("Store it first, then select “I have stored it”.")
            return page(request, showing, token, request.POST["idempotency_key"], error)
        one_time_secrets.done(user=user_of(request), idempotency_key=request.POST["idempotency_key"])
        messages.success(request, showing.finished)
    return redirect(showing.after_url)


def make_buttons(describe: Callable[..., OneTimeSecretPage]) -> tuple[View, View]:
    """Returns the views of "Download" and "Done"; `describe` finds the page by the account and the address's ids."""

    def make_button(answer: Callable[[HttpRequest, OneTimeSecretPage], HttpResponse]) -> View:
        @sensitive_post_parameters("idempotency_key")
        @require_POST
        @signed_in
        def press(request: HttpRequest, **ids: Any) -> HttpResponse:
            return answer(request, describe(user_of(request), **ids))

        return press

    return make_button(download), make_button(done)


connector_download, connector_done = make_buttons(
    lambda user, connector_id: describe_connector(connectors.get_own_connector(user, connector_id))
)
secret_download, secret_done = make_buttons(
    lambda user, connector_id, secret_id: describe_secret(connectors.get_own_secret(user, connector_id, secret_id))
)
handoff_download, handoff_done = make_buttons(
    lambda user, handoff_id: describe_handoff(handoff_queries.get_own_handoff(user, handoff_id))
)


@sensitive_variables("token")
def _note_viewed(request: HttpRequest, showing: OneTimeSecretPage, token: str) -> None:
    """A further look at a secret is an event of its own; what happens to a token is told by its handoff."""
    if isinstance(showing.subject, Connector | ConnectorSecret):
        subject = showing.subject
        connector = subject if isinstance(subject, Connector) else subject.connector
        secrets.note_viewed(connector=connector, token=token, by=user_of(request))


@sensitive_variables()
def _recall(request: HttpRequest, showing: OneTimeSecretPage) -> str | None:
    return one_time_secrets.recall(
        user=user_of(request), idempotency_key=request.POST.get("idempotency_key", ""), subject=showing.subject
    )
