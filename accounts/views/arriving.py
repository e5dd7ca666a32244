"""What a page that is open answers when it asks whether something has arrived: nothing, or one line with a button."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from accounts.arrivals import Arrival
from kaizala_console.lib import live


def answer(
    request: HttpRequest, changes: live.Changes, tell: Callable[[Any], Arrival | None], *, here: str
) -> HttpResponse:
    """For `live.is_poll`. Said once: the line leads to the page as it is then, so this one need not ask again.

    `tell` finds the words for a thing that is new; `here` is the page itself, for what has only gone.
    """
    if not changes:
        return live.nothing_new()
    told = next(filter(None, map(tell, changes.new)), None)
    if told is None:
        told = Arrival(_("Something here has changed meanwhile."), here, _("Show it as it is now"))
    context = {"words": told.words, "href": told.href, "act": told.act}
    return render(request, "live/arrival.html", context, status=live.ASK_NO_MORE)
