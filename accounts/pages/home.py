"""Home: what needs this person now. Until a phone number is verified, that is the only thing."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_safe

from accounts import needs, queries, trail
from accounts.pages import activity
from accounts.pages.decorators import signed_in, user_of
from accounts.pages.phones import add_url, phone_form

LATELY = 5


@require_safe
def root(request: HttpRequest) -> HttpResponseRedirect:
    """The bare address leads to Home, and Home to the sign-in."""
    return redirect("accounts:home")


@require_GET
@signed_in
def home(request: HttpRequest) -> HttpResponse:
    """The cards of what waits, and the latest of what happened."""
    user = user_of(request)
    if queries.primary_person(user) is None:
        return render(request, "accounts/home_first.html", {"form": phone_form(request), "action": add_url(request)})
    events = activity.rows(trail.visible_to(user).order_by("-id")[:LATELY])
    return render(request, "accounts/home.html", {"needs": needs.needs_of(user), "events": events})
