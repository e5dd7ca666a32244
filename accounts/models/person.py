"""A person as Kaizala knows people: by phone number, whether or not they ever signed in here."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kaizala_console.lib import phone_numbers
from kaizala_console.lib.fields import IdField


def name_expression(organisation_id: UUID | models.F | models.Expression | None, person: str = "person_id") -> Coalesce:
    """Return SQL for what an organisation calls a person, "" for none; `person` is the column of the person's id."""
    names = PersonName.objects.filter(organisation=organisation_id, person=models.OuterRef(person))
    return Coalesce(models.Subquery(names.values("name")[:1]), models.Value(""))


class PersonQuerySet(models.QuerySet["Person"]):
    def with_names(self, organisation_id: UUID | None) -> PersonQuerySet:
        """Adds `name`: what this organisation calls them."""
        facts: dict[str, Any] = {"name": name_expression(organisation_id, "pk")}
        return self.annotate(**facts)


class Person(models.Model):
    """One phone number that can be a member of groups.

    `provisioned_at` is when the number was first verified; the wire's `isProvisioned` says whether
    it ever was (wire protocol §6, Members).
    """

    # What the organisation that asks calls them, once `with_names` or `accounts.queries.name_people` has set it.
    name: str = ""

    id = IdField(_("id"))
    number = models.CharField(_("phone number"), max_length=16, unique=True, help_text=_("E.164"))
    picture_url = models.URLField(_("picture"), max_length=500, blank=True)
    provisioned_at = models.DateTimeField(_("provisioned at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    objects = PersonQuerySet.as_manager()

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        ordering = ["number"]
        constraints = [models.CheckConstraint(condition=models.Q(number__startswith="+"), name="person_number_is_e164")]

    def __str__(self) -> str:
        return self.name or phone_numbers.mask(self.number)

    @property
    def display_name(self) -> str:
        """A name, or else the whole number: for people who see each other's numbers anyway."""
        return self.name or phone_numbers.display(self.number)


class PersonName(models.Model):
    """What an organisation calls a person: from its own files, or from an account or a sign-in there.

    No other organisation reads it, so whoever uploads a number learns nothing about it.
    """

    organisation = models.ForeignKey(
        "accounts.Organisation",
        verbose_name=_("organisation"),
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
    )
    person = models.ForeignKey(Person, verbose_name=_("person"), on_delete=models.CASCADE, related_name="names")
    name = models.CharField(_("name"), max_length=120)

    class Meta:
        verbose_name = _("name of a person")
        verbose_name_plural = _("names of people")
        indexes = [models.Index(fields=["organisation", "name", "id"], name="person_name_in_order")]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "person"], name="one_name_in_an_organisation"),
            models.CheckConstraint(condition=~models.Q(name=""), name="person_name_is_one"),
        ]

    def __str__(self) -> str:
        return self.name
