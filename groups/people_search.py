"""Finding people by any part of a name, of a number, or of what is noted of them, among a million (ADR 0064).

A list is walked in its own order and asks each row whether it matches: that is quick where many do, and takes all rows
where few do. So `found` first asks the indexes, which know those few; where many do, the list goes on as it would.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Upper
from django.db.models.lookups import Exact

from accounts.models import Person, User
from groups import access
from groups.models import Membership, PersonAttribute, PersonAttributeValue
from kaizala_console.lib import keyset
from kaizala_console.lib.keyset import Page
from kaizala_console.lib.name_parts import SHORTEST, with_part

MOST: Final = 5000  # rarer than that among a million, a page of a walk would look at many thousand rows
NEAR: Final = 6000  # of whom a hundredth fill a page
SORTABLE: Final = 20_000  # as many are sorted in a tenth of a second; of more, one in fifty is met soon on a walk
FEW_GROUPS: Final = 200
FILTERED: Final = 20_000  # so many users of a group are walked in no time for the few of `ONLY`, whom no index knows
ONLY: Final = {
    "admins": Q(role=Membership.Role.ADMIN),
    "members": Q(role=Membership.Role.MEMBER),
    "not-registered": Q(person__provisioned_at=None),
}
MOST_TERMS: Final = 300
LAST: Final = "\U0010ffff"
_NUMBER: Final = re.compile(r"\+?[0-9]+")
_BETWEEN_DIGITS: Final = re.compile(r"[\s().\-/\u2010-\u2015\u200e\u200f\u202a-\u202e]")
_WHOLE: Final = 9  # digits: who looks for a part of a number types fewer


class Stretch(NamedTuple):
    """The names that begin with `first`, where they stand together: none of them stands at `behind` or after it."""

    first: str
    behind: str

    def names(self) -> Q:
        """Languages let signs and cases between: so these are asked for how they begin, too."""
        return Q(name__gte=self.first, name__lt=self.behind, name__startswith=self.first)


def cleaned(search: str) -> str:
    """What is looked for. PostgreSQL takes no NUL in a text."""
    return search.replace("\0", "").strip()


def matching(words: str, *, person: str = "") -> Q:
    """Whether a part of the name, or of the number, is this; `person` is the path to the person, with its "__"."""
    number = _number_in(words)
    called = with_part(f"{person}name", words)
    return called | Q((f"{person}number__contains", number)) if number else called


def noted(words: str, attributes: QuerySet[PersonAttribute]) -> QuerySet[PersonAttributeValue]:
    """What is noted under these attributes and has this in it."""
    values = PersonAttributeValue.objects.filter(attribute__in=attributes.order_by().values("pk"))
    return values.filter(with_part("text", words))


def shown_to(user: User) -> QuerySet[Membership]:
    """The memberships of the groups whose lists a person may read.

    Most people see a few groups. These are named: else the database only guesses how large they are, and sorts a
    million people for one page. For an organisation's admin, who sees most of all, each row is asked for its group.
    """
    lists = access.lists_of(user)
    if not user.is_organisation_admin:
        groups = list(lists.order_by().values_list("pk", flat=True)[: FEW_GROUPS + 1])
        if len(groups) <= FEW_GROUPS:
            return Membership.objects.filter(group__in=groups)
    return Membership.objects.filter(Exists(lists.filter(pk=OuterRef("group_id"))))


def in_few_groups(user: User, shown: QuerySet[Membership]) -> set[UUID] | None:
    """Who has these memberships; None when they are more than `MOST`, or the asker's own organisation's."""
    if user.is_organisation_admin:
        return None
    people = list(shown.order_by().values_list("person_id", flat=True)[: MOST + 1])
    return None if len(people) > MOST else set(people)


def near_page(people: QuerySet[Person], cursor: str | None, size: int) -> Page[Person] | None:
    """A page of these people by name, if among the next `NEAR` of everybody there are as many; else None."""
    everybody = Person.objects.annotate(sorted_by=F("name"))
    sorted_people = people.annotate(sorted_by=F("name"))
    return keyset.near_page(sorted_people, ("sorted_by", "id"), cursor, size, along=everybody, reach=NEAR)


def few(rows: QuerySet[Any], column: str) -> tuple[QuerySet[Any], tuple[str, str]]:
    """Few rows, named by their keys, and how to order them by a column: as no index does.

    Else PostgreSQL walks through everybody by the index of that order, where it takes the few to be spread evenly.
    """
    return rows.annotate(sorted_by=Coalesce(column, column)), ("sorted_by", "id")


def noted_as(attribute: PersonAttribute, text: str) -> QuerySet[PersonAttributeValue]:
    """What is noted under this attribute and is this text, in any case."""
    return PersonAttributeValue.objects.filter(Exact(Upper("text"), Upper(Value(text))), attribute=attribute)


def found_as(attribute: PersonAttribute, text: str) -> list[UUID] | None:
    """All people of whom the attribute says this; None when they are more than `MOST`. One statement, as `found`."""
    keys = list(noted_as(attribute, text).values_list("person_id", flat=True)[: MOST + 1])
    return None if len(keys) > MOST else keys


def are_sortable(noted: QuerySet[PersonAttributeValue]) -> bool:
    """Whether these are few enough to be sorted for a page: walking through everybody to meet those whose names happen
    to stand at the end takes seconds.
    """
    return noted.order_by().values("pk")[: SORTABLE + 1].count() <= SORTABLE


def beginnings(words: str) -> list[Stretch]:
    """Whose name begins with these words, as people write names: each a stretch of the list by name.

    How a database sorts decides what lies within a stretch. Who begins with the words and stands elsewhere is in none.
    """
    written = dict.fromkeys((words, words.lower(), words.upper(), words.title(), words[:1].upper() + words[1:]))
    return [Stretch(one, _behind(one)) for one in written]


def found(
    words: str, *, attributes: QuerySet[PersonAttribute] | None = None, but_for: Sequence[Stretch] = ()
) -> list[UUID] | None:
    """All people who match, by name, number, or these attributes; None when they are more than `MOST`. `but_for` are
    `beginnings`: who has these is looked for by what is noted alone.

    One statement (on SQLite up to four for one or two letters), for whoever asks: the caller shows of them what the
    asker may see.
    """
    if connection.vendor == "sqlite":
        keys = _by_sqlite(words, attributes, but_for)
    else:
        people = Person.objects.filter(matching(words)).order_by().values_list("pk", flat=True)
        if but_for:
            people = people.exclude(_in_one_of(but_for))
        if attributes is not None:
            people = people.union(noted(words, attributes).values_list("person_id", flat=True), all=True)
        keys = list(people[: MOST + 1])
    return None if keys is None or len(keys) > MOST else list(dict.fromkeys(keys))


def page_by_name(rows: QuerySet[Any], words: str, cursor: str | None, size: int) -> Page[Person]:
    """The people of these rows of one group by name, of whom a part of the name or the number is `words`, if any.

    A few are sorted. Of more, a page is met soon on a walk through everybody by name that asks each for their row; or
    it is taken from the few who have the words. The mark of a page holds when few become many. Raises `BadCursor`.
    """
    order = ("sorted_by", "id")
    if rows.order_by().values("pk")[: MOST + 1].count() <= MOST:
        people = Person.objects.filter(pk__in=rows.order_by().values("person_id"))
        if words:
            return page_of_found(people, words, cursor, size, are_few=True)
        return keyset.page(*few(people, "name"), cursor, size)
    people = Person.objects.filter(Exists(rows.filter(person_id=OuterRef("pk"))))
    if words:
        return page_of_found(people, words, cursor, size)
    return keyset.page(people.annotate(sorted_by=F("name")), order, cursor, size)


def page_of_found(
    people: QuerySet[Person],
    words: str,
    cursor: str | None,
    size: int,
    *,
    attributes: QuerySet[PersonAttribute] | None = None,
    are_few: bool = False,
) -> Page[Person]:
    """Those of these people who match, each with `sorted_by`: first those whose names begin with the words, by name,
    as people look for each other; then the others. `are_few` when these people can be sorted. Raises `BadCursor`.

    Everybody called Priya stands together in a list by name, so the list is entered there. The others are asked for
    when a page comes to them: up to `MOST` are named; where more match, a walk by name soon meets some.
    """
    begin = beginnings(words)

    def in_order(rows: QuerySet[Person], *, are_few: bool) -> QuerySet[Person]:
        return few(rows, "name")[0] if are_few else rows.annotate(sorted_by=F("name"))

    def those_who_begin() -> list[QuerySet[Person]]:
        if are_few:
            return [in_order(people.filter(_in_one_of(begin)), are_few=True)]
        asked = [Exists(Person.objects.filter(one.names())) for one in begin]
        are_there = next(iter(Person.objects.order_by().values_list(*asked)[:1]), ())
        there = [one for one, is_there in zip(begin, are_there, strict=False) if is_there]
        return [in_order(people.filter(one.names()), are_few=False) for one in there]

    def the_others() -> list[QuerySet[Person]]:
        others = people.exclude(_in_one_of(begin))
        named = None if are_few else found(words, attributes=attributes, but_for=begin)
        if named is not None:
            return [in_order(others.filter(pk__in=named), are_few=True)]
        wanted = matching(words)
        if attributes is not None:
            wanted |= Q(Exists(noted(words, attributes).filter(person_id=OuterRef("pk"))))
        return [in_order(others.filter(wanted), are_few=are_few)]

    everybody = Person.objects.annotate(sorted_by=F("name"))
    return keyset.in_turn(everybody, (those_who_begin, the_others), ("sorted_by", "id"), cursor, size)


def _in_one_of(stretches: Sequence[Stretch]) -> Q:
    return reduce(or_, (one.names() for one in stretches))


def _behind(words: str) -> str:
    """What stands behind all that begins with these words, in the order of languages and in that of code points."""
    last = words[-1:]
    if last in {"", "z", "Z"}:  # what follows "z" is a sign, which languages sort before the letters
        return words + "z" * 8
    following = chr(min(ord(last) + 1, ord(LAST)))
    return words + LAST if "\ud800" <= following <= "\udfff" else words[:-1] + following


def _by_sqlite(
    words: str, attributes: QuerySet[PersonAttribute] | None, but_for: Sequence[Stretch]
) -> list[UUID] | None:
    number = _number_in(words)
    with connection.cursor() as cursor:
        called, numbered = (_wanted(cursor, "groups_person_terms", text) for text in (words, number))
        valued = _wanted(cursor, "groups_value_terms", words) if attributes is not None else ""
        if called is None or numbered is None or valued is None:
            return None
        wanted = " OR ".join(
            f"{column} : ({text})" for column, text in (("name", called), ("number", numbered)) if text
        )
        asked: list[tuple[str, list[Any]]] = []
        if wanted:
            sql = _PEOPLE.format(more=_OTHERS * len(but_for))
            asked.append((sql, [wanted, *(edge for one in but_for for edge in one), MOST + 1]))
        if attributes is not None and valued:
            readable, more = attributes.order_by().values("pk").query.sql_with_params()
            asked.append((_VALUES.format(attributes=readable), [valued, *more, MOST + 1]))
        if not asked:
            return []
        cursor.execute(
            " UNION ALL ".join(sql for sql, _params in asked), [each for _sql, params in asked for each in params]
        )
        return [UUID(key) for (key,) in cursor.fetchall()]


def _wanted(cursor: Any, terms: str, text: str) -> str | None:
    """What FTS5 is asked for this part: the part itself, or the trigrams that begin with it; "" when there are none,
    None when these are so many that nearly everybody matches.
    """
    if not text or len(text) >= SHORTEST:
        return _phrase(text) if text else ""
    begin = text.lower()
    cursor.execute(_TERMS.format(terms=terms), [begin, begin + LAST])
    found = []
    for term, rows in cursor.fetchmany(MOST_TERMS + 1):  # an iterator that is left early closes the cursor
        found.append(_phrase(term))
        if rows > MOST or len(found) > MOST_TERMS:
            return None
    return " OR ".join(found)


def _phrase(text: str) -> str:
    return '"{}"'.format(text.replace('"', '""'))


def _number_in(words: str) -> str:
    """The part of a number that this may be, as numbers are kept; "" when it can be none.

    What is dialled before a whole number at home (0) or abroad (00) stands in none. Who has a zero there is found.
    """
    packed = "".join(str(unicodedata.decimal(sign, sign)) for sign in _BETWEEN_DIGITS.sub("", words))
    if not _NUMBER.fullmatch(packed):
        return ""
    return re.sub("^00?", "", packed) if len(packed) >= _WHOLE else packed


_TERMS: Final = "SELECT term, doc FROM {terms} WHERE term >= %s AND term < %s"
# Each looks no further than it must: of what many match, the first are enough to know.
_PEOPLE: Final = """
SELECT * FROM (SELECT k.person_id FROM groups_person_parts
 CROSS JOIN groups_person_key k ON k.key = groups_person_parts.rowid
 WHERE groups_person_parts MATCH %s{more} LIMIT %s)"""
_OTHERS: Final = """
 AND NOT EXISTS (SELECT 1 FROM accounts_person p WHERE p.id = k.person_id AND p.name >= %s AND p.name < %s)"""
_VALUES: Final = """
SELECT * FROM (SELECT v.person_id FROM groups_value_parts
 CROSS JOIN groups_personattributevalue v ON v.id = groups_value_parts.rowid
 WHERE groups_value_parts MATCH %s AND v.attribute_id IN ({attributes}) LIMIT %s)"""
