"""Who is in a group and as what, and who follows a managed public one."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class MembershipQuerySet(models.QuerySet["Membership"]):
    def admins(self) -> MembershipQuerySet:
        return self.filter(role=Membership.Role.ADMIN)


class Membership(models.Model):
    """The role's values are the wire's spellings (protocol §6, Members)."""

    class Role(models.TextChoices):
        ADMIN = "Admin", _("admin")
        MEMBER = "Member", _("member")

    group = models.ForeignKey(
        "groups.Group",
        verbose_name=_("group"),
        on_delete=models.CASCADE,
        related_name="memberships",
        db_index=False,  # membership_by_group begins with it
    )
    person = models.ForeignKey(
        "accounts.Person",
        verbose_name=_("person"),
        on_delete=models.PROTECT,
        related_name="memberships",
        db_index=False,  # membership_by_person begins with it
    )
    role = models.CharField(_("role"), max_length=8, choices=Role.choices, default=Role.MEMBER)
    joined_at = models.DateTimeField(_("joined at"), default=timezone.now)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            models.UniqueConstraint(fields=["group", "person"], name="one_membership_a_person"),
            models.CheckConstraint(condition=models.Q(role__in=["Admin", "Member"]), name="membership_role_is_known"),
        ]
        indexes = [
            models.Index(fields=["person", "role"], name="membership_by_person"),
            models.Index(fields=["group", "joined_at", "id"], name="membership_by_group"),
        ]

    def __str__(self) -> str:
        return f"Membership {self.pk}"


class Subscription(models.Model):
    """A subscriber of a managed public group: gets what is sent to subscribers, and sees no member list."""

    group = models.ForeignKey(
        "groups.Group",
        verbose_name=_("group"),
        on_delete=models.CASCADE,
        related_name="subscriptions",
        db_index=False,  # subscribed_once begins with it
    )
    person = models.ForeignKey(
        "accounts.Person", verbose_name=_("person"), on_delete=models.PROTECT, related_name="subscriptions"
    )
    subscribed_at = models.DateTimeField(_("subscribed at"), default=timezone.now)

    class Meta:
        verbose_name = _("subscriber")
        verbose_name_plural = _("subscribers")
        constraints = [models.UniqueConstraint(fields=["group", "person"], name="subscribed_once")]
        indexes = [models.Index(fields=["group", "id"], name="subscription_by_group")]

    def __str__(self) -> str:
        return f"Subscription {self.pk}"
