"""Who is in a group, and as what."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import clock


class Membership(models.Model):
    """The role's values are the wire's spellings (protocol §6, Members)."""

    class Role(models.TextChoices):
        ADMIN = "Admin", _("admin")
        MEMBER = "Member", _("member")

    group = models.ForeignKey("groups.Group", on_delete=models.CASCADE, related_name="memberships")
    person = models.ForeignKey(
        "accounts.Person", on_delete=models.PROTECT, related_name="memberships"
    )
    role = models.CharField(_("role"), max_length=8, choices=Role.choices, default=Role.MEMBER)
    joined_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            models.UniqueConstraint(fields=["group", "person"], name="one_membership_a_person")
        ]
        indexes = [
            models.Index(fields=["person", "role"], name="membership_by_person"),
            models.Index(fields=["group", "joined_at", "id"], name="membership_by_group"),
        ]

    def __str__(self) -> str:
        return f"Membership {self.pk}"
