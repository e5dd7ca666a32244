"""Home: what needs this person now. Until a phone number is verified, that is the only thing."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST, require_safe

from accounts import policies, queries
from accounts.audit import queries as audit_queries
from accounts.models import PinDevice
from accounts.services import users as onboarding_services
from accounts.views import timeline
from accounts.views.decorators import signed_in, user_of
from accounts.views.phones import add_url, phone_form, pin_url
from kaizala_console.dashboard import onboarding
from kaizala_console.dashboard.activity import audit_scope
from kaizala_console.dashboard.links import Link
from kaizala_console.dashboard.onboarding import OnboardingPath
from kaizala_console.dashboard.pending_actions import PendingAction, pending_actions
from kaizala_console.lib import live, phone_numbers

LATELY = 5


@require_safe
def root(request: HttpRequest) -> HttpResponseRedirect:
    """The bare address leads to Home, and Home to the sign-in."""
    return redirect("home")


@require_GET
@signed_in
@live.polled
def home(request: HttpRequest) -> HttpResponse:
    """What waits and where to begin, and the latest of what happened. An open page follows along."""
    user = user_of(request)
    if queries.primary_person(user) is None:
        waiting = queries.open_pin(user, PinDevice.Purpose.VERIFY)
        words = {
            "form": phone_form(request),
            "action": add_url(request),
            "pin_url": waiting and pin_url(request, waiting),
            "pin_number": waiting and phone_numbers.display_unbroken(waiting.number),
        }
        return render(request, "dashboard/home_first.html", words)
    events = audit_queries.get_page(audit_scope(user), size=LATELY).events
    pending, path = pending_actions(request, user), onboarding.get_path(user)
    etag = live.etag(
        user.pk,
        [(str(action.title), str(action.text), action.href) for action in pending],
        path and path.done_count,
        [event.pk for event in events],
    )
    if unchanged := live.unchanged(request, etag):
        return unchanged
    words = {
        **live.follow(request.path, etag),
        "says": pending[0].title if pending else "",
        "pending_actions": pending,
        "path": path,
        "step_links": _step_links(path, pending),
        "quick_actions": [] if path else onboarding.links_to_connectors(onboarding.list_own_groups(user)),
        "events": timeline.rows(events),
        "locked_until": policies.credential_hold_end(user),
    }
    return render(request, "dashboard/home.html", words)


@require_POST
@signed_in
def dismiss_onboarding(request: HttpRequest) -> HttpResponse:
    """Home is tidied up; the message says where the onboarding steps are."""
    onboarding_services.dismiss_onboarding(user=user_of(request))
    words = _("Dismissed. You’ll find the first steps in {help}.")
    messages.info(request, format_html(words, help=format_html('<a href="{}">{}</a>', reverse("help"), _("Help"))))
    return redirect("home")


@require_POST
@signed_in
def restore_onboarding(request: HttpRequest) -> HttpResponse:
    """Leads to Home, where they are, or where it says that they are all done."""
    user = user_of(request)
    onboarding_services.restore_onboarding(user=user)
    path = onboarding.get_path(user)
    if path is None or path.next_step is None:
        messages.success(request, _("You’re all set up."))
    return redirect("home")


def _step_links(path: OnboardingPath | None, pending: list[PendingAction]) -> list[Link]:
    """The buttons of the step that is next, but for what waits above with a button of its own."""
    step = path.next_step if path else None
    above = {action.href for action in pending}
    return [link for link in step.links if link.href not in above] if step else []
