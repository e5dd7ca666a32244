"""People are found by words of a name, a part of a number or what is noted, by the same rule on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from accounts.models import Organisation, Person, PersonName, User
from accounts.tests.factories import make_person
from groups.models import Group, Membership, PersonAttribute, PersonAttributeValue
from groups.queries import directory, groups
from groups.services import members
from groups.tests.factories import make_group
from kaizala_console.lib.pagination import Page

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]


@pytest.fixture
def lakshmi(group: Group) -> Person:
    people = [
        make_person("Imran Sheikh", "+919822200044"),
        make_person("Ann “O'Brien” 100%_x", "+442079460000"),
        make_person("Lakshmi Iyer", "+919820000017"),
    ]
    Membership.objects.bulk_create(Membership(group=group, person=person) for person in people)
    return people[-1]


def found(user: User, words: str) -> set[str]:
    return {person.name for person in directory.list_people(user, search=words).items}


@pytest.mark.parametrize(
    "words",
    [
        *("Lakshmi Iyer", "lak", "SHMI", "i iy", "ye", "L", " iyer ", "iyer lak", "Iyer  LAKSHMI", "iyer\0"),
        *("+919820000017", "98200 00017", "0000017", "2000001", "98200-00017", "(98200) 00017", "098200 00017"),
        *("0091 98200.00017", "९८२०००००१७"),
    ],
)
def test_words_of_a_name_or_a_part_of_a_number_find(
    lakshmi: Person, group: Group, group_admin: User, words: str
) -> None:
    for names in (
        found(group_admin, words),
        {row.person.name for row in groups.member_page(group, search=words).items},
    ):
        assert lakshmi.name in names
        assert "Imran Sheikh" not in names


@pytest.mark.parametrize("words", ["rien", "o'brien", "“O'B", "100%", "%_x", "_x", "+4420", "46 00", "%"])
def test_signs_mean_themselves(lakshmi: Person, group_admin: User, words: str) -> None:
    assert found(group_admin, words) == {"Ann “O'Brien” 100%_x"}


@pytest.mark.parametrize("words", ["nobody", "iyer nobody", '"', '""" OR name : "iye', "Iye*", "x" * 400, "1 2 3 4"])
def test_what_is_in_no_name_finds_nobody(lakshmi: Person, group_admin: User, words: str) -> None:
    assert found(group_admin, words) == set()


def test_letters_of_any_script_are_found(group: Group, group_admin: User) -> None:
    for name in ("लक्ष्मी अय्यर", "İlknur Ärger"):
        Membership.objects.create(group=group, person=make_person(name))
    assert found(group_admin, "क्ष्म") == found(group_admin, "अय्यर") == {"लक्ष्मी अय्यर"}
    assert found(group_admin, "lknur") == {"İlknur Ärger"}


def test_what_is_noted_is_found_among_the_attributes_that_one_may_read(
    lakshmi: Person, organisation: Organisation, group_admin: User, organisation_admin: User
) -> None:
    for name, for_colleagues, text in (("Department", True, "Field Service Mumbai"), ("Salary", False, "Grade seven")):
        attribute = PersonAttribute.objects.create(
            organisation=organisation, name=name, for_colleagues=for_colleagues, position=for_colleagues
        )
        PersonAttributeValue.objects.create(attribute=attribute, person=lakshmi, text=text)
    assert found(group_admin, "mumbai field") == found(organisation_admin, "vice mum") == {"Lakshmi Iyer"}
    assert found(group_admin, "seven") == set()
    assert found(organisation_admin, "seven") == {"Lakshmi Iyer"}


def test_who_is_in_no_group_that_one_sees_is_not_found(lakshmi: Person, group_admin: User) -> None:
    Membership.objects.create(group=make_group("Elsewhere"), person=make_person("Lakshmi Rao"))
    assert found(group_admin, "lakshmi") == {"Lakshmi Iyer"}


# Pages ----------------------------------------------------------------------------------------------------------------


def leafed(page_of: Callable[..., Page[Any]]) -> tuple[list[str], list[str]]:
    """The names on all pages on to the last, and back from there."""

    def names(page: Page[Any]) -> list[str]:
        return [getattr(row, "person", row).name for row in page.items]

    page = page_of(size=2)
    there = names(page)
    while page.next_cursor:
        page = page_of(size=2, cursor=page.next_cursor)
        there += names(page)
    back = names(page)
    while page.previous_cursor:
        page = page_of(size=2, cursor=page.previous_cursor)
        back = names(page) + back
    return there, back


@pytest.mark.parametrize("search", ["", "umar"])
def test_the_directory_is_leafed_through_each_once_by_name(group: Group, group_admin: User, search: str) -> None:
    for number in (3, 1, 4, 1, 5):
        Membership.objects.create(group=group, person=make_person(f"Kumar {number}"))
    others = [] if search else ["Lakshmi Iyer", "Meera Nair"]
    names = ["Kumar 1", "Kumar 1", "Kumar 3", "Kumar 4", "Kumar 5", *others]
    if not search:
        names = ["Arjun Mehta", *names]
    assert leafed(lambda **at: directory.list_people(group_admin, search=search, **at)) == (names, names)


def test_the_directory_is_narrowed_to_whom_an_attribute_says_something(
    group: Group, group_admin: User, organisation: Organisation
) -> None:
    team = PersonAttribute.objects.create(organisation=organisation, name="Team", for_colleagues=True)
    for number, text in enumerate(["Stores", "Depot", "stores", "Stores", "Store"]):
        person = make_person(f"Kumar {9 - number}")
        Membership.objects.create(group=group, person=person)
        PersonAttributeValue.objects.create(attribute=team, person=person, text=text)
    unseen = make_person("Kumar 0")
    PersonAttributeValue.objects.create(attribute=team, person=unseen, text="Stores")
    for search in ("", "umar"):
        names = ["Kumar 6", "Kumar 7", "Kumar 9"]
        pages = leafed(
            lambda search=search, **at: directory.list_people(
                group_admin, search=search, attribute=team, value="Stores", **at
            )
        )
        assert pages == (names, names)


def test_the_users_of_a_group_are_leafed_through_by_name(group: Group, group_admin: User) -> None:
    for name in ("Zoe", "Priya Shah", "", "Asha", "Priya Shah"):
        Membership.objects.create(group=group, person=make_person(name))
    names = ["", "Arjun Mehta", "Asha", "Lakshmi Iyer", "Meera Nair", "Priya Shah", "Priya Shah", "Zoe"]
    assert leafed(lambda **at: groups.member_page(group, by_name=True, **at)) == (names, names)
    assert leafed(lambda **at: groups.member_page(group, by_name=True, only="admins", **at))[0] == ["Arjun Mehta"]


def test_a_page_takes_one_statement_and_one_for_the_names(group: Group, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):
        assert [row.person.name for row in groups.member_page(group, search="arju").items] == ["Arjun Mehta"]


def test_a_member_who_was_just_added_is_found(group: Group, group_admin: User) -> None:
    members.add(group=group, numbers=["+919855500077"], by=group_admin)
    assert [row.person.number for row in groups.member_page(group, search="5550007").items] == ["+919855500077"]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no trigrams: it looks at each row")
def test_the_indexes_serve_the_search(lakshmi: Person) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "person_name_trigrams" in PersonName.objects.filter(name__icontains="Iyer").order_by().explain()
    assert "person_number_parts" in Person.objects.filter(number__contains="22200").order_by().explain()
