"""Whether the receiver wants to be told: it is asked once, before anything is sent (wire protocol §6, Webhooks)."""

from __future__ import annotations

import secrets
from typing import Final
from uuid import UUID

from django.utils.translation import gettext as _

from connectors.models.webhook import MOST_URL_CHARACTERS
from kaizala_console.lib import http_client, rate_limit
from kaizala_console.lib.errors import RuleBroken, TooSoon
from kaizala_console.lib.outbound_slots import outbound_slot
from kaizala_console.lib.rate_limit import Limit

SECONDS: Final = 5
FIELD: Final = "callBackUrl"
_SMALLEST: Final = 10**14  # of 15 digits
_MOST_BYTES: Final = 1024
_FAILURES_AN_HOUR: Final = 60
_HOUR: Final = 3600


def require_echo(url: str, *, connector_id: UUID) -> None:
    """GET the address with `validationToken` in its query, and see the token come back as plain text within 5 seconds.

    White space around it and a pair of double quotes are taken off: JSON frameworks of the time put them there. Raises
    RuleBroken, which tells the status but nothing of the body, so that nobody reads other sites through this console;
    TooSoon as `outbound_slot`, or when too many failed. Never inside a transaction.
    """
    if len(url) > MOST_URL_CHARACTERS or not url.isprintable() or " " in url:
        raise RuleBroken(
            _("expected an address of at most %(most)s characters that begins with https://")
            % {"most": MOST_URL_CHARACTERS},
            field=FIELD,
            code="callback_url",
        )
    failures = Limit(f"webhook-handshake:{connector_id}", _FAILURES_AN_HOUR, _HOUR)
    refusal = rate_limit.check(failures)
    if refusal is not None:
        raise TooSoon(_("Too many callback addresses could not be validated."), retry_after=refusal.retry_after)
    with outbound_slot(str(connector_id), seconds=SECONDS):
        problem = _ask(url)
        if problem:
            rate_limit.hit(failures)
            raise RuleBroken(problem, field=FIELD, code="not_validated")


def _ask(url: str) -> str:
    """What is wrong with the answer; "" when it is the token."""
    # Receivers of those years answer `JSON.parse(validationToken)`, or their query string as it came: so it is a
    # number that every JSON reader keeps whole, with nothing in it to escape (ADR 0065). One try, within 5 seconds.
    token = str(_SMALLEST + secrets.randbelow(9 * _SMALLEST))
    try:
        answer = http_client.fetch(
            "GET",
            url.partition("#")[0],
            params={"validationToken": token},
            headers={"Accept": "text/plain, */*"},
            timeout=(SECONDS, SECONDS),
            deadline=SECONDS,
            max_bytes=_MOST_BYTES,
        )
    except http_client.OutboundError as error:
        if error.reason != "too_large":
            return _("could not be validated. %(problem)s") % {"problem": error}
        return _("could not be validated. The address answered with something else than the validation token.")
    if not 200 <= answer.status < 300:
        return _("could not be validated. The address answered with status %(status)s, and expected was 200.") % {
            "status": answer.status
        }
    if _unwrapped(answer.text) != token:
        return _(
            "could not be validated. The address answered with status %(status)s, but with something else than the "
            "validation token as plain text."
        ) % {"status": answer.status}
    return ""


def _unwrapped(text: str) -> str:
    text = text.removeprefix("\ufeff").strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
