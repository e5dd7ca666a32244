"""An organisation: one Microsoft Entra tenant, and the policies its admins set."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib.fields import IdField


class Organisation(models.Model):
    id = IdField(_("id"))
    name = models.CharField(_("name"), max_length=120)
    entra_tenant_id = models.CharField(
        _("Entra tenant ID"),
        max_length=64,
        unique=True,
        help_text=_("The `tid` claim of the tenant whose people sign in to this organisation."),
    )
    moved_to = models.URLField(
        _("moved to"),
        blank=True,
        help_text=_("When set, programs are sent to this address with 308 (wire protocol §1)."),
    )
    admins_may_see_tokens = models.BooleanField(
        _("admins may see refresh tokens"),
        default=True,
        help_text=_("Whether the admin who adds a connector can view its refresh token once."),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
