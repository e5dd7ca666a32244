"""Leaked credentials: reporting one, for everybody; and the owners' answer, "Revoke" or "Restore"."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import User
from accounts.views.decorators import reauthentication_required, signed_in, user_of
from connectors.models import LeakReport
from connectors.queries import connectors
from connectors.services import leak_reports
from connectors.token_format import CredentialKind
from connectors.views import links
from connectors.views.forms import add_refusal, flash_refusals, get_posted
from kaizala_console.lib.client_address import client_address
from kaizala_console.lib.errors import NotFound, RuleBroken, TooSoon

KINDS = {
    CredentialKind.SECRET: gettext_lazy("connector secret"),
    CredentialKind.REFRESH: gettext_lazy("refresh token"),
    CredentialKind.ACCESS: gettext_lazy("access token"),
}


class _Unrepeated(forms.Textarea):
    """What was typed is never sent back."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


class ReportForm(forms.Form):
    """A credential that somebody found, or the text around it."""

    credential = forms.CharField(
        label=gettext_lazy("The credential, or the text that contains it"),
        help_text=gettext_lazy("It begins with kzcs_, kzrt_ or kzat_. We don’t store what you paste."),
        max_length=leak_reports.LONGEST_TEXT,
        error_messages={"required": gettext_lazy("Paste what you found.")},
        widget=_Unrepeated(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}),
    )
    where = forms.CharField(
        label=gettext_lazy("Where you found it"),
        required=False,
        max_length=leak_reports.LONGEST_WHERE,
        help_text=gettext_lazy("An address, file or line. The owner sees it."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class RevokeForm(forms.Form):
    """Whether what was made with a secret that leaked ends with it: yes, unless the owner says otherwise."""

    end_access_tokens = forms.BooleanField(
        label=gettext_lazy("Revoke access tokens now"),
        help_text=gettext_lazy("All access tokens of this connector stop working. Programs fetch new ones."),
        required=False,
        initial=True,
    )


@sensitive_post_parameters("credential")
@require_http_methods(["GET", "POST"])
@never_cache
@sensitive_variables("form", "text")
def report(request: HttpRequest) -> HttpResponse:
    """ "Report a leaked credential": no account is needed, and the answer is the same whatever was known."""
    form = ReportForm(get_posted(request))
    status = 400 if form.is_bound else 200
    if form.is_valid():
        text, where = form.cleaned_data["credential"], form.cleaned_data["where"]
        try:
            leak_reports.report(text=text, where=where, address=client_address(request))
        except (RuleBroken, TooSoon) as refused:
            add_refusal(form, refused)
            status = 429 if isinstance(refused, TooSoon) else 400
        else:
            return redirect(f"{reverse('connectors:leak_report')}?thanks=1")
    context = {"form": form, "thanks": not form.is_bound and "thanks" in request.GET}
    return render(request, "connectors/leak_report.html", context, status=status)


@require_GET
@signed_in
def leak(request: HttpRequest, connector_id: UUID, report_id: UUID) -> HttpResponse:
    """What was reported, what has happened since, and the two answers; for owners."""
    found = _own_report(user_of(request), connector_id, report_id)
    token = found.refresh_token
    row = found.secret or token
    prefix = CredentialKind.REFRESH if token else CredentialKind.SECRET
    context = {
        "connector": found.connector,
        "report": found,
        "kind": KINDS[CredentialKind(found.prefix)],
        "begins": f"{prefix}{row.public_part if row else ''}",
        "target": token.grant.target_name if token else "",
        "row": row,
        "ended": bool(row and row.revoked_at),
        "revoke_form": RevokeForm() if found.secret else None,
        "crumbs": links.connector_crumbs(found.connector, "credentials", here=_("Leaked credential")),
    }
    return render(request, "connectors/leak.html", context)


@require_POST
@reauthentication_required(button_label=gettext_lazy("Revoke"))
def revoke(request: HttpRequest, connector_id: UUID, report_id: UUID) -> HttpResponse:
    """ "Revoke": it has leaked indeed."""
    form = RevokeForm(request.POST)
    end_access_tokens = form.is_valid() and form.cleaned_data["end_access_tokens"]
    act = partial(leak_reports.revoke, end_access_tokens=end_access_tokens)
    return _answer(request, connector_id, report_id, act, _("Revoked."))


@require_POST
@reauthentication_required(button_label=gettext_lazy("Restore"))
def restore(request: HttpRequest, connector_id: UUID, report_id: UUID) -> HttpResponse:
    """ "Restore": it is where it should be; accept it again."""
    return _answer(request, connector_id, report_id, leak_reports.restore, _("Restored. It works again."))


def _answer(
    request: HttpRequest, connector_id: UUID, report_id: UUID, act: Callable[..., LeakReport], done: str
) -> HttpResponse:
    user = user_of(request)
    found = _own_report(user, connector_id, report_id)
    with flash_refusals(request):
        act(report=found, by=user)
        messages.success(request, done)
    return redirect("connectors:leak", connector_id, report_id)


def _own_report(user: User, connector_id: UUID, report_id: UUID) -> LeakReport:
    connector = connectors.get_own_connector(user, connector_id)
    reports = LeakReport.objects.select_related("secret__connector", "refresh_token__grant", "closed_by")
    found = reports.filter(pk=report_id, connector_id=connector.pk).first()
    if found is None:
        raise NotFound
    found.connector = connector
    if found.refresh_token is not None:
        found.refresh_token.grant.connector = connector
    return found
