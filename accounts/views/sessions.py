"""Where one is signed in: see it, end it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST
from ua_parser import parse

from accounts.services import sessions as services
from accounts.views.decorators import signed_in, user_of


@require_GET
@signed_in
def sessions(request: HttpRequest) -> HttpResponse:
    """One row a browser, this one first."""
    found = services.list_sessions(user_of(request), request.session)
    words = {
        "sessions": [{"session": each, "device": describe_device(each.user_agent)} for each in found[: services.MOST]],
        "are_more": len(found) > services.MOST,
        "others": sum(not each.is_current for each in found),
        "crumbs": [
            {"label": _("Settings"), "url": reverse("accounts:settings")},
            {"label": _("Sessions"), "url": ""},
        ],
    }
    return render(request, "accounts/sessions.html", words)


@require_POST
@signed_in(button_label=gettext_lazy("Sign out"))
def end(request: HttpRequest, session_id: str) -> HttpResponse:
    user = user_of(request)
    services.end(user=user, session_id=session_id, by=user)
    messages.success(request, _("Session ended."))
    return redirect("accounts:sessions")


@require_POST
@signed_in(button_label=gettext_lazy("Sign out everywhere else"))
def end_others(request: HttpRequest) -> HttpResponse:
    user = user_of(request)
    count = services.end_others(user=user, keep=request.session, by=user)
    text = ngettext("Ended %(count)d other session.", "Ended %(count)d other sessions.", count)
    messages.success(request, text % {"count": count})
    return redirect("accounts:sessions")


def describe_device(user_agent: str) -> str:
    """Browser and system in words: "Firefox on Android"."""
    found: Any = parse(user_agent)
    browser = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("Unknown browser")
