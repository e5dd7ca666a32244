"""Media that a program or a person uploaded, for Actions to be posted with: files, whose they are, their size."""

from __future__ import annotations

import datetime as dt
from uuid import uuid4

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.audit.record import About
from groups.media.content import MediaKind
from groups.models.message import Sent
from kaizala_console.lib.fields import IdField


class MediaResourceQuerySet(models.QuerySet["MediaResource"]):
    def whole(self) -> MediaResourceQuerySet:
        """Those whose files are all stored: the only ones that anybody may use."""
        return self.filter(stored_at__isnull=False)

    def never_used(self, since: dt.datetime) -> MediaResourceQuerySet:
        """Whole ones that were uploaded before `since` and that nothing was posted with."""
        return self.whole().filter(used_at__isnull=True, created_at__lt=since)

    def left_behind(self, since: dt.datetime) -> MediaResourceQuerySet:
        """Half-written ones from before `since`: their files, as far as there are any, are to be deleted."""
        return self.filter(stored_at__isnull=True, created_at__lt=since)


class MediaResource(Sent):
    """What `mediaResource` names on the wire: one file, or an album of several images.

    The row is there before its files are (`stored_at` is empty), so that whatever goes wrong while they are written,
    the row tells the sweeper which files to delete. `used_at` says when something was first posted with it. What a
    person uploaded in the console has neither connector nor grant.
    """

    id = IdField(_("media ID"))
    kind = models.CharField(_("kind"), max_length=8, choices=MediaKind.choices)
    organisation = models.ForeignKey(
        "accounts.Organisation",
        verbose_name=_("organisation"),
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Whose storage it takes up."),
    )
    grant = models.ForeignKey(
        "connectors.Grant", verbose_name=_("grant"), on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(_("uploaded at"), default=timezone.now, editable=False)
    stored_at = models.DateTimeField(_("stored at"), null=True, blank=True)
    used_at = models.DateTimeField(_("used at"), null=True, blank=True)

    objects = MediaResourceQuerySet.as_manager()

    class Meta:
        verbose_name = _("media resource")
        verbose_name_plural = _("media resources")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(
                fields=["created_at"], condition=models.Q(used_at__isnull=True), name="media_resource_never_used"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=[kind.value for kind in MediaKind]), name="media_resource_kind_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(used_at__isnull=True) | models.Q(stored_at__isnull=False),
                name="media_resource_is_whole_before_use",
            ),
            models.CheckConstraint(
                condition=models.Q(connector__isnull=True, grant__isnull=True)
                | models.Q(connector__isnull=False, grant__isnull=False),
                name="media_resource_of_a_program_has_both",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def audit_scope(self) -> About:
        """Whose history an audit event of it belongs to."""
        return {"organisation": self.organisation, "connector_id": self.connector_id, "person_id": self.person_id}


class MediaFile(models.Model):
    """One file. `name` is what the uploader called it, made harmless; `key`, which is random, where it is stored."""

    # Random, not of its time: it stands in addresses, also of pictures in anonymous answers.
    id = models.UUIDField(_("id"), primary_key=True, default=uuid4, editable=False)
    resource = models.ForeignKey(
        MediaResource,
        verbose_name=_("resource"),
        on_delete=models.CASCADE,
        related_name="files",
        db_index=False,  # media_file_position_once begins with it
    )
    position = models.PositiveSmallIntegerField(_("position"), help_text=_("Position in an album, from 0."))
    name = models.CharField(_("name"), max_length=200)
    content_type = models.CharField(_("content type"), max_length=100)
    size = models.PositiveBigIntegerField(_("size"), help_text=_("In bytes."))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    key = models.CharField(_("key"), max_length=100, unique=True, editable=False)

    class Meta:
        verbose_name = _("media file")
        verbose_name_plural = _("media files")
        ordering = ["resource_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["resource", "position"], name="media_file_position_once"),
            models.CheckConstraint(condition=models.Q(size__gt=0), name="media_file_is_not_empty"),
            models.CheckConstraint(condition=~models.Q(name=""), name="media_file_has_a_name"),
            models.CheckConstraint(condition=~models.Q(key=""), name="media_file_has_a_key"),
        ]

    def __str__(self) -> str:
        return f"MediaFile {self.pk}"


class MediaStore(models.Model):
    """How many bytes an organisation's media take up: one row, so that the limit holds when many upload at once."""

    organisation = models.OneToOneField(
        "accounts.Organisation",
        verbose_name=_("organisation"),
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="+",
    )
    bytes_used = models.PositiveBigIntegerField(_("bytes used"), default=0)

    class Meta:
        verbose_name = _("media store")
        verbose_name_plural = _("media stores")
        constraints = [
            models.CheckConstraint(condition=models.Q(bytes_used__gte=0), name="media_store_is_not_negative")
        ]

    def __str__(self) -> str:
        return f"MediaStore {self.pk}"
