"""Groups, and which group stands under which."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import clock, ids


class GroupQuerySet(models.QuerySet["Group"]):
    def present(self) -> GroupQuerySet:
        """Those that were not removed."""
        return self.filter(removed_at__isnull=True)


class Group(models.Model):
    """`organisation` is empty for a private group. The type's values are the wire's spellings (protocol §6)."""

    class Type(models.TextChoices):
        PLAIN = "Group", _("group")
        CONNECT = "ConnectGroup", _("managed public group")

    id = models.UUIDField(_("group ID"), primary_key=True, default=ids.new_id, editable=False)
    organisation = models.ForeignKey(
        "accounts.Organisation",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="groups",
    )
    name = models.CharField(_("name"), max_length=120)
    group_type = models.CharField(
        _("type"), max_length=16, choices=Type.choices, default=Type.PLAIN
    )
    welcome_message = models.TextField(_("welcome message"), max_length=500, blank=True)
    short_description = models.CharField(_("short description"), max_length=200, blank=True)
    long_description = models.TextField(_("long description"), max_length=2000, blank=True)
    image_url = models.URLField(_("picture"), blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = GroupQuerySet.as_manager()

    class Meta:
        verbose_name = _("group")
        verbose_name_plural = _("groups")
        ordering = ["name", "id"]
        indexes = [
            models.Index(fields=["name", "id"], name="group_by_name"),
            models.Index(fields=["organisation", "name", "id"], name="group_by_organisation"),
        ]
        constraints = [models.CheckConstraint(condition=~models.Q(name=""), name="group_has_a_name")]

    def __str__(self) -> str:
        return self.name


class GroupLink(models.Model):
    """`child` is a sub-group of `parent`. A group may have several parents, but never itself above it."""

    parent = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="child_links")
    child = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="parent_links")
    linked_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name = _("sub-group link")
        verbose_name_plural = _("sub-group links")
        constraints = [
            models.UniqueConstraint(fields=["parent", "child"], name="linked_once"),
            models.CheckConstraint(
                condition=~models.Q(parent=models.F("child")), name="no_group_under_itself"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.parent_id} › {self.child_id}"
