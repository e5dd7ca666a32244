""" "Put this away" on Home, and the way back from the help pages."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts import first_steps as paths
from accounts.services import first_steps
from accounts.views.decorators import signed_in, user_of


@require_POST
@signed_in
def put_away(request: HttpRequest) -> HttpResponse:
    """Home is tidied up; the message says where the steps are."""
    first_steps.put_away(user=user_of(request))
    words = _("Put away. You find the first steps again in {help}.")
    messages.info(request, format_html(words, help=format_html('<a href="{}">{}</a>', reverse("help"), _("Help"))))
    return redirect("accounts:home")


@require_POST
@signed_in
def bring_back(request: HttpRequest) -> HttpResponse:
    """Leads to Home, where they are, or where it says that they are all done."""
    user = user_of(request)
    first_steps.bring_back(user=user)
    path = paths.path_of(user)
    if path is None or path.next_step is None:
        messages.success(request, _("You have done all the first steps."))
    return redirect("accounts:home")
