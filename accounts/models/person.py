"""A person as Kaizala knows people: by phone number, whether or not they ever signed in here."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import clock, ids, phone_numbers


class Person(models.Model):
    """One phone number that can be a member of groups.

    `provisioned_at` is when the number was first verified; the wire's `isProvisioned` says whether
    it ever was (wire protocol §6, Members).
    """

    id = models.UUIDField(_("id"), primary_key=True, default=ids.new_id, editable=False)
    number = models.CharField(_("phone number"), max_length=16, unique=True, help_text=_("E.164"))
    name = models.CharField(_("name"), max_length=120, blank=True)
    picture_url = models.URLField(_("picture"), max_length=500, blank=True)
    provisioned_at = models.DateTimeField(_("provisioned at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), default=clock.now, editable=False)

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        ordering = ["name", "number"]
        indexes = [models.Index(fields=["name", "id"], name="person_by_name")]
        constraints = [models.CheckConstraint(condition=models.Q(number__startswith="+"), name="person_number_is_e164")]

    def __str__(self) -> str:
        return self.name or phone_numbers.mask(self.number)
