"""People, as Kaizala knows them: by number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit.record import Actor, record
from accounts.audit.tags import Tag
from accounts.models import Person
from kaizala_console.lib import phone_numbers
from kaizala_console.lib.errors import RuleBroken


@transaction.atomic
def person_for(number: str, *, name: str = "") -> Person:
    """The person of a number, made when there is none; `name` is taken when the person has none yet.

    `number` may be any possible number with its country code; RuleBroken (code `phone_number`) else. Not audited
    by itself: whoever adds the person to something tells that.
    """
    number = phone_numbers.parse(number)
    person, made = Person.objects.get_or_create(number=number, defaults={"name": name[:120]})
    if not made and name and not person.name:
        Person.objects.filter(pk=person.pk, name="").update(name=name[:120])
        person.refresh_from_db(fields=["name"])
    return person


@transaction.atomic
def people_for(numbers: Iterable[str]) -> dict[str, Person]:
    """The people of many numbers in E.164, in their order, made where there are none: two statements a thousand.

    Not audited by itself, as `person_for`.
    """
    found: dict[str, Person] = {}
    for chunk in _chunks(dict.fromkeys(numbers), 1000):
        Person.objects.bulk_create([Person(number=number) for number in chunk], ignore_conflicts=True)
        by_number = {person.number: person for person in Person.objects.filter(number__in=chunk)}
        found.update((number, by_number[number]) for number in chunk)
    return found


@transaction.atomic
def rename(*, person: Person, name: str, by: Actor) -> Person:
    """Gives a person another name. RuleBroken when it is empty or longer than 120 characters."""
    name = " ".join(name.split())
    if not name or len(name) > 120:
        raise RuleBroken(_("A name has 1 to 120 characters."), code="name", field="name")
    locked = Person.objects.select_for_update().get(pk=person.pk)
    if locked.name == name:
        return locked
    before, locked.name = locked.name, name
    locked.save(update_fields=["name"])
    record(
        Tag.PERSON_RENAMED, by=by, subject=locked, person_id=locked.pk, before={"name": before}, after={"name": name}
    )
    return locked


def _chunks(numbers: Iterable[str], size: int) -> Iterator[list[str]]:
    remaining = iter(numbers)
    while chunk := list(islice(remaining, size)):
        yield chunk
