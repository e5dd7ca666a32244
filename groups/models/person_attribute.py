"""What an organisation notes of people: department, location, employee number; columns that its admins name."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower, Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib.fields import IdField


class PersonAttribute(models.Model):
    """A column of an organisation's directory. Its order is `position`, then when it was made."""

    MOST = 30
    MAX_NAME = 60

    id = IdField(_("id"))
    organisation = models.ForeignKey(
        "accounts.Organisation",
        verbose_name=_("organisation"),
        on_delete=models.PROTECT,
        related_name="person_attributes",
        db_index=False,  # person_attribute_by_position begins with it
    )
    name = models.CharField(_("name"), max_length=MAX_NAME)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    for_colleagues = models.BooleanField(
        _("colleagues see it"), default=False, help_text=_("Otherwise only organisation admins do.")
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("attribute of people")
        verbose_name_plural = _("attributes of people")
        ordering = ["position", "created_at", "id"]
        indexes = [models.Index(fields=["organisation", "position"], name="person_attribute_by_position")]
        constraints = [
            models.UniqueConstraint("organisation", Lower("name"), name="person_attribute_once"),
            models.CheckConstraint(condition=~models.Q(name=""), name="person_attribute_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name


class PersonAttributeValue(models.Model):
    """What it is for one person. Who has none has no row."""

    MAX_TEXT = 200

    attribute = models.ForeignKey(
        PersonAttribute,
        verbose_name=_("attribute"),
        on_delete=models.CASCADE,
        related_name="values",
        db_index=False,  # person_value_once begins with it
    )
    person = models.ForeignKey("accounts.Person", verbose_name=_("person"), on_delete=models.PROTECT, related_name="+")
    text = models.CharField(_("value"), max_length=MAX_TEXT)

    class Meta:
        verbose_name = _("value of an attribute")
        verbose_name_plural = _("values of attributes")
        constraints = [
            models.UniqueConstraint(fields=["attribute", "person"], name="person_value_once"),
            models.CheckConstraint(condition=~models.Q(text=""), name="person_value_says_something"),
        ]
        indexes = [models.Index("attribute", Upper("text"), name="person_value_by_text")]  # the directory's filter

    def __str__(self) -> str:
        return f"PersonAttributeValue {self.pk}"
