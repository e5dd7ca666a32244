"""Home: what needs this person now. Until a phone number is verified, that is the only thing."""

from __future__ import annotations

from functools import partial

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_safe

from accounts import arrivals, first_steps, needs, policies, queries, starts
from accounts.audit import queries as trail
from accounts.models import PinDevice
from accounts.trail_sought import Sought
from accounts.views import activity, arriving, numbers
from accounts.views.decorators import signed_in, user_of
from accounts.views.phones import add_url, phone_form, pin_url
from kaizala_console.lib import live

LATELY = 5


@require_safe
def root(request: HttpRequest) -> HttpResponseRedirect:
    """The bare address leads to Home, and Home to the sign-in."""
    return redirect("accounts:home")


@require_GET
@signed_in
@live.polled
def home(request: HttpRequest) -> HttpResponse:
    """The cards of what waits and of where to begin, and the latest of what happened.

    While it is open it says when something new waits.
    """
    user, here = user_of(request), reverse("accounts:home")
    seen = live.marks(user.pk, "home", arrivals.signs_of(user))
    if live.is_poll(request):
        return arriving.answer(request, live.changes(request, seen), partial(arrivals.tell, user), here=here)
    if queries.primary_person(user) is None:
        waiting = queries.open_pin(user, PinDevice.Purpose.VERIFY)
        words = {
            "form": phone_form(request),
            "action": add_url(request),
            "pin_url": waiting and pin_url(request, waiting),
            "pin_number": waiting and numbers.shown(waiting.number),
        }
        return render(request, "accounts/home_first.html", words)
    events = activity.rows(trail.sought_page(user, Sought(), size=LATELY).events)
    waits, path = needs.needs_at(request, user), first_steps.path_of(user)
    words = {
        "asks_at": live.address(here, seen),
        "needs": waits,
        "path": path,
        "ways": _ways(path, waits),
        "starts": [] if path else starts.starts_of(user),
        "events": events,
        "locked_until": policies.locked_until(user),
    }
    return render(request, "accounts/home.html", words)


def _ways(path: first_steps.Path | None, waiting: list[needs.Need]) -> list[starts.Way]:
    """The buttons of the step that is next, but for what waits above with a button of its own."""
    step = path.next_step if path else None
    above = {need.href for need in waiting}
    return [way for way in step.ways if way.href not in above] if step else []
