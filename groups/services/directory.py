"""What an organisation notes of its people: which attributes there are, and what they are for whom.

The trail tells which attributes changed, never what they say.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.audit.events import EventType
from accounts.audit.record import record
from accounts.models import Organisation, Person, User
from accounts.policies import require_organisation_admin
from groups.bulk_files import PEOPLE
from groups.models import PersonAttribute, PersonAttributeValue
from groups.queries import directory
from kaizala_console.lib.errors import NotFound, RuleBroken
from kaizala_console.lib.texts import check_text


@transaction.atomic
def add_attribute(*, name: str, by: User, for_colleagues: bool = False) -> PersonAttribute:
    """A new attribute, after the others. Asked again with the same name, it is the one that is there.

    Raises NotAllowed for who is no admin of the organisation, RuleBroken for a name that is none or a column's, or one
    too many.
    """
    organisation = _lock_organisation(by)
    name = _check_name(name)
    there = list(directory.list_attributes(organisation))
    same = next((attribute for attribute in there if attribute.name.lower() == name.lower()), None)
    if same is not None:
        return same
    if len(there) >= PersonAttribute.MOST:
        raise RuleBroken(
            _("An organisation can have at most %(most)d attributes. Delete one first.")
            % {"most": PersonAttribute.MOST},
            field="name",
        )
    position = 1 + max((attribute.position for attribute in there), default=0)
    made = PersonAttribute.objects.create(
        organisation=organisation, name=name, position=position, for_colleagues=for_colleagues
    )
    _record_event(made, by, after={"attribute": name, "for_colleagues": for_colleagues})
    return made


@transaction.atomic
def change_attribute(
    *, attribute: PersonAttribute, by: User, name: str | None = None, for_colleagues: bool | None = None
) -> PersonAttribute:
    """Changes what is not None. Raises as `add_attribute`, and NotFound for one that was removed."""
    organisation = _lock_organisation(by)
    attribute = _lock_attribute(attribute, organisation)
    before = {"attribute": attribute.name, "for_colleagues": attribute.for_colleagues}
    if name is not None:
        attribute.name = _check_name(name)
        others = directory.list_attributes(organisation).exclude(pk=attribute.pk)
        if others.filter(name__iexact=attribute.name).exists():
            raise RuleBroken(_("Another attribute has this name."), field="name", code="accepted")
    if for_colleagues is not None:
        attribute.for_colleagues = for_colleagues
    after = {"attribute": attribute.name, "for_colleagues": attribute.for_colleagues}
    if after != before:
        attribute.save(update_fields=["name", "for_colleagues"])
        _record_event(attribute, by, before=before, after=after)
    return attribute


@transaction.atomic
def move_up(*, attribute: PersonAttribute, by: User) -> None:
    """Puts it before the one that it stands behind. The first one stays."""
    order = list(directory.list_attributes(_lock_organisation(by)))
    keys = [found.pk for found in order]
    if attribute.pk not in keys:
        raise NotFound
    at = keys.index(attribute.pk)
    if at == 0:
        return
    order[at - 1], order[at] = order[at], order[at - 1]
    for position, found in enumerate(order, start=1):
        found.position = position
    PersonAttribute.objects.bulk_update(order, ["position"])
    _record_event(attribute, by, after={"attribute": attribute.name, "position": at})


@transaction.atomic
def remove_attribute(*, attribute: PersonAttribute, by: User) -> None:
    """Deletes it with all that was noted under it. Raises NotFound when it is gone already."""
    attribute = _lock_attribute(attribute, _lock_organisation(by))
    values = attribute.values.count()
    _record_event(attribute, by, before={"attribute": attribute.name, "values": values})
    attribute.delete()


@transaction.atomic
def set_values(*, person: Person, values: Mapping[UUID, str], by: User) -> list[str]:
    """Notes these values of one of the organisation's people, by attribute; an empty one is deleted. The names of the
    attributes that changed. What is not among `values` stays.

    Raises NotAllowed and NotFound as `directory_queries.own_person`, RuleBroken with the attribute's id as the field.
    """
    organisation = _lock_organisation(by)
    person = directory.get_own_person(by, person.pk)
    attributes = {found.pk: found for found in directory.list_attributes(organisation)}
    if not values.keys() <= attributes.keys():
        raise NotFound(_("One of these attributes was deleted."))
    wanted = {key: check_value(text, field=str(key)) for key, text in values.items()}
    here = directory.get_values([person], attributes.values()).get(person.pk, {})
    changed = [key for key in attributes if key in wanted and wanted[key] != here.get(key, "")]
    if not changed:
        return []
    write_values({(person.pk, key): wanted[key] for key in changed})
    names = [attributes[key].name for key in changed]
    record(
        EventType.ATTRIBUTES_SET,
        by=by,
        subject=person,
        organisation=organisation,
        person_id=person.pk,
        after={"attributes": ", ".join(names)},
    )
    return names


def check_value(text: str, *, field: str) -> str:
    """What can be noted: one line of at most 200 characters. Raises RuleBroken."""
    check_text(text, field, longest=PersonAttributeValue.MAX_TEXT * 4)
    text = " ".join(text.split())
    if len(text) > PersonAttributeValue.MAX_TEXT:
        raise RuleBroken(
            _("This is longer than %(most)d characters.") % {"most": PersonAttributeValue.MAX_TEXT},
            field=field,
            code="too_long",
        )
    return text


def write_values(values: Mapping[tuple[UUID, UUID], str]) -> None:
    """By person and attribute, for services that have checked them: an empty text deletes. They write the audit row."""
    empty = [key for key, text in values.items() if not text]
    for person, attribute in empty:
        PersonAttributeValue.objects.filter(person_id=person, attribute_id=attribute).delete()
    PersonAttributeValue.objects.bulk_create(
        [
            PersonAttributeValue(person_id=person, attribute_id=attribute, text=text)
            for (person, attribute), text in sorted(values.items())  # two at once take the rows in one order
            if text
        ],
        update_conflicts=True,
        unique_fields=["attribute", "person"],
        update_fields=["text"],
        batch_size=1000,
    )


@transaction.atomic
def note_export(*, by: User) -> None:
    """Writes down who takes the people of the organisation out; before the first line. Raises NotAllowed."""
    require_organisation_admin(by)
    record(EventType.PEOPLE_EXPORTED, by=by, subject=by.organisation, organisation=by.organisation)


def _lock_organisation(by: User) -> Organisation:
    """The organisation of an admin; who else changes its attributes waits until the transaction ends."""
    require_organisation_admin(by)
    return Organisation.objects.select_for_update(no_key=True).get(pk=by.organisation_id)


def _lock_attribute(attribute: PersonAttribute, organisation: Organisation) -> PersonAttribute:
    found = directory.list_attributes(organisation).filter(pk=attribute.pk).first()
    if found is None:
        raise NotFound(_("This attribute was deleted."))
    return found


def _check_name(name: str) -> str:
    name = " ".join(name.split())
    if name.lower() in {column.header.lower() for column in PEOPLE}:
        raise RuleBroken(
            _("The import file has a column with this name. Choose another name."),
            field="name",
            code="accepted",
        )
    return check_text(name, "name", longest=PersonAttribute.MAX_NAME, required=_("Enter a name."))


def _record_event(
    attribute: PersonAttribute,
    by: User,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    record(
        EventType.ATTRIBUTES_DEFINED,
        by=by,
        subject=attribute,
        organisation=by.organisation,
        before=before,
        after={**(after or {}), "organisation": by.organisation.name},
    )
