"""People, as Kaizala knows them: by number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import hooks, queries
from accounts.audit.events import EventType
from accounts.audit.record import Actor, record
from accounts.models import Person, PersonName
from kaizala_console.lib import clock, phone_numbers
from kaizala_console.lib.batches import batched
from kaizala_console.lib.errors import RuleBroken

LONGEST_URL: Final = 500
_is_url: Final = URLValidator(schemes=["https", "http"])


@transaction.atomic
def person_for(number: str, *, organisation_id: UUID | None = None, name: str = "") -> Person:
    """The person of a number, made when there is none, with what the organisation calls them.

    `name` is taken when the organisation has none for them yet. `number` may be any possible number with its country
    code; RuleBroken (code `phone_number`) else. Not audited by itself: whoever adds the person to something tells that.
    """
    number = phone_numbers.parse(number)
    return people_for([number], organisation_id=organisation_id, names={number: name})[number]


@transaction.atomic
def people_for(
    numbers: Iterable[str], *, organisation_id: UUID | None = None, names: Mapping[str, str] | None = None
) -> dict[str, Person]:
    """The people of many numbers in E.164, in their order, made where there are none: a few statements a thousand.

    Each has what the organisation calls them; `names`, by number, are taken for who has no name there yet. Without an
    organisation nobody has a name. Not audited by itself, as `person_for`.
    """
    wanted = list(dict.fromkeys(numbers))
    named = {number: name[:120] for number, name in (names or {}).items() if name}
    found: dict[str, Person] = {}
    # In one order, whatever order they came in: two who make the same people at once would wait for each other.
    for chunk in batched(sorted(wanted), 1000):
        Person.objects.bulk_create([Person(number=number) for number in chunk], ignore_conflicts=True)
        by_number = {person.number: person for person in Person.objects.filter(number__in=chunk)}
        new = [(by_number[number], named[number]) for number in chunk if number in named]
        if organisation_id is not None and new:
            PersonName.objects.bulk_create(
                [PersonName(organisation_id=organisation_id, person=person, name=name) for person, name in new],
                ignore_conflicts=True,
            )
        queries.name_people(organisation_id, by_number.values())
        found.update((number, by_number[number]) for number in chunk)
    return {number: found[number] for number in wanted}


@transaction.atomic
def rename_many(names: Mapping[Person, str], *, organisation_id: UUID) -> None:
    """Gives many people other names in an organisation, of 1 to 120 characters. Whoever calls it tells that."""
    for person, name in names.items():
        person.name = name
    PersonName.objects.bulk_create(
        [
            PersonName(organisation_id=organisation_id, person=person, name=name)
            for person, name in sorted(names.items(), key=lambda item: item[0].pk)  # two at once take one order
        ],
        update_conflicts=True,
        unique_fields=["organisation", "person"],
        update_fields=["name"],
        batch_size=1000,
    )


@transaction.atomic
def provision(*, person: Person) -> None:
    """Notes that the number was verified, when it is the first time. Not audited by itself: the verification is."""
    if Person.objects.filter(pk=person.pk, provisioned_at__isnull=True).update(provisioned_at=clock.now()):
        hooks.phone_verified(person.pk)
        person.refresh_from_db(fields=["provisioned_at"])


@transaction.atomic
def rename(*, person: Person, name: str, organisation_id: UUID, by: Actor) -> Person:
    """Gives a person another name in an organisation. RuleBroken when it is empty or longer than 120 characters."""
    name = " ".join(name.split())
    if not name or len(name) > 120 or "\x00" in name or any("\ud800" <= letter <= "\udfff" for letter in name):
        raise RuleBroken(_("A name has 1 to 120 characters."), code="name", field="name")
    locked = Person.objects.select_for_update(no_key=True).get(pk=person.pk)
    queries.name_people(organisation_id, [locked])
    if locked.name == name:
        return locked
    before = locked.name
    rename_many({locked: name}, organisation_id=organisation_id)
    record(
        EventType.PERSON_RENAMED,
        by=by,
        subject=locked,
        person_id=locked.pk,
        before={"name": before},
        after={"name": name},
    )
    return locked


@transaction.atomic
def change(
    *, person: Person, organisation_id: UUID, name: str | None = None, picture_url: str | None = None, by: Actor
) -> Person:
    """Changes what is not None; an empty `picture_url` takes the picture away. RuleBroken for what is none."""
    if picture_url is not None:
        person = _picture(person, checked_picture_url(picture_url, field="picture_url"), organisation_id, by)
    return person if name is None else rename(person=person, name=name, organisation_id=organisation_id, by=by)


def checked_picture_url(text: str, *, field: str) -> str:
    """The address of a picture, for a person or a group, when it can be one; "" for none. Raises RuleBroken."""
    text = text.strip()
    if not text:
        return ""
    try:
        if len(text) > LONGEST_URL:
            raise ValidationError(text)
        _is_url(text)
    except ValidationError:
        raise RuleBroken(
            _("The address of a picture begins with https:// or http:// and has up to %(most)d characters.")
            % {"most": LONGEST_URL},
            field=field,
            code="url",
        ) from None
    return text


def _picture(person: Person, url: str, organisation_id: UUID, by: Actor) -> Person:
    locked = Person.objects.select_for_update().get(pk=person.pk)
    queries.name_people(organisation_id, [locked])
    if locked.picture_url != url:
        before, locked.picture_url = locked.picture_url, url
        locked.save(update_fields=["picture_url"])
        # Such an address may hold a signature: the trail tells that there is another picture, not where it lies.
        record(
            EventType.PERSON_PICTURE_CHANGED,
            by=by,
            subject=locked,
            person_id=locked.pk,
            before={"picture": bool(before)},
            after={"picture": bool(url)},
        )
    return locked
