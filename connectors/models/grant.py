"""A grant: somebody let a connector act. Every token belongs to one, and ends with it."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connectors import permissions as scopes
from connectors.models.connector import AuditScope, PermissionSetField
from connectors.token_format import EVERY_SCOPE
from kaizala_console.lib import ids
from kaizala_console.lib.fields import IdField


class GrantQuerySet(models.QuerySet["Grant"]):
    def live(self, at: dt.datetime) -> GrantQuerySet:
        """Those whose tokens are accepted at `at`, as far as the grant itself decides."""
        return self.filter(revoked_at__isnull=True, suspended_at__isnull=True).filter(
            models.Q(ends_at__isnull=True) | models.Q(ends_at__gt=at)
        )

    def present(self) -> GrantQuerySet:
        """Those that were not revoked: live, suspended or past their end date."""
        return self.filter(revoked_at__isnull=True)

    def of_active_users(self) -> GrantQuerySet:
        """Without user tokens' grants of people whose account is deactivated (`Grant.is_of_deactivated_user`)."""
        return self.exclude(kind=Grant.Kind.USER, granted_by__is_active=False)


class Grant(models.Model):
    """The hinge between right and reach: knows its connector and whose role it carries, but no group.

    `target` names what is reached as an opaque key (`group:<id>` or `person:<id>`), so that the database
    itself can refuse a second live grant for the same thing; `target_name` is what people call it.
    """

    class Kind(models.TextChoices):
        GROUP = "group", _("group token")
        USER = "user", _("user token")

    id = IdField(_("id"))
    connector = models.ForeignKey(
        "connectors.Connector",
        verbose_name=_("connector"),
        on_delete=models.PROTECT,
        related_name="grants",
        db_index=False,  # grant_by_connector begins with it
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    target = models.CharField(_("target"), max_length=64)
    target_name = models.CharField(_("target name"), max_length=200)
    person = models.ForeignKey(
        "accounts.Person",
        verbose_name=_("person"),
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Whose role the tokens carry: the admin who added the connector, or the token’s user."),
    )
    granted_by = models.ForeignKey(
        "accounts.User",
        verbose_name=_("granted by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,  # grant_by_granter begins with it
        help_text=_("Empty for someone without an account here, who allowed the connector with a PIN."),
    )
    confirmed_by = models.ForeignKey(
        "accounts.User",
        verbose_name=_("confirmed by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("The second organisation admin who confirmed that a user token reaches the whole organisation."),
    )
    permissions = PermissionSetField(_("permissions"))
    scope = models.CharField(
        _("scope"),
        max_length=500,
        blank=True,
        help_text=_("The permissions that a program asked for (RFC 6749 §3.3); empty for all of them."),
    )
    granted_at = models.DateTimeField(_("granted at"), default=timezone.now)
    ends_at = models.DateTimeField(_("end date"), null=True, blank=True)
    suspended_at = models.DateTimeField(_("suspended at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    end_told_at = models.DateTimeField(
        _("end notified at"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("When people were notified that the end date had passed."),
    )
    reminded_for = models.DateTimeField(
        _("reminded for"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Which reminder was sent last, in days."),
    )

    # What the access token at hand was narrowed to when it was refreshed (RFC 6749 §6); in memory alone.
    scope_bits = EVERY_SCOPE

    objects = GrantQuerySet.as_manager()

    class Meta:
        verbose_name = _("grant")
        verbose_name_plural = _("grants")
        ordering = ["-granted_at", "-id"]
        indexes = [
            models.Index(fields=["connector", "-granted_at", "-id"], name="grant_by_connector"),
            models.Index(
                fields=["connector", "-granted_at", "-id"],
                condition=models.Q(revoked_at__isnull=False),
                name="grant_ended_by_connector",
            ),
            models.Index(
                fields=["connector", "revoked_at"],
                condition=models.Q(revoked_at__isnull=False),
                name="grant_ended_lately",
            ),
            models.Index(fields=["granted_by", "granted_at"], name="grant_by_granter"),
            models.Index(fields=["target", "-granted_at", "-id"], name="grant_by_target"),
            models.Index(
                fields=["ends_at"],
                condition=models.Q(revoked_at__isnull=True, ends_at__isnull=False),
                name="grant_ends",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["connector", "target"],
                condition=models.Q(revoked_at__isnull=True),
                name="one_grant_a_connector_and_target",
            ),
            models.CheckConstraint(
                condition=models.Q(ends_at__isnull=True) | models.Q(ends_at__gt=models.F("granted_at")),
                name="grant_ends_after_it_began",
            ),
            models.CheckConstraint(
                condition=models.Q(granted_by__isnull=False) | models.Q(kind="user"),
                name="group_grant_names_who",
            ),
            models.CheckConstraint(
                condition=models.Q(confirmed_by__isnull=True)
                | (models.Q(kind="user", granted_by__isnull=False) & ~models.Q(confirmed_by=models.F("granted_by"))),
                name="grant_is_confirmed_by_somebody_else",
            ),
        ]

    def __str__(self) -> str:
        return f"Grant {self.pk}"

    @property
    def audit_scope(self) -> AuditScope:
        """An event about the grant is also part of the history of its target."""
        return {**self.connector.audit_scope, **self.target_audit_scope}

    @property
    def audit_facts(self) -> dict[str, str]:
        """What every event about the grant says: the names of both sides, as they are now."""
        return {"connector": self.connector.name, "target": self.target_name}

    @property
    def target_audit_scope(self) -> AuditScope:
        """The target stays opaque but for its form: `group:<id>` or `person:<id>`."""
        kind, _colon, target_id = self.target.partition(":")
        return {
            "group_id": ids.parse_guid(target_id) if kind == "group" else None,
            "person_id": ids.parse_guid(target_id) if kind == "person" else None,
        }

    @property
    def granter_name(self) -> str:
        """Who let the connector act, as people read it: an account, or somebody known by number alone."""
        return self.granted_by.name if self.granted_by is not None else self.target_name

    def allowed_scopes(self) -> list[str]:
        """What was allowed: all of its permissions, or what a program asked for of them."""
        whole = frozenset(self.permissions)
        return list(scopes.hold_scopes(whole, self.scope, whole, EVERY_SCOPE))

    def held_scopes(self) -> list[str]:
        """What its tokens may do: what was allowed, cut down to the connector's own permissions. Asks the connector."""
        of_connector = frozenset(self.connector.permissions)
        return list(scopes.hold_scopes(frozenset(self.permissions), self.scope, of_connector, self.scope_bits))

    @property
    def is_of_deactivated_user(self) -> bool:
        """Whether its tokens act for a person whose account is deactivated: refused until the account is active again.

        A group token is the group's, whatever becomes of the admin who granted it.
        """
        return self.kind == self.Kind.USER and self.granted_by is not None and not self.granted_by.is_active

    def is_live(self, at: dt.datetime) -> bool:
        """As `GrantQuerySet.live`, for a row at hand."""
        return self.revoked_at is None and self.suspended_at is None and (self.ends_at is None or self.ends_at > at)
