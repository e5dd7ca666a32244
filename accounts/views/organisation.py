"""The organisation's page, for its admins: what they decide for everyone in it, and ways to what is theirs alone."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from accounts import policies
from accounts.services import organisations
from accounts.views.decorators import reauthentication_required, signed_in, user_of
from accounts.views.forms import PolicyForm


@require_GET
@signed_in
def organisation(request: HttpRequest) -> HttpResponse:
    """The policy as a form, and links to the pages of the apps above."""
    user = user_of(request)
    policies.require_organisation_admin(user)
    form = PolicyForm(initial={"admins_may_see_tokens": user.organisation.admins_may_see_tokens})
    return render(request, "accounts/organisation.html", {"organisation": user.organisation, "policy_form": form})


@require_POST
@reauthentication_required(button_label=gettext_lazy("Save"))
def save_policy(request: HttpRequest) -> HttpResponseRedirect:
    user = user_of(request)
    policies.require_organisation_admin(user)
    form = PolicyForm(request.POST)
    form.is_valid()  # a checkbox cannot be wrong
    organisations.change(organisation=user.organisation, by=user, **form.cleaned_data)
    name = user.organisation.name
    messages.success(request, _("Saved for all of %(organisation)s.") % {"organisation": name})
    return redirect("accounts:organisation")
