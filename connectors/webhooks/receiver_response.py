"""What a receiver answered, as far as it is kept for the log. Pure. All of it is a stranger's text.

Kept are the status, the few headers that help, and how the body begins, as text without anything that a screen could
act upon. A receiver that prints what it got would have its own token, and our credentials, lie in the log: they are
taken out.
"""

from __future__ import annotations

import codecs
import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from django.utils.http import parse_http_date_safe

from connectors import token_format
from connectors.models import WebhookAttempt
from connectors.models.webhook import MOST_ANSWER_CHARACTERS

Body = WebhookAttempt.Body
# 2,000 characters of four bytes each, and room for the token that may begin in the last of them.
MOST_BYTES: Final = 4 * MOST_ANSWER_CHARACTERS + 2048
HEADERS: Final = (
    "Content-Type",
    "Content-Length",
    "Content-Encoding",
    "Location",
    "Retry-After",
    "Allow",
    "WWW-Authenticate",
    "Server",
    "Via",
    "Date",
    "X-Request-Id",
    "X-Correlation-Id",
)
MOST_HEADER_CHARACTERS: Final = 300
HIDDEN: Final = "…"
LONGEST_RETRY_AFTER: Final = dt.timedelta(days=2)  # more is no answer for a delivery that has two days in all
_SHORTEST_SECRET: Final = 4  # what is shorter is no secret, and stands in any text
_MOST_CONTROLS: Final = 0.1  # of a text; what has more of them is none
_ASKS_TO_WAIT: Final = frozenset({429, 503})
_WESTERN: Final = ("iso-8859-1", "windows-1252", "latin1")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Besides controls: what turns the direction of the text that follows, what breaks lines, and what nobody sees.
_HARMFUL: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e0fff]"
)


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """What `WebhookAttempt` keeps of an answer, in its columns; `NOTHING` when there was none."""

    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    text: str = ""


NOTHING: Final = KeptResponse()


def keep_response(
    headers: Mapping[str, str], body: bytes, *, is_whole: bool, secrets: Iterable[str] = ()
) -> KeptResponse:
    """An answer whose body begins with `body`, and ends with it if `is_whole`; without these secrets."""
    hidden = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
    shown = {
        name: _harmless(_without(hidden, headers[name])[:MOST_HEADER_CHARACTERS]).replace("\n", "␊")
        for name in HEADERS
        if name in headers
    }
    if not body:
        return KeptResponse(shown, Body.EMPTY.value if is_whole else "")
    text = _text_of(headers, body)
    if text is None:
        return KeptResponse(shown, Body.BINARY.value)
    text = _without(hidden, text.replace("\r\n", "\n").replace("\r", "\n"))
    is_all = is_whole and len(text) <= MOST_ANSWER_CHARACTERS
    return KeptResponse(shown, (Body.TEXT if is_all else Body.CUT).value, _harmless(text[:MOST_ANSWER_CHARACTERS]))


def retry_after(status: int, headers: Mapping[str, str], at: dt.datetime) -> dt.timedelta | None:
    """For how long the receiver asks to be left alone (RFC 9110 §10.2.3), at `at`; None when it does not, or in vain.

    A date counts from the answer's own `Date`, so that a clock that is wrong changes nothing. What is no number and no
    date, not to come, or longer than a delivery lives, is nonsense, and ignored.
    """
    given = headers.get("Retry-After", "").strip() if status in _ASKS_TO_WAIT else ""
    if given.isascii() and given.isdecimal():
        seconds = int(given) if len(given) < 10 else 0
    else:
        until = parse_http_date_safe(given) if given else None
        if until is None:
            return None
        now = parse_http_date_safe(headers.get("Date", ""))
        seconds = until - (int(at.timestamp()) if now is None else now)
    pause = dt.timedelta(seconds=seconds) if abs(seconds) < 10**9 else dt.timedelta()
    return pause if dt.timedelta() < pause <= LONGEST_RETRY_AFTER else None


def _text_of(headers: Mapping[str, str], body: bytes) -> str | None:
    """The body as text; None when it is none: compressed, a picture, whatever."""
    if headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        return None
    try:
        # The last character may be cut in two by the bound.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(body)
    except UnicodeDecodeError:
        kind = headers.get("Content-Type", "").lower()
        if not any(charset in kind for charset in _WESTERN):
            return None
        text = body.decode("windows-1252", "replace")
    controls = len(_CONTROLS.findall(text))
    return None if "\0" in text or controls > _MOST_CONTROLS * len(text) else text


def _without(secrets: Iterable[str], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return token_format.PATTERN.sub(HIDDEN, text)


def _harmless(text: str) -> str:
    return _HARMFUL.sub(_picture, text)


def _picture(found: re.Match[str]) -> str:
    """What stands for a character that must not act: its picture, where Unicode has one."""
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"
