"""Pages that notice what changes while they are open: they ask again, and say what they have seen.

A poll is the page's own address with `?seen=`: marks of what the page was drawn from. While the same marks come out,
the answer is 204, and nothing on the screen is touched. A mark is made for one reader and cannot be guessed, so that an
answer of 204 tells nobody anything that this page has not told them before: what it costs is the query of the marks.

    now = live.marks(user.pk, "handoff", queries.signs_of_handoff(handoff_id))
    if live.is_poll(request) and not live.changes(request, now):
        return live.nothing_new()
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.messages.storage.base import BaseStorage
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from kaizala_console.lib import crypto

SEEN: Final = "seen"
# htmx stops asking when it gets this status, and takes what comes with it like any answer.
ASK_NO_MORE: Final = 286
MOST: Final = 40
_PURPOSE: Final = "live-mark"
_BYTES: Final = 6
_BETWEEN: Final = "."

Marks = Mapping[str, Hashable]


@dataclass(frozen=True, slots=True)
class Changes:
    """What is there now and was not, in order; and whether something is gone."""

    new: tuple[Any, ...] = ()
    gone: bool = False

    def __bool__(self) -> bool:
        return bool(self.new) or self.gone


def marks(reader: object, subject: str, things: Iterable[Hashable]) -> Marks:
    """A mark for each of the first `MOST` things, which must look the same (`repr`) as long as nothing changed.

    `reader` is the key of the account, `subject` names the kind of page.
    """
    found: dict[str, Hashable] = {}
    for _, thing in zip(range(MOST), things, strict=False):
        found[crypto.hmac_tag(_PURPOSE, str(reader), subject, repr(thing))[:_BYTES].hex()] = thing
    return found


def is_poll(request: HttpRequest) -> bool:
    """Whether an open page asks by itself; nobody looks at what is answered until something is new."""
    return SEEN in request.GET and request.method == "GET" and request.headers.get("HX-Request") == "true"


def changes(request: HttpRequest, now: Marks) -> Changes:
    """How `now` differs from what the page that asks was drawn from."""
    seen = set(filter(None, request.GET.get(SEEN, "").split(_BETWEEN)))
    return Changes(
        new=tuple(thing for mark, thing in now.items() if mark not in seen), gone=not seen.issubset(now.keys())
    )


def address(path: str, now: Marks, **more: str) -> str:
    """Where a page that is drawn from `now` asks whether something is new."""
    return f"{path}?{urlencode({**more, SEEN: _BETWEEN.join(now)})}"


def nothing_new() -> HttpResponse:
    """What a poll is answered while nothing has changed."""
    return HttpResponse(status=204)


def ask_no_more() -> HttpResponse:
    """Ends the asking of a page that may not know any more, and leaves it as it is: somebody may be typing there."""
    return HttpResponse(status=ASK_NO_MORE, headers={"HX-Reswap": "none"})


def polled(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Keeps what waits to be said to the person for a page that they open themselves."""

    @wraps(view)
    def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if is_poll(request):
            waiting = messages.get_messages(request)
            if isinstance(waiting, BaseStorage):
                waiting.used = False
        return response

    return asked
