"""Pages that follow along: htmx asks for a part again every few seconds, with the ETag of what it shows.

    etag = live.etag(user.pk, handoffs.get_handoff_version(handoff_id))
    if unchanged := live.unchanged(request, etag):
        return unchanged
    context = {..., **live.follow(here, etag)}

While nothing has changed the answer is 304: it costs what is compared, and nothing on the screen is touched. Else it is
the page, of which the part is taken (templates/live/follows.html).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.contrib import messages
from django.contrib.messages.storage.base import BaseStorage
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified

from kaizala_console.lib import crypto

# htmx stops asking when it gets this status, and takes what comes with it like any answer.
ASK_NO_MORE: Final = 286


def etag(*things: object) -> str:
    """Return the ETag of what a part is drawn from, which must look the same (`repr`) as long as nothing changed.

    Keyed, so that a 304 confirms nothing to who guesses; one of `things` is the reader's key.
    """
    return f'"{crypto.hmac_tag("live-etag", repr(things)).hex()[:32]}"'


def is_poll(request: HttpRequest) -> bool:
    """Whether an open page asks by itself."""
    headers = request.headers
    return request.method == "GET" and headers.get("HX-Request") == "true" and "If-None-Match" in headers


def unchanged(request: HttpRequest, etag: str) -> HttpResponse | None:
    """Return the 304 for a poll that has exactly this ETag; else None. `*` is no ETag: it would match before access."""
    has_it = is_poll(request) and request.headers["If-None-Match"] == etag
    return HttpResponseNotModified() if has_it else None


def follow(path: str, etag: str) -> dict[str, Any]:
    """Return what `live/follows.html` needs to ask at `path`, which shows the same part."""
    return {"asks_at": path, "asks_with": json.dumps({"If-None-Match": etag})}


def ask_no_more() -> HttpResponse:
    """Return what ends the asking of a page that may not know any more, and leaves it as it is."""
    return HttpResponse(status=ASK_NO_MORE, headers={"HX-Reswap": "none"})


def polled(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Keep what waits to be said to the person for a page that they open themselves."""

    @wraps(view)
    def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if is_poll(request):
            waiting = messages.get_messages(request)
            if isinstance(waiting, BaseStorage):
                waiting.used = False
        return response

    return asked
