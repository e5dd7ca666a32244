""" "Sign in again": before a phone number is changed, Office365 itself is asked anew who sits there."""

from __future__ import annotations

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.base.constants import AuthProcess
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.services import reauthentication
from accounts.views.decorators import safe_path, signed_in, user_of
from kaizala_console.lib.errors import NotFound


@require_http_methods(["GET", "POST"])
@signed_in
def sign_in_again(request: HttpRequest) -> HttpResponse | HttpResponseBase:
    """One button, which leads to Office365 and back to where one came from; done already, it leads there at once."""
    back = safe_path(request.GET.get("next"), reverse("home"))
    if reauthentication.is_recent(request):
        return redirect(back)
    if request.method == "POST":
        providers = get_adapter().list_providers(request)
        if not providers:
            raise NotFound
        answer: HttpResponseBase = providers[0].redirect(
            request,
            process=AuthProcess.LOGIN,
            next_url=back,
            auth_params=dict(reauthentication.ASK_ANEW),
        )
        return answer
    words = {
        "back": back.partition("?")[0],
        "name": user_of(request).name,
        "is_unknown": reauthentication.is_unknown(request),
        "minutes": max(settings.SIGN_IN_AGAIN_SECONDS // 60, 1),
    }
    return render(request, "accounts/sign_in_again.html", words)
