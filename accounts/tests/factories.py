"""Makes the people that tests are about. Straight into the tables: what services do is what tests look at."""

from __future__ import annotations

from itertools import count
from typing import Any

from accounts.models import Organisation, Person, PersonName, User, VerifiedPhone
from kaizala_console.lib import clock, ids

_numbers = count(1)


def make_organisation(name: str = "Contoso Logistics", **fields: Any) -> Organisation:
    """An organisation with a tenant of its own."""
    return Organisation.objects.create(name=name, **{"entra_tenant_id": str(ids.new_id()), **fields})


def make_person(name: str = "", number: str | None = None, **fields: Any) -> Person:
    """A person with a number that nobody else has, valid for an SMS; every organisation that there is calls them so."""
    person = Person.objects.create(number=number or f"+9198100{next(_numbers):05d}", **fields)
    for organisation in Organisation.objects.all() if name else ():
        give_name(person, name, organisation)
    return person


def give_name(person: Person, name: str, organisation: Organisation) -> None:
    """What the organisation calls the person."""
    PersonName.objects.create(organisation=organisation, person=person, name=name)
    person.name = name


def verify(user: User, number: str | None = None, *, is_primary: bool = True) -> VerifiedPhone:
    """Lets the account hold a number."""
    person = Person.objects.filter(number=number).first() or make_person(number=number)
    if not person.names.filter(organisation=user.organisation).exists():
        give_name(person, user.name, user.organisation)
    if person.provisioned_at is None:
        person.provisioned_at = clock.now()
        person.save(update_fields=["provisioned_at"])
    return VerifiedPhone.objects.create(user=user, person=person, is_primary=is_primary)


def make_user(name: str, organisation: Organisation, *, number: str | None = "", **fields: Any) -> User:
    """An account with a verified phone; `number=None` leaves the phone out."""
    user = User.objects.create_user(
        subject=f"{organisation.entra_tenant_id}:{ids.new_id()}",
        organisation=organisation,
        name=name,
        **{"email": f"{name.lower().replace(' ', '.')}@contoso.example", **fields},
    )
    if number is not None:
        verify(user, number or None)
    return user
