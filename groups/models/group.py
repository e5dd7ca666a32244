"""Groups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypedDict
from uuid import UUID

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation
from groups.models.hierarchy import Direction, GroupLink, reached
from kaizala_console.lib.fields import IdField


class GroupAuditScope(TypedDict):
    organisation: Organisation | None
    group_id: UUID


class GroupQuerySet(models.QuerySet["Group"]):
    def present(self) -> GroupQuerySet:
        """Those that were not removed."""
        return self.filter(removed_at__isnull=True)

    def within(self, roots: models.QuerySet) -> GroupQuerySet:
        """The groups whose ids `roots` selects, and all groups under them."""
        if roots.query.is_empty():
            return self.none()
        return self.filter(pk__in=reached(Group.objects.filter(pk__in=roots), "down"))

    def under(self, group_ids: Iterable[UUID]) -> GroupQuerySet:
        """All groups under these, at any level; these themselves not, unless one stands under another."""
        return self._beyond(group_ids, "parent_id", "child_id", "down")

    def above(self, group_ids: Iterable[UUID]) -> GroupQuerySet:
        """All groups above these, at any level; these themselves not, unless one stands above another."""
        return self._beyond(group_ids, "child_id", "parent_id", "up")

    def _beyond(self, group_ids: Iterable[UUID], here: str, there: str, direction: Direction) -> GroupQuerySet:
        keys = list(group_ids)
        if not keys:
            return self.none()
        at = models.Q((here, keys[0])) if len(keys) == 1 else models.Q((f"{here}__in", keys))  # one may be a Parameter
        first = Group.objects.filter(pk__in=GroupLink.objects.filter(at).values(there))
        return self.filter(pk__in=reached(first, direction))

    def carrying(self, **facts: Any) -> GroupQuerySet:
        """`annotate`, for what the model declares below: the type checker takes a second declaration amiss."""
        return self.annotate(**facts)

    def with_link_counts(self) -> GroupQuerySet:
        """Adds `sub_group_count` and `parent_group_count`: present groups directly below and above."""
        return self.annotate(
            sub_group_count=counted(
                GroupLink.objects.filter(parent_id=models.OuterRef("pk"), child__removed_at__isnull=True),
                "parent_id",
            ),
            parent_group_count=counted(
                GroupLink.objects.filter(child_id=models.OuterRef("pk"), parent__removed_at__isnull=True),
                "child_id",
            ),
        )


class Group(models.Model):
    """`organisation` is empty for a private group. The type's values are the wire's spellings (protocol §6)."""

    class Type(models.TextChoices):
        PLAIN = "Group", _("group")
        CONNECT = "ConnectGroup", _("managed public group")

    id = IdField(_("group ID"))
    organisation = models.ForeignKey(
        "accounts.Organisation",
        verbose_name=_("organisation"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="groups",
        db_index=False,  # group_by_organisation begins with it
    )
    name = models.CharField(_("name"), max_length=120)
    group_type = models.CharField(_("type"), max_length=16, choices=Type.choices, default=Type.PLAIN)
    welcome_message = models.TextField(_("welcome message"), max_length=500, blank=True)
    short_description = models.CharField(_("short description"), max_length=200, blank=True)
    long_description = models.TextField(_("long description"), max_length=2000, blank=True)
    image_url = models.URLField(_("picture"), max_length=500, blank=True)
    only_admins_post = models.BooleanField(
        _("only admins post"),
        default=False,
        help_text=_("For a plain group; in a managed public one only admins post."),
    )
    members_see_members = models.BooleanField(
        _("members see who is in the group"), default=True, help_text=_("Admins always do.")
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    removed_at = models.DateTimeField(_("removed at"), null=True, blank=True)

    # What queries add to a row; a group that was read plainly has none of it.
    role: str  # groups.access: what the asker is in it
    asked_from: UUID | None = None  # groups.access: the organisation of the asker
    sub_group_count: int  # with_link_counts
    parent_group_count: int
    member_count: int  # groups.queries.groups
    connector_count: int
    is_visible: bool

    objects = GroupQuerySet.as_manager()

    class Meta:
        verbose_name = _("group")
        verbose_name_plural = _("groups")
        ordering = ["name", "id"]
        indexes = [
            models.Index(fields=["name", "id"], name="group_by_name"),
            models.Index(fields=["organisation", "name", "id"], name="group_by_organisation"),
        ]
        constraints = [
            models.CheckConstraint(condition=~models.Q(name=""), name="group_has_a_name"),
            models.CheckConstraint(
                condition=models.Q(group_type__in=["Group", "ConnectGroup"]), name="group_type_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_scope(self) -> GroupAuditScope:
        """Whose history an audit event of the group belongs to."""
        return {"organisation": self.organisation, "group_id": self.pk}

    @property
    def naming_organisation_id(self) -> UUID | None:
        """Whose names of people are shown in the group: its organisation's; of a private one, the asker's."""
        return self.organisation_id or self.asked_from


def counted(rows: models.QuerySet, by: str) -> models.Expression:
    """How many rows a correlated query has, 0 when none; `by` is the column that correlates."""
    return models.functions.Coalesce(
        models.Subquery(rows.order_by().values(by).annotate(n=models.Count("*")).values("n")),
        0,
    )


# ----------------------------------------------------------------------------------------------------
# How many people are in a group and down its hierarchy, kept beside the group; and whose counts are out of date.


class GroupCount(models.Model):
    """What `groups.queries.hierarchy` gave for the group when it was last counted (ADR 0050).

    Right as long as there is no GroupChange of the group or of one under it. A group without a row was never counted.
    """

    group = models.OneToOneField(
        "groups.Group", verbose_name=_("group"), on_delete=models.CASCADE, primary_key=True, related_name="kept_count"
    )
    level = models.PositiveIntegerField(_("members"))
    level_unprovisioned = models.PositiveIntegerField(_("members whose number was never verified"))
    total = models.PositiveIntegerField(_("members down the hierarchy"))
    total_unprovisioned = models.PositiveIntegerField(_("members down the hierarchy whose number was never verified"))
    unique = models.PositiveIntegerField(_("people down the hierarchy"))

    class Meta:
        verbose_name = _("kept count of a group")
        verbose_name_plural = _("kept counts of groups")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    level__lte=models.F("total"),
                    level_unprovisioned__lte=models.F("level"),
                    total_unprovisioned__lte=models.F("total"),
                    unique__lte=models.F("total"),
                    unique__gte=models.F("level"),
                ),
                name="group_counts_are_possible",
            )
        ]

    def __str__(self) -> str:
        return f"GroupCount {self.pk}"


class GroupChange(models.Model):
    """Something changed who is in the group, or what stands under it: its counts, and those above it, are out of date.

    Only ever inserted, in the transaction of the change, and deleted by who has counted anew: so nobody waits for
    anybody, however many change members under one large group at once.
    """

    group = models.ForeignKey(
        "groups.Group", verbose_name=_("group"), on_delete=models.CASCADE, related_name="count_changes"
    )

    class Meta:
        verbose_name = _("change of a group’s counts")
        verbose_name_plural = _("changes of groups’ counts")

    def __str__(self) -> str:
        return f"GroupChange {self.pk}"


class GroupGrant(models.Model):
    """Narrows a `connectors.Grant` of kind group to one group (and what stands under it)."""

    grant = models.OneToOneField(
        "connectors.Grant",
        verbose_name=_("grant"),
        on_delete=models.PROTECT,
        primary_key=True,
        related_name="group_grant",
    )
    group = models.ForeignKey(
        "groups.Group", verbose_name=_("group"), on_delete=models.PROTECT, related_name="group_grants"
    )

    class Meta:
        verbose_name = _("group grant")
        verbose_name_plural = _("group grants")

    def __str__(self) -> str:
        return f"GroupGrant {self.pk}"


class GroupBot(models.Model):
    """A bot reaches a group only while this row is there (and its connector's token reaches the group)."""

    group = models.ForeignKey(
        "groups.Group",
        verbose_name=_("group"),
        on_delete=models.CASCADE,
        related_name="group_bots",
        db_index=False,  # bot_once_a_group begins with it
    )
    bot = models.ForeignKey(
        "connectors.Bot", verbose_name=_("bot"), on_delete=models.CASCADE, related_name="group_bots"
    )
    added_at = models.DateTimeField(_("added at"), default=timezone.now)

    class Meta:
        verbose_name = _("bot in a group")
        verbose_name_plural = _("bots in groups")
        constraints = [models.UniqueConstraint(fields=["group", "bot"], name="bot_once_a_group")]

    def __str__(self) -> str:
        return f"GroupBot {self.pk}"
