"""The page after signing out. Signing in is allauth's, drawn with our components (templates/account/login.html)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET


@require_GET
@never_cache
def signed_out(request: HttpRequest) -> HttpResponse:
    """Says so, and has the browser forget the pages it kept, so that the Back button shows none of them."""
    if request.user.is_authenticated:
        return redirect("home")
    response = render(request, "accounts/signed_out.html")
    response.headers["Clear-Site-Data"] = '"cache"'
    return response
