"""Connectors on the operators' pages: everything can be looked up, nothing secret is shown, ends come from services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import ReadOnlyAdmin, ReasonForm, confirmed_act
from accounts.admin.site import site
from accounts.admin.users import UserAdmin
from accounts.models import User
from connectors import permissions
from connectors.models import (
    AccessRequest,
    AuthorizationCode,
    Bot,
    CachedToken,
    CompatibilityQuirkDay,
    Connector,
    ConnectorKey,
    ConnectorLogo,
    ConnectorSecret,
    ConnectorUsage,
    Grant,
    Handoff,
    LeakReport,
    OneTimeSecret,
    Orphan,
    RefreshToken,
    UsageDay,
    UsageHour,
    UserTokenRequest,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEvent,
)
from connectors.services import connectors, grants, owners, secrets
from connectors.views.forms import LEAKED, why_revoked
from connectors.views.usage import get_use_facts


class RevokeSecretsForm(ReasonForm):
    """Whether access tokens end with the secrets: yes, as an operator revokes what leaked."""

    why = why_revoked(initial=LEAKED)
    field_order = ("why", "reason", "typed")


def _facts_of_grants(rows: list[Grant]) -> dict[str, Any]:
    return get_use_facts(Grant.objects.filter(pk__in=[row.pk for row in rows]))


def _describe_grant(row: Grant) -> str:
    return f"{row.connector.name}: {row.target_name}"


class WithoutSecrets(ReadOnlyAdmin):
    """Leaves out what is digested or sealed, also from the page of a single row."""

    exclude = ["digest", "pepper_id", "sealed", "form_tag"]

    @admin.display(description=_("state"))
    def state(self, row: Any) -> str:
        return str(row.state)


class WithTarget(WithoutSecrets):
    """Shows what the grant of a row reaches."""

    @admin.display(description=_("target"), ordering="grant__target_name")
    def target_name(self, row: RefreshToken | Handoff) -> str:
        return row.grant.target_name


class WithPermissions(WithoutSecrets):
    """Shows a set of permissions by their names in the portal."""

    @admin.display(description=_("permissions"))
    def permission_names(self, row: Connector | Grant | AccessRequest | UserTokenRequest) -> str:
        return ", ".join(
            str(permissions.DESCRIPTIONS[permission].label)
            for permission in permissions.sort_permissions(row.permissions)
        )


@admin.register(Connector, site=site)
class ConnectorAdmin(WithPermissions):
    fields = [
        ("name", "id"),
        ("organisation", "owner", "co_owners"),
        "description",
        "home_page",
        "logo_sha256",
        "redirect_addresses",
        "permission_names",
        ("created_at", "deactivated_at", "suspended_at", "deleted_at"),
    ]
    readonly_fields = ["permission_names", "redirect_addresses"]
    list_display = ["name", "id", "owner", "organisation", "state", "created_at"]
    list_filter = [
        ("deactivated_at", admin.EmptyFieldListFilter),
        ("suspended_at", admin.EmptyFieldListFilter),
        ("deleted_at", admin.EmptyFieldListFilter),
        "organisation",
    ]
    list_select_related = ["owner", "organisation"]
    search_fields = ["name", "id__exact", "owner__name", "owner__email"]
    actions = ["suspend", "resume"]

    @admin.display(description=_("redirect URLs"))
    def redirect_addresses(self, row: Connector) -> str:
        return " ".join(row.redirect_urls)

    suspend = confirmed_act(
        lambda row, by, reason: connectors.suspend(connector=row, by=by, reason=reason),
        label=_("Suspend"),
        says=_("Every token is refused until the connector is resumed. Owners get a mail."),
        form=ReasonForm,
        facts=lambda rows: get_use_facts(Grant.objects.present().filter(connector__in=rows)),
    )
    resume = confirmed_act(
        lambda row, by, reason: connectors.resume(connector=row, by=by, reason=reason),
        label=_("Resume"),
        says=_("Existing tokens work again. Owners get a mail."),
        form=ReasonForm,
    )


@admin.register(Bot, site=site)
class BotAdmin(ReadOnlyAdmin):
    list_display = ["name", "id", "connector", "created_at", "removed_at"]
    list_select_related = ["connector"]
    search_fields = ["name", "id__exact", "connector__name", "connector__id__exact"]


@admin.register(ConnectorSecret, site=site)
class ConnectorSecretAdmin(WithoutSecrets):
    list_display = ["public_part", "connector", "slot", "created_by", "created_at", "expires_at", "revoked_at"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["connector", "created_by"]
    search_fields = ["public_part", "connector__name", "connector__id__exact"]
    actions = ["revoke"]

    revoke = confirmed_act(
        lambda row, by, why, reason: secrets.revoke(secret=row, by=by, end_access_tokens=why == LEAKED, reason=reason),
        label=_("Revoke"),
        says=_("These secrets stop working for good. Owners get a mail."),
        form=RevokeSecretsForm,
        facts=lambda rows: get_use_facts(
            Grant.objects.present().filter(connector__in={row.connector_id for row in rows}), webhooks=False
        ),
        describe=lambda row: f"{row.connector.name}: kzcs_{row.public_part}",
        is_final=True,
        typed=lambda row: row.connector.name,
    )


@admin.register(Grant, site=site)
class GrantAdmin(WithPermissions):
    list_display = [
        "connector",
        "target_name",
        "kind",
        "granted_by",
        "granted_at",
        "ends_at",
        "suspended_at",
        "revoked_at",
    ]
    list_filter = [
        "kind",
        ("suspended_at", admin.EmptyFieldListFilter),
        ("revoked_at", admin.EmptyFieldListFilter),
    ]
    list_select_related = ["connector", "granted_by"]
    search_fields = ["id__exact", "target", "target_name", "connector__name", "connector__id__exact"]
    actions = ["suspend", "resume", "revoke"]

    suspend = confirmed_act(
        lambda row, by, reason: grants.suspend(grant=row, by=by, reason=reason),
        label=_("Suspend"),
        says=_("The tokens stop working at once. Owners and admins get a mail."),
        form=ReasonForm,
        facts=_facts_of_grants,
        describe=_describe_grant,
    )
    resume = confirmed_act(
        lambda row, by, reason: grants.resume(grant=row, by=by, reason=reason),
        label=_("Resume"),
        says=_("The tokens are accepted again. Owners and admins get a mail."),
        form=ReasonForm,
        describe=_describe_grant,
    )
    revoke = confirmed_act(
        lambda row, by, reason: grants.revoke(grant=row, by=by, reason=reason),
        label=_("Remove access"),
        says=_("All tokens of this access stop working for good. Owners and admins get a mail."),
        form=ReasonForm,
        facts=_facts_of_grants,
        describe=_describe_grant,
        is_final=True,
        typed=lambda row: row.connector.name,
    )


@admin.register(RefreshToken, site=site)
class RefreshTokenAdmin(WithTarget):
    """A token ends with its grant: suspend or revoke that."""

    list_display = ["public_part", "connector", "target_name", "issued_at", "expires_at", "first_used_at", "revoked_at"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["grant", "connector"]
    search_fields = ["public_part", "grant__id__exact", "grant__connector__name", "grant__target_name"]


@admin.register(Handoff, site=site)
class HandoffAdmin(WithTarget):
    list_display = ["connector", "target_name", "state", "made_by", "made_at", "expires_at", "claimed_by", "claimed_at"]
    list_filter = [
        ("claimed_at", admin.EmptyFieldListFilter),
        ("refused_at", admin.EmptyFieldListFilter),
        ("expired_at", admin.EmptyFieldListFilter),
    ]
    list_select_related = ["connector", "grant", "made_by", "claimed_by"]
    search_fields = ["id__exact", "connector__name", "grant__target_name", "made_by__name", "claimed_by__name"]


@admin.register(OneTimeSecret, site=site)
class OneTimeSecretAdmin(WithoutSecrets):
    list_display = ["user", "subject_kind", "subject_id", "shown_at", "expires_at"]
    list_select_related = ["user"]
    search_fields = ["user__name", "subject_id"]


@admin.register(ConnectorKey, site=site)
class ConnectorKeyAdmin(ReadOnlyAdmin):
    list_display = ["fingerprint", "connector", "created_by", "created_at", "removed_by", "removed_at"]
    list_filter = [("removed_at", admin.EmptyFieldListFilter)]
    list_select_related = ["connector", "created_by", "removed_by"]
    search_fields = ["fingerprint", "connector__name", "connector__id__exact"]


@admin.register(LeakReport, site=site)
class LeakReportAdmin(WithoutSecrets):
    list_display = ["connector", "prefix", "where", "reported_at", "outcome", "closed_by", "closed_at"]
    list_filter = ["outcome", "prefix"]
    list_select_related = ["connector", "closed_by"]
    search_fields = ["id__exact", "connector__name", "where"]


@admin.register(AccessRequest, site=site)
class AccessRequestAdmin(WithPermissions):
    """What developers asked, and how it was answered."""

    fields = [
        ("connector", "kind", "id"),
        ("target", "target_name", "grant"),
        ("permission_names", "ends_at"),
        "reason",
        ("made_by", "made_at", "expires_at"),
        ("approved_at", "refused_at", "withdrawn_at", "expired_at", "decided_by"),
    ]
    readonly_fields = ["permission_names"]
    list_display = ["connector", "kind", "target_name", "state", "made_by", "made_at"]
    list_filter = ["kind", ("approved_at", admin.EmptyFieldListFilter), ("refused_at", admin.EmptyFieldListFilter)]
    list_select_related = ["connector", "made_by"]
    search_fields = ["connector__name", "target_name", "id__exact", "made_by__name"]


@admin.register(Orphan, site=site)
class OrphanAdmin(ReadOnlyAdmin):
    list_display = ["name", "kind", "organisation", "found_at", "settled_at"]
    list_filter = ["kind", ("settled_at", admin.EmptyFieldListFilter)]
    list_select_related = ["organisation"]
    search_fields = ["name", "subject_id"]


@admin.register(CachedToken, site=site)
class CachedTokenAdmin(WithoutSecrets):
    exclude = ["sealed_secret", "sealed_refresh_token", "sealed_access_token"]
    list_display = ["grant", "asked_by", "fetched_at", "expires_at", "next_attempt_at", "failures", "refused_at"]
    list_filter = [("refused_at", admin.EmptyFieldListFilter)]
    list_select_related = ["grant", "asked_by"]
    search_fields = ["grant__connector__name", "grant__target_name"]


@admin.register(UserTokenRequest, site=site)
class UserTokenRequestAdmin(WithPermissions):
    """User tokens of organisation admins, which a second one confirms."""

    fields = [
        ("connector", "person", "id"),
        "permission_names",
        ("asked_by", "asked_at", "expires_at"),
        ("confirmed_at", "refused_at", "withdrawn_at", "expired_at", "answered_by"),
        "handoff",
    ]
    readonly_fields = ["permission_names"]
    list_display = ["connector", "asked_by", "state", "answered_by", "asked_at"]
    list_filter = [("confirmed_at", admin.EmptyFieldListFilter)]
    list_select_related = ["connector", "asked_by", "answered_by"]
    search_fields = ["connector__name", "asked_by__name", "id__exact"]


@admin.register(AuthorizationCode, site=site)
class AuthorizationCodeAdmin(WithPermissions):
    """Codes of sign-ins by OAuth, of the last day: never the code itself."""

    fields = [("connector", "user", "person"), "scope", "redirect_url", ("made_at", "expires_at", "used_at")]
    list_display = ["connector", "user", "made_at", "used_at"]
    list_select_related = ["connector", "user"]
    search_fields = ["connector__name", "user__name"]


@admin.register(ConnectorLogo, site=site)
class ConnectorLogoAdmin(ReadOnlyAdmin):
    exclude = ["content"]
    list_display = ["connector", "content_type", "width", "height", "sha256", "changed_at"]
    list_select_related = ["connector"]
    search_fields = ["connector__name", "connector__id__exact", "sha256"]
    actions = ["remove"]

    remove = confirmed_act(
        lambda row, by: connectors.remove_logo(connector=row.connector, by=by),
        label=_("Remove"),
        says=_("The connectors stay, without a logo."),
        describe=lambda row: row.connector.name,
    )


OUTCOMES = ["calls", "refused", "throttled", "failed"]  # read behind whose calls they were, and when


@admin.register(UsageHour, site=site)
class UsageHourAdmin(ReadOnlyAdmin):
    fields = ["grant", "hour", "operation", "scope", *OUTCOMES]
    list_display = ["hour", "connector", "target_name", "operation", *OUTCOMES]
    list_select_related = ["grant__connector"]
    search_fields = ["grant__connector__name", "grant__target_name", "operation"]

    @admin.display(description=_("connector"))
    def connector(self, row: UsageHour) -> Connector:
        return row.grant.connector

    @admin.display(description=_("target"))
    def target_name(self, row: UsageHour) -> str:
        return row.grant.target_name


@admin.register(UsageDay, site=site)
class UsageDayAdmin(ReadOnlyAdmin):
    fields = ["grant", "day", "operation", *OUTCOMES]
    list_display = ["day", "grant", "operation", *OUTCOMES]
    list_select_related = ["grant"]
    search_fields = ["grant__connector__name", "grant__target_name", "operation"]


@admin.register(ConnectorUsage, site=site)
class ConnectorUsageAdmin(ReadOnlyAdmin):
    """What is kept of all grants of a connector together."""

    fields = ["connector", "bucket", "at", "operation", "scope", *OUTCOMES]
    list_display = ["at", "bucket", "connector", "operation", *OUTCOMES]
    list_filter = ["bucket"]
    list_select_related = ["connector"]
    search_fields = ["connector__id__exact", "connector__name", "operation"]


@admin.register(CompatibilityQuirkDay, site=site)
class CompatibilityQuirkDayAdmin(ReadOnlyAdmin):
    list_display = ["day", "connector", "habit", "times", "seen_at", "example"]
    list_filter = ["habit"]
    list_select_related = ["connector"]
    search_fields = ["connector__name", "habit", "example"]


@admin.register(Webhook, site=site)
class WebhookAdmin(ReadOnlyAdmin):
    # An address may hold a key in its query; the host is enough to see who does not answer.
    exclude = ["callback_url", "callback_context", "sealed_token", "sealed_secret", "sealed_old_secret"]
    list_display = ["host", "connector", "object_type", "object_id", "failures", "delivered_at", "inactive_because"]
    list_filter = ["object_type", "inactive_because"]
    list_select_related = ["connector"]
    search_fields = ["id__exact", "host", "connector__name", "object_id"]


@admin.register(WebhookEvent, site=site)
class WebhookEventAdmin(ReadOnlyAdmin):
    exclude = ["data", "sender", "only_for", "private", "private_for"]
    list_display = ["event_type", "group_id", "action_id", "package_id", "created_at"]
    list_filter = ["event_type"]
    search_fields = ["id__exact", "group_id__exact", "action_id__exact", "package_id"]


@admin.register(WebhookDelivery, site=site)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    list_display = ["event", "webhook", "state", "tries", "next_attempt_at", "created_at", "finished_at"]
    list_filter = ["state"]
    list_select_related = ["event", "webhook"]
    search_fields = ["id__exact", "webhook__id__exact", "webhook__host", "webhook__connector__name"]


@admin.register(WebhookAttempt, site=site)
class WebhookAttemptAdmin(ReadOnlyAdmin):
    exclude = ["answer_headers", "answer_text"]
    list_display = ["delivery", "began_at", "milliseconds", "status", "problem"]
    list_filter = ["problem"]
    list_select_related = ["delivery"]
    search_fields = ["id__exact", "delivery__webhook__id__exact", "delivery__webhook__host"]


class DeactivateForm(ReasonForm):
    """Why, and who owns the connectors from now on."""

    new_owner_email = forms.EmailField(
        label=_("New owner of their connectors"),
        help_text=_("E-mail address of a colleague. If empty, the connectors have no active owner."),
        required=False,
    )
    field_order = ("reason", "new_owner_email")


def _facts(rows: list[User]) -> dict[str, Any]:
    found = owners.count_dependents(rows)
    return {
        "use_facts": [
            {"label": _("User tokens that act for them: refused while they are inactive"), "count": found.user_tokens},
            {"label": _("Connectors they own: keep working"), "count": found.connectors},
            {"label": _("Access they gave: stays"), "count": found.group_grants},
        ],
        "use_title": _("What depends on them"),
    }


class PersonAdmin(UserAdmin):
    """The page of accounts, with deactivating."""

    actions = [*UserAdmin.actions, "deactivate"]

    deactivate = confirmed_act(
        lambda row, by, reason, new_owner_email: owners.deactivate_person(
            user=row, by=by, reason=reason, new_owner_email=new_owner_email
        ),
        label=_("Deactivate"),
        says=_("Blocks sign-in, ends their sessions, and refuses user tokens that act for them."),
        form=DeactivateForm,
        facts=_facts,
    )


site.unregister(User)
site.register(User, PersonAdmin)
