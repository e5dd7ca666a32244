"""Settings: who one is here, one's phone numbers, how one confirms, and what the organisation's admins decide."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from accounts import mail_topics, policies, queries
from accounts.models import User
from accounts.services import languages, notifications, organisations
from accounts.views import numbers
from accounts.views.decorators import reauthentication_required, signed_in, user_of
from accounts.views.forms import AS_ASKED, LanguageForm, MailForm, PolicyForm

SAVE = gettext_lazy("Save the rule")


def _here(**_kwargs: Any) -> str:
    return reverse("accounts:settings")


@require_GET
@signed_in
def settings(request: HttpRequest) -> HttpResponse:
    """All panels on one page: there are few, and people look for them by eye."""
    user = user_of(request)
    phones = [{"phone": phone, "number": numbers.shown(phone.person.number)} for phone in queries.held_phones(user)]
    words = {
        "organisation": user.organisation,
        "locked_until": policies.locked_until(user),
        "phones": phones,
        "app": queries.totp_device(user),
        "may_operate": policies.may_operate(user),
        "mail_form": _mail_form(request, user),
        "language_form": LanguageForm(initial={"language": user.language or AS_ASKED}),
        "policy_form": _policy_form(request, user),
    }
    return render(request, "accounts/settings.html", words)


@require_POST
@reauthentication_required(button_label=SAVE)
def save_policy(request: HttpRequest) -> HttpResponseRedirect:
    """Sets what applies to everyone in the organisation."""
    user = user_of(request)
    policies.require_organisation_admin(user)
    form = PolicyForm(request.POST)
    form.is_valid()  # a checkbox cannot be wrong
    organisations.change(organisation=user.organisation, by=user, **form.cleaned_data)
    organisation = user.organisation.name
    messages.success(request, _("Saved. It applies to all of %(organisation)s now.") % {"organisation": organisation})
    return redirect("accounts:settings")


@require_POST
@signed_in(button_label=gettext_lazy("Save the language"))
def save_language(request: HttpRequest) -> HttpResponse:
    """Sets the language that somebody reads in, here and on their other devices."""
    form = LanguageForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("The console does not speak this language."))
        return redirect("accounts:settings")
    user = user_of(request)
    languages.set_language(user=user, language=form.cleaned_data["language"])
    with translation.override(user.language or translation.get_language()):
        messages.success(request, _("Saved."))
    response = redirect("accounts:settings")
    languages.remember(response, user)
    return response


@require_POST
@signed_in(button_label=gettext_lazy("Save the choice"))
def save_mail(request: HttpRequest) -> HttpResponse:
    """Sets what somebody gets mails about."""
    notifications.choose(user=user_of(request), wanted=request.POST.getlist("wanted"))
    messages.success(request, _("Saved."))
    return redirect("accounts:settings")


def _mail_form(request: HttpRequest, user: User) -> MailForm:
    chosen = [topic.key for topic in mail_topics.topics() if topic.key not in user.muted_mail]
    return MailForm(initial={"wanted": chosen})


def _policy_form(request: HttpRequest, user: User) -> PolicyForm | None:
    if not user.is_organisation_admin:
        return None
    initial = {"admins_may_see_tokens": user.organisation.admins_may_see_tokens}
    return PolicyForm(initial=initial)
