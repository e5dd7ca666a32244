"""A connector: a program allowed to act in groups, and the secrets that prove it is that program."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypedDict
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation, User
from connectors import permissions
from connectors.permissions import Permission
from kaizala_console.lib.fields import IdField, without_default

if TYPE_CHECKING:
    _CharField = models.CharField[Iterable[str], frozenset[Permission]]
else:
    _CharField = models.CharField


@lru_cache(maxsize=512)
def _read(stored: str) -> frozenset[Permission]:
    """The set behind what a column holds; there are 512 at the most."""
    return frozenset(Permission(part) for part in stored.split(",") if part)


class PermissionSetField(_CharField):
    """Holds a `frozenset[Permission]`, stored comma-separated in the portal's order, e.g. `groupinfo,textmessage`."""

    description = _("A set of connector permissions")

    if TYPE_CHECKING:  # what the type checker is to take for an attribute of this kind
        _pyi_private_set_type: Iterable[str]  # type: ignore[assignment]
        _pyi_private_get_type: frozenset[Permission]  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 120)
        kwargs.setdefault("default", frozenset)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        return without_default(super().deconstruct(), "django.db.models.CharField")

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return _read(value or "")

    def to_python(self, value: Any) -> frozenset[Permission]:
        if isinstance(value, str):
            value = [part for part in value.split(",") if part]
        if not isinstance(value, Iterable):
            value = []
        try:
            return frozenset(Permission(part) for part in value)
        except ValueError as error:
            raise ValidationError(_("This is not a permission of a connector.")) from error

    def get_prep_value(self, value: Any) -> str:
        return ",".join(permissions.sort_permissions(self.to_python(value)))

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj))

    def formfield(self, **kwargs: Any) -> Any:
        # A set is edited by the console's own form, never as free text in the operators' pages.
        return None


class ConnectorState(StrEnum):
    """Live: works. Deactivated: no new grants. Suspended: every token refused. Deleted: gone for good."""

    LIVE = "live"
    DEACTIVATED = "deactivated"
    SUSPENDED = "suspended"
    DELETED = "deleted"


class AuditScope(TypedDict, total=False):
    """Whose history an audit event belongs to: the columns that `accounts.audit` lists it by."""

    organisation: Organisation
    connector_id: UUID
    group_id: UUID | None
    person_id: UUID | None


class ConnectorQuerySet(models.QuerySet["Connector"]):
    def present(self) -> ConnectorQuerySet:
        """Those that were not deleted."""
        return self.filter(deleted_at__isnull=True)

    def get_locked(self, connector_id: UUID) -> Connector:
        """The row as it is now, held until the end of the transaction.

        Locks go connector → request, code → grant → token, secret → handoff.
        """
        return self.select_for_update(no_key=True, of=("self",)).get(pk=connector_id)

    def grantable(self) -> ConnectorQuerySet:
        """Those that a group may be given to now."""
        return self.present().filter(deactivated_at__isnull=True, suspended_at__isnull=True)

    def owned_by(self, user_id: int) -> ConnectorQuerySet:
        """Those whose owner or co-owner the account is: by either's index, where "or" would read all connectors."""
        owned = Connector.objects.filter(owner_id=user_id).order_by().values("pk")
        shared = Connector.co_owners.through.objects.filter(user_id=user_id).values("connector_id")
        return self.filter(pk__in=owned.union(shared))


class Connector(models.Model):
    NAME_CONSTRAINT: Final = "connector_name_once_an_owner"

    id = IdField(_("connector ID"))
    organisation = models.ForeignKey(
        "accounts.Organisation", verbose_name=_("organisation"), on_delete=models.PROTECT, related_name="connectors"
    )
    owner = models.ForeignKey(
        "accounts.User",
        on_delete=models.PROTECT,
        related_name="connectors",
        verbose_name=_("owner"),
    )
    co_owners = models.ManyToManyField(
        "accounts.User",
        blank=True,
        related_name="co_owned_connectors",
        verbose_name=_("co-owners"),
    )
    name = models.CharField(_("name"), max_length=80)
    description = models.TextField(_("description"), max_length=500, blank=True)
    home_page = models.URLField(_("home page"), blank=True)
    # With the name, so that whatever names a connector shows its logo without another query. The bytes: ConnectorLogo.
    logo_sha256 = models.CharField(_("logo (SHA-256)"), max_length=64, blank=True, default="", db_default="")
    redirect_urls = models.JSONField(_("redirect URLs"), default=list, blank=True)
    pkce_required = models.BooleanField(
        _("PKCE required"), default=False, help_text=_("Whether sign-in by OAuth needs a code challenge (RFC 7636).")
    )
    permissions = PermissionSetField(_("permissions"))
    # An access token carries the number that it was made under, and is refused under another one.
    token_generation = models.PositiveIntegerField(_("generation of access tokens"), default=0, editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    deactivated_at = models.DateTimeField(_("deactivated at"), null=True, blank=True)
    suspended_at = models.DateTimeField(_("suspended at"), null=True, blank=True)
    deleted_at = models.DateTimeField(_("deleted at"), null=True, blank=True)

    objects = ConnectorQuerySet.as_manager()

    class Meta:
        verbose_name = _("connector")
        verbose_name_plural = _("connectors")
        ordering = ["name", "id"]
        indexes = [
            models.Index(fields=["organisation", "name", "id"], name="connector_by_organisation"),
            models.Index(fields=["organisation", "created_at", "id"], name="connector_by_age"),
            models.Index(fields=["owner", "name", "id"], name="connector_by_owner"),
            # Few, whom a list of all would be walked for to its end.
            models.Index(
                fields=["organisation", "name", "id"],
                condition=models.Q(deactivated_at__isnull=False),
                name="connector_deactivated",
            ),
            models.Index(
                fields=["organisation", "name", "id"],
                condition=models.Q(suspended_at__isnull=False),
                name="connector_suspended",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                "owner",
                condition=models.Q(deleted_at__isnull=True),
                name="connector_name_once_an_owner",
            ),
            models.CheckConstraint(condition=~models.Q(name=""), name="connector_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def client_id(self) -> str:
        """Its id, as OAuth calls it (RFC 6749 §2.2)."""
        return str(self.pk)

    @property
    def audit_scope(self) -> AuditScope:
        """An event about the connector is part of its history, and of its organisation's."""
        return {"organisation": self.organisation, "connector_id": self.pk}

    @property
    def mail_facts(self) -> dict[str, str]:
        """What every mail about the connector is made with."""
        return {"connector_id": str(self.pk), "connector_name": self.name}

    def list_active_owners(self) -> list[User]:
        """The owner first, then the co-owners, without deactivated accounts."""
        owners = [self.owner, *self.co_owners.exclude(pk=self.owner_id).order_by("pk")]
        return [user for user in owners if user.is_active]

    @property
    def state(self) -> ConnectorState:
        if self.deleted_at:
            return ConnectorState.DELETED
        if self.suspended_at:
            return ConnectorState.SUSPENDED
        if self.deactivated_at:
            return ConnectorState.DEACTIVATED
        return ConnectorState.LIVE


class ConnectorSecretQuerySet(models.QuerySet["ConnectorSecret"]):
    def live(self, at: dt.datetime) -> ConnectorSecretQuerySet:
        """Those that the Token Service accepts at `at`."""
        return self.filter(revoked_at__isnull=True, reported_at__isnull=True).filter(
            models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=at)
        )


class ConnectorSecret(models.Model):
    """Found by its public part, checked against a peppered digest; the secret itself is never stored.

    A connector has two slots, so that a new secret can be in use before the old one is removed.
    """

    connector = models.ForeignKey(
        Connector, verbose_name=_("connector"), on_delete=models.CASCADE, related_name="secrets"
    )
    slot = models.PositiveSmallIntegerField(_("slot"), default=1)
    public_part = models.CharField(_("public part"), max_length=32, unique=True)
    pepper_id = models.CharField(_("pepper id"), max_length=16)
    digest = models.CharField(_("digest"), max_length=64)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    created_by = models.ForeignKey(
        "accounts.User", verbose_name=_("created by"), on_delete=models.PROTECT, related_name="+"
    )
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    reported_at = models.DateTimeField(
        _("reported at"), null=True, blank=True, help_text=_("Reported as leaked: refused until the owner answers.")
    )
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)
    last_used_from = models.GenericIPAddressField(_("last used from"), null=True, blank=True)
    reminded_for = models.DateTimeField(
        _("reminded for"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Which reminder was sent last, in days."),
    )

    objects = ConnectorSecretQuerySet.as_manager()

    class Meta:
        verbose_name = _("connector secret")
        verbose_name_plural = _("connector secrets")
        constraints = [
            models.UniqueConstraint(
                fields=["connector", "slot"],
                condition=models.Q(revoked_at__isnull=True),
                name="one_secret_a_slot",
            ),
            models.CheckConstraint(condition=models.Q(slot__in=[1, 2]), name="connector_has_two_secret_slots"),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                condition=models.Q(revoked_at__isnull=True, expires_at__isnull=False),
                name="secret_ends",
            )
        ]

    def __str__(self) -> str:
        return f"ConnectorSecret {self.pk}"

    def is_live(self, at: dt.datetime) -> bool:
        """As `ConnectorSecretQuerySet.live`, for a row at hand."""
        return (
            self.revoked_at is None and self.reported_at is None and (self.expires_at is None or self.expires_at > at)
        )


# ----------------------------------------------------------------------------------------------------
# The logo of a connector. Its bytes stand in a table of their own, so that no list of connectors reads them.


class ConnectorLogo(models.Model):
    """A checked picture. Its hash is also in `Connector.logo_sha256`."""

    connector = models.OneToOneField(
        "connectors.Connector",
        verbose_name=_("connector"),
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="logo",
    )
    content = models.BinaryField(_("content"))
    content_type = models.CharField(_("content type"), max_length=20)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    width = models.PositiveSmallIntegerField(_("width"))
    height = models.PositiveSmallIntegerField(_("height"))
    changed_at = models.DateTimeField(_("changed at"), default=timezone.now)

    class Meta:
        verbose_name = _("logo")
        verbose_name_plural = _("logos")
        ordering = ["-changed_at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(content_type__in=["image/png", "image/jpeg", "image/webp"]),
                name="logo_is_a_picture",
            ),
        ]

    def __str__(self) -> str:
        return self.sha256


# ----------------------------------------------------------------------------------------------------
# Which old habits a connector's program showed: one row for each habit and day.


class CompatibilityQuirkDay(models.Model):
    """Counts of one day (UTC). Written in bulk, some seconds after the calls (`services.usage`).

    `habit` is a value of `CompatibilityQuirk`, `example` the last operation that showed it; nothing that was
    sent is kept.
    """

    connector = models.ForeignKey(
        "connectors.Connector",
        verbose_name=_("connector"),
        on_delete=models.CASCADE,
        related_name="compatibility_quirks",
        db_index=False,
    )
    habit = models.CharField(_("habit"), max_length=32)
    day = models.DateField(_("day"))
    times = models.PositiveBigIntegerField(_("times"), default=0)
    seen_at = models.DateTimeField(_("seen at"))
    example = models.CharField(
        _("example"), max_length=120, help_text=_("Method and route: `POST v1/groups/<group_id>/messages`.")
    )

    class Meta:
        db_table = "connectors_habitday"
        verbose_name = _("habit on a day")
        verbose_name_plural = _("habits by the day")
        ordering = ["-day", "connector", "habit"]
        indexes = [models.Index(fields=["day"], name="habit_by_day")]
        constraints = [
            models.UniqueConstraint(fields=["connector", "habit", "day"], name="one_row_a_connector_habit_and_day")
        ]

    def __str__(self) -> str:
        return f"{self.habit} {self.day:%Y-%m-%d}"


# ----------------------------------------------------------------------------------------------------
# What has no owner left: found by the worker, and reported once.


class Orphan(models.Model):
    """Open while the finding holds; the same thing orphaned again later is a row of its own, and told again."""

    class Kind(models.TextChoices):
        CONNECTOR = "connector", _("a connector without an active owner")
        PHONE = "phone", _("access in the name of a number that another account holds now")
        GROUP = "group", _("a group without an admin who has an account")

    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    subject_id = models.CharField(_("subject id"), max_length=64)
    name = models.CharField(_("name"), max_length=300)
    organisation = models.ForeignKey(
        "accounts.Organisation",
        verbose_name=_("organisation"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
    )
    found_at = models.DateTimeField(_("found at"), default=timezone.now)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)

    class Meta:
        verbose_name = _("orphan")
        verbose_name_plural = _("orphans")
        ordering = ["-found_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject_id"],
                condition=models.Q(settled_at__isnull=True),
                name="one_open_orphan_a_subject",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"
