"""What stands in for Office365 and for people's phones while the console is a sandbox. Not there in production."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.providers.base.constants import AuthProcess
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accounts import sandbox
from accounts.models import SandboxSms
from accounts.views.forms import IdentityForm
from kaizala_console.lib import clock, phone_numbers

View = Callable[..., HttpResponse]
SHOWN_SMS = 50


def sandbox_only(view: View) -> View:
    """Answers as if there were no such page, unless this is a sandbox; looks on each request, not only in urls.py."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.SANDBOX:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


@sandbox_only
@require_GET
def authenticate(request: HttpRequest) -> HttpResponseRedirect:
    """Stands at the address of the dummy provider's own form, which shows raw fields; leads to the identity page."""
    query = urlencode({"state": request.GET.get("state", "")})
    return HttpResponseRedirect(f"{reverse('accounts:identities')}?{query}")


@sandbox_only
@require_http_methods(["GET", "POST"])
@never_cache
def identities(request: HttpRequest) -> HttpResponse:
    """Asks who one wants to be, and signs that identity in through allauth, as one of Office365 would be."""
    chosen = sandbox.BY_KEY.get(request.POST.get("identity", ""))
    form = IdentityForm(request.POST if request.method == "POST" and chosen is None else None)
    if chosen is not None:
        return _sign_in(request, oid=chosen.oid, name=chosen.name, email=chosen.email)
    if form.is_valid():
        email = form.cleaned_data["email"].lower()
        oid = str(uuid5(NAMESPACE_URL, f"mailto:{email}"))
        return _sign_in(request, oid=oid, name=form.cleaned_data["name"], email=email)
    people = [
        {"identity": identity, "number": phone_numbers.display_unbroken(identity.number)}
        for identity in sandbox.IDENTITIES
    ]
    status = 400 if form.is_bound else 200
    words = {"people": people, "form": form, "organisation": sandbox.ORGANISATION_NAME}
    return render(request, "sandbox/identities.html", words, status=status)


def _sign_in(request: HttpRequest, *, oid: str, name: str, email: str) -> HttpResponse:
    """`id`, `tid` and `oid` are what the adapter identifies people by, for Office365 as well."""
    provider = get_adapter().get_provider(request, "dummy")
    claims = {
        "id": f"{sandbox.TENANT_ID}:{oid}",
        "tid": sandbox.TENANT_ID,
        "oid": oid,
        "name": name,
        "email": email,
        "auth_time": int(clock.now().timestamp()),
    }
    login = provider.sociallogin_from_response(request, claims)
    try:
        login.state = provider.unstash_redirect_state(request, request.GET.get("state", ""))
    except PermissionDenied:
        # The page was opened directly, or its button pressed twice. Nothing hangs on the state here: the form has a
        # CSRF token, and there is no other server whose answer could be forged.
        login.state = {"process": AuthProcess.LOGIN, "next": reverse("home")}
    return complete_social_login(request, login)


@sandbox_only
@require_GET
@never_cache
def sms(request: HttpRequest) -> HttpResponse:
    """The inbox: what would have gone out by SMS, the newest first."""
    rows = list(SandboxSms.objects.order_by("-id")[:SHOWN_SMS])
    newest = str(rows[0].pk) if rows else "0"
    if request.GET.get("seen") == newest:  # the page asks every few seconds: nothing new, nothing moves under the hand
        return HttpResponse(status=204)
    messages = [
        {"sms": row, "number": phone_numbers.display_unbroken(row.number), "pin": _find_pin(row.text)} for row in rows
    ]
    return render(request, "sandbox/sms.html", {"inbox": messages, "newest": newest})


def _find_pin(text: str) -> str:
    found = re.search(rf"\b\d{{{settings.PIN_DIGITS}}}\b", text)
    return found.group() if found else ""
