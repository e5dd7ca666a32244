"""Home: what needs this person now. Until a phone number is verified, that is the only thing."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_safe

from accounts import first_steps, needs, policies, queries, starts
from accounts.audit import queries as trail
from accounts.models import PinDevice
from accounts.views import activity, numbers
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

    An open page follows along.
    """
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
    events = trail.page(user, size=LATELY).events
    waits, path = needs.needs_at(request, user), first_steps.path_of(user)
    etag = live.etag(
        user.pk,
        [(str(need.title), str(need.text), need.href) for need in waits],
        path and path.done_count,
        [event.pk for event in events],
    )
    if unchanged := live.unchanged(request, etag):
        return unchanged
    words = {
        **live.follow(request.path, etag),
        "says": waits[0].title if waits else "",
        "needs": waits,
        "path": path,
        "ways": _ways(path, waits),
        "starts": [] if path else starts.starts_of(user),
        "events": activity.rows(events),
        "locked_until": policies.locked_until(user),
    }
    return render(request, "accounts/home.html", words)


def _ways(path: first_steps.Path | None, waiting: list[needs.Need]) -> list[starts.Way]:
    """The buttons of the step that is next, but for what waits above with a button of its own."""
    step = path.next_step if path else None
    above = {need.href for need in waiting}
    return [way for way in step.ways if way.href not in above] if step else []
