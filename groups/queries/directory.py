"""What the pages of the directory read: a person as this asker may see them, and what is noted of people."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Upper

from accounts import policies
from accounts.models import Organisation, Person, PersonName, User, VerifiedPhone
from accounts.models.person import PersonQuerySet
from connectors.authentication import AccessContext
from connectors.models import Grant
from groups import access
from groups.models import Group, Membership, PersonAttribute, PersonAttributeValue, Subscription
from groups.models.group import counted
from kaizala_console.lib.errors import NotFound
from kaizala_console.lib.pagination import Page, paginate
from kaizala_console.lib.text_search import cleaned, has_words

SLICE: Final = 500
_NUMBER: Final = re.compile(r"\+?[0-9]+")
_BETWEEN_DIGITS: Final = re.compile(r"[\s().\-/\u2010-\u2015\u200e\u200f\u202a-\u202e]")
_WHOLE: Final = 9  # digits: who looks for a part of a number types fewer
Cells = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class ViewedPerson:
    """A person, as one asker sees them: `is_self` for one's own number, `number_shown` for who administers them."""

    person: Person
    is_self: bool
    number_shown: bool


def list_people(
    user: User,
    *,
    search: str = "",
    attribute: PersonAttribute | None = None,
    value: str = "",
    cursor: str | None = None,
    size: int = 50,
) -> Page[Person]:
    """The people in the groups that a person sees, each once, by name, with `group_count` of those groups.

    `search` is words of the name, a part of the number, or words that are noted of them for this asker; with
    `attribute`, one that the asker may read, only those of whom it says `value` (in any case). Raises
    `BadCursor`.
    """
    shown = Membership.objects.filter(
        person_id=OuterRef("pk"), group__in=access.list_groups_with_members(user).order_by().values("pk")
    )
    here = user.organisation_id
    people = Person.objects.filter(Exists(shown)).with_names(here).annotate(group_count=counted(shown, "person_id"))
    if attribute is not None:
        noted = PersonAttributeValue.objects.annotate(folded=Upper("text")).filter(
            attribute=attribute, folded=Upper(Value(cleaned(value)))
        )
        people = people.filter(pk__in=noted.values("person_id"))
    if words := cleaned(search):
        readable = list_readable_attributes(user).order_by().values("pk")
        values = PersonAttributeValue.objects.filter(has_words("text", words), attribute__in=readable)
        people = people.filter(match_person(words, here) | Q(pk__in=values.values("person_id")))
    return paginate(people, ("name", "id"), cursor, size)


def match_person(words: str, organisation_id: UUID | None, *, person: str = "pk") -> Q:
    """Whether all words are in what the organisation calls the person, or they are a part of the number.

    `person` is the path to the person.
    """
    names = PersonName.objects.filter(has_words("name", words), organisation=organisation_id)
    called = Q((f"{person}__in", names.values("person_id")))
    number, path = _extract_number(words), "" if person == "pk" else f"{person}__"
    return called | Q((f"{path}number__icontains", number)) if number else called


def _extract_number(words: str) -> str:
    """The part of a number that this may be, as numbers are stored; "" when it can be none.

    The 0 (at home) or 00 (abroad) that is dialled before a whole number is in no stored number.
    """
    packed = "".join(str(unicodedata.decimal(sign, sign)) for sign in _BETWEEN_DIGITS.sub("", words))
    if not _NUMBER.fullmatch(packed):
        return ""
    return re.sub("^00?", "", packed) if len(packed) >= _WHOLE else packed


def get_person(user: User, person_id: UUID) -> ViewedPerson:
    """The person, when the asker finds them in the directory, or is them.

    Admins of a group that they are in see the whole number. Raises NotFound, the same whether or not there is such a
    person.
    """
    person = Person.objects.filter(pk=person_id).with_names(user.organisation_id).first()
    if person is None:
        raise NotFound
    if VerifiedPhone.objects.active().filter(user=user, person=person).exists():
        return ViewedPerson(person, is_self=True, number_shown=True)
    shared = _list_shared_groups(user, person)
    as_admin = shared.filter(Q(("role", access.Role.ADMIN))).exists() or _is_colleague(user, person)
    if not as_admin and not shared.exists():
        raise NotFound
    return ViewedPerson(person, is_self=False, number_shown=as_admin)


def list_person_groups(user: User, seen: ViewedPerson, *, cursor: str | None = None, size: int = 50) -> Page[Group]:
    """The groups in which the asker sees this person, by name, each with `person_role`. Raises `BadCursor`."""
    theirs = Membership.objects.filter(group_id=OuterRef("pk"), person=seen.person)
    groups = (
        access.list_visible_groups(user).filter(Exists(theirs))
        if seen.is_self
        else _list_shared_groups(user, seen.person)
    )
    return paginate(groups.annotate(person_role=Subquery(theirs.values("role")[:1])), ("name", "id"), cursor, size)


def list_user_grants(person: Person) -> QuerySet[Grant]:
    """What acts for the holder of this number, the newest first; for nobody else to see."""
    present = Grant.objects.present().filter(kind=Grant.Kind.USER, person=person)
    return present.select_related("connector").order_by("-granted_at", "-id")


def list_organisation_people(organisation: Organisation) -> PersonQuerySet:
    """Who is in a group of the organisation, or holds an account there."""
    members = Membership.objects.filter(group__organisation=organisation, group__removed_at__isnull=True)
    accounts = VerifiedPhone.objects.active().filter(user__organisation=organisation)
    return Person.objects.filter(
        Exists(members.filter(person_id=OuterRef("pk"))) | Exists(accounts.filter(person_id=OuterRef("pk")))
    )


def list_known_people(caller: AccessContext, organisation: Organisation | None) -> QuerySet[Person]:
    """Whom a program may name by id: the people of the organisation; without one, of the groups that it administers."""
    if organisation is not None:
        return list_organisation_people(organisation)
    administered = access.list_reachable_groups(caller).filter(Q(("role", access.Role.ADMIN)))
    return Person.objects.filter(
        Exists(Membership.objects.filter(group__in=administered.values("pk"), person_id=OuterRef("pk")))
    )


def get_own_person(user: User, person_id: UUID) -> Person:
    """One of the people of the organisation, for its admins. Raises NotAllowed for who is none, and NotFound."""
    policies.require_organisation_admin(user)
    found = list_organisation_people(user.organisation).filter(pk=person_id).with_names(user.organisation_id).first()
    if found is None:
        raise NotFound
    return found


# ---------------------------------------------------------------- What is noted of people


def list_attributes(organisation: Organisation) -> QuerySet[PersonAttribute]:
    """The organisation's attributes, in their order."""
    return PersonAttribute.objects.filter(organisation=organisation)


def list_readable_attributes(user: User) -> QuerySet[PersonAttribute]:
    """Those of the asker's organisation that they may read, in their order: admins all, others what is for them."""
    found = PersonAttribute.objects.filter(organisation=user.organisation_id)
    return found if user.is_organisation_admin else found.filter(for_colleagues=True)


def get_attribute(user: User, attribute_id: UUID) -> PersonAttribute:
    """One of them, for an admin of the organisation. Raises NotAllowed for who is none, and NotFound."""
    policies.require_organisation_admin(user)
    found = list_attributes(user.organisation).filter(pk=attribute_id).first()
    if found is None:
        raise NotFound
    return found


def get_values(people: Iterable[Person], attributes: Iterable[PersonAttribute]) -> dict[UUID, dict[UUID, str]]:
    """By person and attribute, what is noted; one statement, none when there is nothing to ask for."""
    keys, columns = [person.pk for person in people], [attribute.pk for attribute in attributes]
    told: dict[UUID, dict[UUID, str]] = defaultdict(dict)
    if keys and columns:
        rows = PersonAttributeValue.objects.filter(person__in=keys, attribute__in=columns)
        for person, attribute, text in rows.values_list("person_id", "attribute_id", "text"):
            told[person][attribute] = text
    return told


def export_rows(organisation: Organisation) -> Iterator[Cells]:
    """Number, name and attributes of everybody of the organisation, to be uploaded again; `SLICE` people in memory."""
    attributes = list(list_attributes(organisation))
    yield ("Phone number", "Name", *(attribute.name for attribute in attributes))
    people = list_organisation_people(organisation).with_names(organisation.pk).order_by(F("name"), "id")
    rows = people.iterator(chunk_size=SLICE)
    while slice_ := list(islice(rows, SLICE)):
        told = get_values(slice_, attributes)
        for person in slice_:
            noted = told.get(person.pk, {})
            yield (person.number, person.name, *(noted.get(attribute.pk, "") for attribute in attributes))


# ---------------------------------------------------------------- Before somebody is removed everywhere


def list_memberships(organisation: Organisation, person: Person) -> QuerySet[Membership]:
    """Of the organisation's groups, by name."""
    theirs = Membership.objects.filter(person=person, group__organisation=organisation, group__removed_at__isnull=True)
    return theirs.select_related("group").order_by("group__name", "group_id")


def list_sole_admin_memberships(organisation: Organisation, person: Person) -> QuerySet[Membership]:
    """Those of groups that nobody else runs."""
    others = Membership.objects.admins().filter(group_id=OuterRef("group_id")).exclude(person=person)
    return list_memberships(organisation, person).filter(~Exists(others), role=Membership.Role.ADMIN)


def list_subscriptions(organisation: Organisation, person: Person) -> QuerySet[Subscription]:
    """To the organisation's managed public groups."""
    return Subscription.objects.filter(
        person=person, group__organisation=organisation, group__removed_at__isnull=True
    ).select_related("group")


def _list_shared_groups(user: User, person: Person) -> QuerySet[Group]:
    return access.list_groups_with_members(user).filter(
        Exists(Membership.objects.filter(group_id=OuterRef("pk"), person=person))
    )


def _is_colleague(user: User, person: Person) -> bool:
    """Whether an admin of the organisation has to do with this person without sharing a group."""
    return user.is_organisation_admin and list_organisation_people(user.organisation).filter(Q(pk=person.pk)).exists()
