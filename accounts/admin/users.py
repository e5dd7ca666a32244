"""Accounts on the operators' pages: everything can be looked up, nothing secret is shown, services make changes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.validators import URLValidator
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import ReadOnlyAdmin, carry_out, confirmed_act, get_operator
from accounts.admin.site import site
from accounts.audit.events import EventType
from accounts.audit.sentences import sentence
from accounts.models import (
    AuditCheckpoint,
    AuditEvent,
    AuthenticatorApp,
    Notice,
    Organisation,
    Person,
    PersonName,
    PinDevice,
    SandboxSms,
    Session,
    SmsMessage,
    User,
    VerifiedPhone,
)
from accounts.services import credential_hold, notifications, organisations, phones, pins, totp, users
from kaizala_console.lib import phone_numbers
from kaizala_console.lib.errors import RuleBroken


def _e164(term: str) -> str | None:
    try:
        return phone_numbers.parse(term)
    except RuleBroken:
        return None


class OrganisationForm(forms.ModelForm):
    """The shape of what the service then decides."""

    moved_to = forms.URLField(
        label=_("Moved to"),
        required=False,
        assume_scheme="https",
        validators=[URLValidator(schemes=["https"], message=_("The new address must begin with https://."))],
        help_text=_("When set, programs are sent to this address with 308."),
    )

    class Meta:
        model = Organisation
        fields = ["name", "moved_to"]


class MaskedNumber(ReadOnlyAdmin):
    """Shows the `number` of a row so that it cannot be dialled; a whole number still finds its row."""

    readonly_fields = ["masked_number"]

    @admin.display(description=_("phone number"))
    def masked_number(self, row: Any) -> str:
        return phone_numbers.mask(row.number)


@admin.register(Organisation, site=site)
class OrganisationAdmin(ReadOnlyAdmin):
    """The one thing that is edited here: a name that people know, and where its programs are sent."""

    form = OrganisationForm
    list_display = ["name", "entra_tenant_id", "admins_may_see_tokens", "moved_to", "created_at"]
    search_fields = ["name", "entra_tenant_id"]
    ordering = ["name"]  # there are few
    fields = ["name", "moved_to", "entra_tenant_id", "admins_may_see_tokens", "created_at"]
    readonly_fields = ["entra_tenant_id", "admins_may_see_tokens", "created_at"]

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return True

    def save_model(self, request: HttpRequest, obj: Organisation, form: forms.ModelForm, change: bool) -> None:
        organisations.rename_or_move(
            organisation=obj,
            name=form.cleaned_data["name"],
            moved_to=form.cleaned_data["moved_to"],
            by=get_operator(request),
        )


@admin.register(User, site=site)
class UserAdmin(ReadOnlyAdmin):
    list_display = ["name", "email", "organisation", "is_organisation_admin", "is_staff", "is_active", "last_login"]
    list_filter = ["is_active", "is_staff", "is_organisation_admin", "organisation"]
    list_select_related = ["organisation"]
    search_fields = ["name", "email", "subject"]
    fields = [
        "name",
        "email",
        "subject",
        "organisation",
        "is_organisation_admin",
        "is_staff",
        "is_active",
        "credentials_locked_until",
        "created_at",
        "last_login",
    ]
    readonly_fields = ["created_at"]
    actions = [
        "make_organisation_admin",
        "end_organisation_admin",
        "make_operator",
        "end_operator",
        "activate",
        "unlock_credentials",
    ]

    make_organisation_admin = confirmed_act(
        lambda row, by: users.set_roles(user=row, is_organisation_admin=True, by=by),
        label=_("Make organisation admin"),
        says=_("They can manage all groups in their organisation."),
    )
    end_organisation_admin = confirmed_act(
        lambda row, by: users.set_roles(user=row, is_organisation_admin=False, by=by),
        label=_("Remove as organisation admin"),
        says=_("They stay admins of their own groups. Their user tokens lose access to all others."),
    )
    make_operator = confirmed_act(
        lambda row, by: users.set_roles(user=row, is_staff=True, by=by),
        label=_("Make operator"),
        says=_("They can use these pages once they set up an authenticator app."),
    )
    end_operator = confirmed_act(
        lambda row, by: users.set_roles(user=row, is_staff=False, by=by),
        label=_("Remove as operator"),
        says=_("They can no longer use these pages."),
    )
    activate = confirmed_act(
        lambda row, by: users.activate(user=row, by=by),
        label=_("Activate"),
        says=_("They can sign in again, and their user tokens work again."),
    )
    unlock_credentials = confirmed_act(
        lambda row, by: credential_hold.lift(user=row, by=by),
        label=_("Unlock credentials"),
        says=_("They can create and view credentials right away."),
    )


@admin.register(Person, site=site)
class PersonAdmin(MaskedNumber):
    list_display = ["masked_number", "provisioned_at", "created_at"]
    list_filter = [("provisioned_at", admin.EmptyFieldListFilter)]
    search_fields = ["names__name", "number__exact"]
    search_help_text = _("Name, or full phone number with +.")
    exclude = ["number"]


@admin.register(PersonName, site=site)
class PersonNameAdmin(ReadOnlyAdmin):
    list_display = ["name", "organisation", "person"]
    list_select_related = ["organisation", "person"]
    search_fields = ["name", "person__number__exact"]
    search_help_text = _("Name, or full phone number with +.")


@admin.register(VerifiedPhone, site=site)
class VerifiedPhoneAdmin(ReadOnlyAdmin):
    list_display = ["user", "masked_number", "is_primary", "verified_at", "released_at"]
    list_filter = [("released_at", admin.EmptyFieldListFilter)]
    list_select_related = ["user", "person"]
    search_fields = ["user__name", "user__email", "person__number__exact"]
    fields = ["user", "person", "masked_number", "is_primary", "verified_at", "released_at"]
    readonly_fields = ["masked_number"]
    actions = ["release"]

    @admin.display(description=_("phone number"))
    def masked_number(self, row: VerifiedPhone) -> str:
        return phone_numbers.mask(row.person.number)

    release = confirmed_act(
        lambda row, by: phones.release(phone=row, by=by),
        label=_("Remove number"),
        says=_("The account no longer sees the groups of this number. They can verify it again."),
        describe=lambda row: f"{row.user.name}: {phone_numbers.mask(row.person.number)}",
    )


@admin.register(Session, site=site)
class SessionAdmin(ReadOnlyAdmin):
    """Who is signed in. What is in a session is nowhere to be seen."""

    list_display = ["user", "expire_date"]
    list_select_related = ["user"]
    search_fields = ["user__name", "user__email"]
    fields = ["user", "expire_date"]


@admin.register(PinDevice, site=site)
class PinDeviceAdmin(MaskedNumber):
    """What became of a PIN, for somebody who calls for help. The PIN itself is nowhere."""

    list_display = ["user", "masked_number", "purpose", "sent_at", "valid_until", "tries", "used_at", "superseded_at"]
    list_filter = ["purpose", ("used_at", admin.EmptyFieldListFilter)]
    list_select_related = ["user"]
    search_fields = ["user__name", "user__email", "number__exact"]
    fields = ["user", "masked_number", "purpose", "sent_at", "valid_until", "tries", "used_at", "superseded_at"]


@admin.register(SmsMessage, site=site)
class SmsMessageAdmin(ReadOnlyAdmin):
    """The log of what was sent, by which the limits count."""

    list_display = ["created_at", "user", "masked_number", "purpose", "status", "error", "gateway", "client_address"]
    list_filter = ["status", "gateway", "purpose", "country_prefix"]
    list_select_related = ["user"]
    search_fields = ["user__name", "user__email", "client_address__exact", "reference__exact"]
    search_help_text = _("Name, e-mail or IP address, gateway reference, or full phone number with +.")
    exclude = ["number_tag"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[SmsMessage], search_term: str
    ) -> tuple[QuerySet[SmsMessage], bool]:
        """Also by a whole number, of which only a tag is kept."""
        number = _e164(search_term)
        if number is not None:
            return queryset.filter(number_tag=pins.number_tag(number)), False
        return super().get_search_results(request, queryset, search_term)


@admin.register(SandboxSms, site=site)
class SandboxSmsAdmin(MaskedNumber):
    """Without the texts: they hold PINs, and the sandbox shows them at /sandbox/sms."""

    list_display = ["sent_at", "masked_number"]
    search_fields = ["number__exact"]
    search_help_text = _("Full phone number with +.")
    fields = ["sent_at", "masked_number"]


@admin.register(Notice, site=site)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = [
        "created_at",
        "user",
        "masked_number",
        "template",
        "attempts",
        "next_attempt_at",
        "sent_at",
        "gave_up_at",
        "last_error",
    ]
    list_filter = [
        ("sent_at", admin.EmptyFieldListFilter),
        ("gave_up_at", admin.EmptyFieldListFilter),
        "template",
    ]
    list_select_related = ["user"]
    search_fields = ["user__name", "user__email", "key", "id__exact"]
    exclude = ["number"]
    readonly_fields = ["masked_number"]
    actions = ["send_again"]

    @admin.display(description=_("by SMS to"))
    def masked_number(self, row: Notice) -> str:
        return phone_numbers.mask(row.number) if row.number else ""

    @admin.action(description=_("Resend failed"))
    def send_again(self, request: HttpRequest, rows: QuerySet[Notice]) -> None:
        by, chosen = get_operator(request), list(rows.select_related("user__organisation"))
        carry_out(request, chosen, lambda row: notifications.send_again(notice=row, by=by))


class EventTypeFilter(admin.SimpleListFilter):
    """By what happened; the choices come from the code, not from a walk over the table."""

    title = _("event")
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted((tag.value, tag.value) for tag in EventType)

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        return queryset.filter(tag=self.value()) if self.value() else queryset


@admin.register(AuditEvent, site=site)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["at", "said", "actor_name", "organisation", "client_address", "request_id"]
    list_filter = [EventTypeFilter, "actor_kind"]
    exclude = ["mac"]
    list_select_related = ["organisation"]
    search_fields = [
        "actor_name",
        "actor_id__exact",
        "subject_id__exact",
        "connector_id__exact",
        "group_id__exact",
        "person_id__exact",
        "request_id__exact",
        "client_address__exact",
    ]
    search_help_text = _("Name, object ID, request ID or IP address.")

    @admin.display(description=_("what happened"))
    def said(self, row: AuditEvent) -> str:
        return sentence(row)


@admin.register(AuditCheckpoint, site=site)
class AuditCheckpointAdmin(ReadOnlyAdmin):
    """How far the chain goes. `python manage.py verify_audit` says whether it still holds."""

    list_display = ["position", "hash", "key_id", "signed_at"]
    exclude = ["mac"]


@admin.register(AuthenticatorApp, site=site)
class AuthenticatorAppAdmin(ReadOnlyAdmin):
    """The key is nowhere to be seen: whoever had it could make the codes."""

    list_display = ["user", "confirmed", "created_at", "last_used_at", "throttling_failure_count"]
    list_filter = ["confirmed"]
    list_select_related = ["user"]
    search_fields = ["user__name", "user__email"]
    fields = ["user", "confirmed", "created_at", "last_used_at", "throttling_failure_count"]
    actions = ["remove"]

    remove = confirmed_act(
        lambda row, by: totp.remove(user=row.user, by=by),
        label=_("Remove authenticator app"),
        says=_("They set up a new one at their next confirmation. First check that they asked for it."),
        describe=lambda row: row.user.name,
        is_final=True,
        typed=lambda row: row.user.name,
    )
