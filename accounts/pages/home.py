"""Home: what needs this person now. Until a phone number is verified, that is the only thing."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_safe

from accounts import needs, policy, queries, starts, trail
from accounts.models import PinDevice
from accounts.pages import activity, numbers
from accounts.pages.decorators import signed_in, user_of
from accounts.pages.phones import add_url, phone_form, pin_url

LATELY = 5


@require_safe
def root(request: HttpRequest) -> HttpResponseRedirect:
    """The bare address leads to Home, and Home to the sign-in."""
    return redirect("accounts:home")


@require_GET
@signed_in
def home(request: HttpRequest) -> HttpResponse:
    """The cards of what waits and of where to begin, and the latest of what happened."""
    user = user_of(request)
    if queries.primary_person(user) is None:
        waiting = queries.open_pin(user, PinDevice.Purpose.VERIFY)
        words = {
            "form": phone_form(request),
            "action": add_url(request),
            "pin_url": waiting and pin_url(request, waiting),
            "pin_number": waiting and numbers.shown(waiting.number),
        }
        return render(request, "accounts/home_first.html", words)
    events = activity.rows(trail.page(user, size=LATELY).events, with_details=False)
    words = {
        "needs": needs.needs_of(user),
        "starts": starts.starts_of(user),
        "events": events,
        "locked_until": policy.locked_until(user),
    }
    return render(request, "accounts/home.html", words)
