"""Which group a grant reaches: the one place where right meets reach."""

from django.db import models
from django.utils.translation import gettext_lazy as _


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
