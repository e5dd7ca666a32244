"""Settings: who one is here, one's phone numbers, and how one confirms."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from accounts import policies, queries
from accounts.models import User
from accounts.services import notifications, users
from accounts.views.decorators import signed_in, user_of
from accounts.views.forms import AS_ASKED, LanguageForm, MailForm
from kaizala_console.lib import phone_numbers


@require_GET
@signed_in
def settings(request: HttpRequest) -> HttpResponse:
    """All panels on one page: there are few, and people look for them by eye."""
    user = user_of(request)
    phones = [
        {"phone": phone, "number": phone_numbers.display_unbroken(phone.person.number)}
        for phone in queries.held_phones(user)
    ]
    words = {
        "organisation": user.organisation,
        "locked_until": policies.credential_hold_end(user),
        "phones": phones,
        "app": queries.totp_device(user),
        "may_operate": policies.may_operate(user),
        "mail_form": _mail_form(request, user),
        "language_form": LanguageForm(initial={"language": user.language or AS_ASKED}),
    }
    return render(request, "accounts/settings.html", words)


@require_POST
@signed_in(button_label=gettext_lazy("Save"))
def save_language(request: HttpRequest) -> HttpResponse:
    form = LanguageForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("This language is not available."))
        return redirect("accounts:settings")
    user = user_of(request)
    users.set_language(user=user, language=form.cleaned_data["language"])
    with translation.override(user.language or translation.get_language()):
        messages.success(request, _("Saved."))
    response = redirect("accounts:settings")
    users.set_language_cookie(response, user)
    return response


@require_POST
@signed_in(button_label=gettext_lazy("Save"))
def save_mail(request: HttpRequest) -> HttpResponse:
    notifications.set_topics(user=user_of(request), wanted=request.POST.getlist("wanted"))
    messages.success(request, _("Saved."))
    return redirect("accounts:settings")


def _mail_form(request: HttpRequest, user: User) -> MailForm:
    chosen = [topic.key for topic in notifications.TOPICS if topic.key not in user.muted_mail]
    return MailForm(initial={"wanted": chosen})
