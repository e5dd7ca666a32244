"""What a developer takes away: a `.env` or JSON file, and lines to paste into a shell.

Values are quoted for the shell that will read them: a name that a person typed never becomes a command.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.http import HttpResponse
from django.utils.cache import add_never_cache_headers
from django.utils.text import slugify
from django.utils.translation import gettext as _

from connectors.models import Connector, Handoff

ID, SECRET, REFRESH_TOKEN, URL = "CONNECTOR_ID", "CONNECTOR_SECRET", "REFRESH_TOKEN", "CONSOLE_URL"
SEALED = "SEALED_REFRESH_TOKEN"


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
    return "".join(f'{row.name}="{_escaped(row.value)}"\n' for row in values)


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


def _escaped(value: str) -> str:
    return re.sub(r'([\\"$`])', r"\\\1", value)
