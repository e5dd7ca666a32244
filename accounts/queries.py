"""What this app can tell: reads only, scoped to the person who asks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.db.models import BigIntegerField, QuerySet, UUIDField

from accounts.models import AuthenticatorApp, Person, PersonName, PinDevice, User, VerifiedPhone
from accounts.models.person import PersonQuerySet
from kaizala_console.lib import clock
from kaizala_console.lib.prepared import Prepared


def name_people(organisation_id: UUID | None, people: Iterable[Person | None]) -> None:
    """Set the `name` of each person to what this organisation calls them, or "". One statement."""
    wanted = [person for person in people if person is not None]
    names: dict[UUID, str] = {}
    if organisation_id is not None and wanted:
        rows = PersonName.objects.filter(organisation=organisation_id, person__in={person.pk for person in wanted})
        names = dict(rows.values_list("person_id", "name"))
    for person in wanted:
        person.name = names.get(person.pk, "")


def held_phones(user: User) -> QuerySet[VerifiedPhone]:
    """The numbers that the account holds now, the primary first; each with its person."""
    return user.verified_phones.active().select_related("person").order_by("-is_primary", "verified_at", "id")


def held_people(user: User) -> PersonQuerySet:
    """The people that the account is, by its numbers: what it may do in a group follows from them."""
    return _held_by(user.pk)


def _held_by(user_id: Any) -> PersonQuerySet:
    return Person.objects.filter(verified_phones__user=user_id, verified_phones__released_at__isnull=True)


def primary_person(user: User) -> Person | None:
    """The person of the account's primary number; None until a phone is verified."""
    return _PRIMARY_PERSON.first(user=user.pk, organisation=user.organisation_id)


def _select_primary_person(user: Any, organisation: Any) -> PersonQuerySet:
    primary = _held_by(user).filter(verified_phones__is_primary=True)
    return primary.with_names(organisation).order_by("pk")[:1]


_PRIMARY_PERSON: Final = Prepared(_select_primary_person, user=BigIntegerField(), organisation=UUIDField())


def has_held_a_number(user: User) -> bool:
    """Whether the account holds a number, or held one that it gave back."""
    return user.verified_phones.exists()


def open_pin(user: User, purpose: PinDevice.Purpose, *, number: str | None = None) -> PinDevice | None:
    """The newest PIN of the account that may still be entered, for any number or for one; None when there is none."""
    pins = PinDevice.objects.filter(user=user, purpose=purpose, used_at=None, superseded_at=None)
    if number is not None:
        pins = pins.filter(number=number)
    newest = pins.select_related("sms").order_by("-id").exclude(sent_at=None).first()
    return newest if newest is not None and newest.is_open(clock.now()) else None


def latest_pins(
    user: User, purpose: PinDevice.Purpose, *, number: str | None = None
) -> tuple[PinDevice | None, PinDevice | None]:
    """The newest PIN of the account that may be entered, and the newest of all if it has not left: it waits, or could
    not be sent.
    """
    now = clock.now()
    pins = PinDevice.objects.filter(user=user, purpose=purpose, used_at=None, superseded_at=None, valid_until__gt=now)
    if number is not None:
        pins = pins.filter(number=number)
    rows = list(pins.select_related("sms").order_by("-id")[:10])
    is_open = next((pin for pin in rows if pin.is_open(now)), None)
    return is_open, rows[0] if rows and rows[0].sent_at is None else None


def totp_device(user: User) -> AuthenticatorApp | None:
    """The authenticator app that the account confirms with; None until one is set up."""
    return AuthenticatorApp.objects.filter(user=user, confirmed=True).order_by("id").first()
