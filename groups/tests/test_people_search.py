"""People are found by any part of a name, of a number or of what is noted, by the same rule on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.audit.record import SYSTEM
from accounts.models import Organisation, Person, User
from accounts.services import people
from accounts.tests.factories import make_person
from connectors.models import Connector
from groups import people_search, search_index
from groups.models import Group, Membership, PersonAttribute, PersonAttributeValue
from groups.queries import directory
from groups.queries import groups as queries
from groups.services import members
from groups.tests.factories import make_group
from kaizala_console.lib.name_parts import with_part

pytestmark = pytest.mark.django_db


def found(words: str, **options: Any) -> set[str]:
    keys = people_search.found(people_search.cleaned(words), **options)
    assert keys is not None
    return set(Person.objects.filter(pk__in=keys).values_list("name", flat=True))


@pytest.fixture
def lakshmi(db: None) -> Person:
    make_person("Imran Sheikh", "+919822200044")
    make_person("Ann “O'Brien” 100%_x", "+442079460000")
    return make_person("Lakshmi Iyer", "+919820000017")


@pytest.mark.parametrize(
    "words",
    ["Lakshmi Iyer", "lak", "SHMI", "i iy", "ye", "L", " iyer ", "+919820000017", "98200 00017", "0000017", "2000001"],
)
def test_any_part_of_a_name_or_of_a_number_finds(lakshmi: Person, words: str) -> None:
    assert lakshmi.name in found(words)
    assert "Imran Sheikh" not in found(words)


@pytest.mark.parametrize("words", ["98200-00017", "(98200) 00017", "098200 00017", "0091 98200.00017", "९८२०००००१७"])
def test_a_number_is_found_as_it_is_written_elsewhere(lakshmi: Person, words: str) -> None:
    assert found(words) == {"Lakshmi Iyer"}


@pytest.mark.parametrize("words", ["rien", "o'brien", "“O'B", "100%", "%_x", "_x", "+4420", "46 00"])
def test_signs_mean_themselves(lakshmi: Person, words: str) -> None:
    assert found(words) == {"Ann “O'Brien” 100%_x"}


@pytest.mark.parametrize(
    "words", ["nobody", "%", "iyer lak", '"', '""" OR name : "iye', "Iye*", "x" * 400, "iyer\0", "1 2 3 4"]
)
def test_what_is_in_no_name_finds_nobody_but_whom_it_names(lakshmi: Person, words: str) -> None:
    wanted = {"%": {"Ann “O'Brien” 100%_x"}, "iyer\0": {"Lakshmi Iyer"}}
    assert found(words) == wanted.get(words, set())


def test_letters_of_any_script_are_found(db: None) -> None:
    make_person("लक्ष्मी अय्यर")
    make_person("İlknur Ärger")
    assert found("क्ष्म") == found("अय्यर") == {"लक्ष्मी अय्यर"}
    assert found("lknur") == {"İlknur Ärger"}


LETTERS = st.text(alphabet="aAbB 12क", min_size=0, max_size=8)


@given(names=st.lists(LETTERS.map(lambda text: f"x{text}x"), min_size=1, max_size=6), words=LETTERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_finds_whom_looking_at_everybody_finds(db: None, names: list[str], words: str) -> None:
    with transaction.atomic():
        made = [make_person(name, f"+9199300{place:05}") for place, name in enumerate(names)]
        words = people_search.cleaned(words) or "a"
        number = words.replace(" ", "")
        looked = {
            one.pk for one in made if words.lower() in one.name.lower() or (number.isdecimal() and number in one.number)
        }
        assert set(people_search.found(words) or []) & {one.pk for one in made} == looked
        transaction.set_rollback(True)


def test_whoever_is_named_by_any_way_is_found_by_that_name_alone(lakshmi: Person) -> None:
    people.rename(person=lakshmi, name="Lakshmi Rao", by=SYSTEM)
    assert (found("iyer"), found("shmi rao")) == (set(), {"Lakshmi Rao"})
    people.rename_many({lakshmi: "Lakshmi Menon"})
    assert (found("shmi rao"), found("menon")) == (set(), {"Lakshmi Menon"})
    people.people_for(["+919820000017", "+919833300001"], names={"+919833300001": "Devika Menon"})
    assert found("menon") == {"Lakshmi Menon", "Devika Menon"}
    people.person_for("+919833300002")
    people.person_for("+919833300002", name="Sunil Menon")
    assert found("il menon") == {"Sunil Menon"}
    Person.objects.filter(pk=lakshmi.pk).update(number="+919844400001")
    assert (found("0000017"), found("844400001")) == (set(), {"Lakshmi Menon"})
    lakshmi.delete()
    assert found("menon") == {"Devika Menon", "Sunil Menon"}


def test_what_is_noted_is_found_among_the_attributes_that_are_asked_for(
    lakshmi: Person, organisation: Organisation
) -> None:
    department, salary = (
        PersonAttribute.objects.create(organisation=organisation, name=name) for name in ("Department", "Salary")
    )
    value = PersonAttributeValue.objects.create(attribute=department, person=lakshmi, text="Field Service Mumbai")
    readable = PersonAttribute.objects.filter(pk=department.pk)
    assert found("vice mum", attributes=readable) == found("um", attributes=readable) == {"Lakshmi Iyer"}
    assert found("vice mum") == found("vice mum", attributes=PersonAttribute.objects.filter(pk=salary.pk)) == set()
    assert found("iyer", attributes=readable) == {"Lakshmi Iyer"}
    value.text = "Depot"
    value.save()
    assert (found("mumbai", attributes=readable), found("depo", attributes=readable)) == (set(), {"Lakshmi Iyer"})
    value.delete()
    assert found("depot", attributes=readable) == set()


def test_where_many_match_the_lists_show_the_same(
    group: Group, group_admin: User, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = make_group("Elsewhere", organisation=organisation)
    for number in range(5):
        people_of_both = make_person(f"Kumar {number}")
        Membership.objects.create(group=group if number else elsewhere, person=people_of_both)
    attribute = PersonAttribute.objects.create(organisation=organisation, name="Team", for_colleagues=True)
    noted = Person.objects.get(name="Kumar 3")
    PersonAttributeValue.objects.create(attribute=attribute, person=noted, text="Akumara")

    def shown() -> list[list[str]]:
        return [
            [row.person.name for row in queries.member_page(group, search="umar").items],
            [person.name for person in directory.page(group_admin, search="umar").items],
        ]

    few = shown()
    assert few == [[f"Kumar {number}" for number in range(1, 5)]] * 2
    monkeypatch.setattr(people_search, "MOST", 3)
    assert people_search.found("umar") is None
    assert shown() == few
    monkeypatch.setattr(people_search, "FEW_GROUPS", 0)
    assert shown() == few


@pytest.mark.parametrize("search", ["", "umar"])
@pytest.mark.parametrize("most", [3, 5000])
def test_the_directory_is_leafed_through_each_once(
    group: Group, group_admin: User, search: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people_search, "MOST", most)
    for number in range(5):
        Membership.objects.create(group=group, person=make_person(f"Kumar {number % 2}"))
    whole = [person.pk for person in directory.page(group_admin, search=search).items]
    seen, cursor = [], None
    while True:
        page = directory.page(group_admin, search=search, cursor=cursor, size=2)
        seen += [person.pk for person in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == whole
    assert len(whole) == (5 if search else 8)


@pytest.mark.parametrize("bounds", [{}, {"MOST": 1}, {"MOST": 1, "SORTABLE": 1}])
@pytest.mark.parametrize("search", ["", "umar"])
def test_however_many_have_a_value_the_directory_shows_them_in_order(
    group: Group,
    group_admin: User,
    organisation: Organisation,
    monkeypatch: pytest.MonkeyPatch,
    bounds: Any,
    search: str,
) -> None:
    for name, bound in bounds.items():
        monkeypatch.setattr(people_search, name, bound)
    team = PersonAttribute.objects.create(organisation=organisation, name="Team", for_colleagues=True)
    for number, text in enumerate(["Stores", "Depot", "stores", "Stores", "Store"]):
        person = make_person(f"Kumar {9 - number}")
        Membership.objects.create(group=group, person=person)
        PersonAttributeValue.objects.create(attribute=team, person=person, text=text)
    there, cursor = [], None
    while True:
        page = directory.page(group_admin, search=search, attribute=team, value="Stores", cursor=cursor, size=2)
        there += [person.name for person in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert there == ["Kumar 6", "Kumar 7", "Kumar 9"]


@pytest.mark.parametrize("search", ["priya", "Priya", "PRIYA S", "az", "Aziz", "iya", "प्रिया", "98"])
def test_many_who_begin_with_the_words_are_shown_in_the_order_of_all(
    organisation_admin: User, organisation: Organisation, search: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = make_group(admins=[organisation_admin])
    names = ["Priya Shah", "Priya Shah", "Priya", "priya shetty", "PRIYA SEN", "Priyanka", "Prïya", "Anupriya"]
    names += [
        "Zz Priya",
        "Aziz",
        "Aziz Khan",
        "azizulla",
        "Azizzzzzzzzzzz",
        "Azra",
        "प्रिया",
        "प्रिया शाह",
        "सुप्रिया",
        "Zoe",
    ]
    team = PersonAttribute.objects.create(organisation=organisation, name="Team", for_colleagues=True)
    for name in names:
        Membership.objects.create(group=group, person=make_person(name))
    for name in ("Zoe", "Priya"):
        PersonAttributeValue.objects.create(attribute=team, person=Person.objects.get(name=name), text="Priya’s Aziz")

    def leafed(backwards: bool) -> list[str]:
        seen: list[str] = []
        page = directory.page(organisation_admin, search=search, size=2)
        while page.next_cursor:
            seen += [person.name for person in page.items]
            page = directory.page(organisation_admin, search=search, cursor=page.next_cursor, size=2)
        seen += [person.name for person in page.items]
        if not backwards:
            return seen
        back: list[str] = [person.name for person in page.items]
        while page.previous_cursor:
            page = directory.page(organisation_admin, search=search, cursor=page.previous_cursor, size=2)
            back = [person.name for person in page.items] + back
        return back

    whole = [person.name for person in directory.page(organisation_admin, search=search, size=90).items]
    assert whole
    for most in (1, 3, 6, 8):
        monkeypatch.setattr(people_search, "MOST", most)
        assert leafed(backwards=False) == leafed(backwards=True) == whole, most


def test_who_begins_with_the_words_is_met_where_they_begin(
    organisation_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A walk through the list by name would look at everybody before."""
    group = make_group(admins=[organisation_admin])
    for name in ("Anupriya", *(f"Priya {number}" for number in range(6)), "Zoe"):
        Membership.objects.create(group=group, person=make_person(name))
    monkeypatch.setattr(people_search, "MOST", 3)
    with CaptureQueriesContext(connection) as asked:
        page = directory.page(organisation_admin, search="priya", size=3)
    assert [person.name for person in page.items] == ["Priya 0", "Priya 1", "Priya 2"]
    [listed] = [one["sql"] for one in asked.captured_queries if "group_count" in one["sql"]]
    assert "'Priya'" in listed
    assert "'PRIYA'" not in listed  # nobody is called so
    assert '"name" >= ' in listed
    second = directory.page(organisation_admin, search="priya", size=3, cursor=page.next_cursor)
    third = directory.page(organisation_admin, search="priya", size=3, cursor=second.next_cursor)
    assert [person.name for person in (*second.items, *third.items)] == ["Priya 3", "Priya 4", "Priya 5", "Anupriya"]


def test_a_search_costs_one_statement_more(group: Group, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):
        assert [row.person.name for row in queries.member_page(group, search="arju").items] == ["Arjun Mehta"]


def test_who_was_there_before_the_indexes_is_found(lakshmi: Person, organisation: Organisation) -> None:
    search_index.drop(connection)
    attribute = PersonAttribute.objects.create(organisation=organisation, name="Team", for_colleagues=True)
    PersonAttributeValue.objects.create(attribute=attribute, person=lakshmi, text="Stores")
    make_person("Devika Rao")
    connection.check_constraints()  # PostgreSQL: they would be asked at the end, and no index is made before that
    for _twice in range(2):
        assert search_index.make(connection)
        assert found("vika") == {"Devika Rao"}
        assert found("tores", attributes=PersonAttribute.objects.all()) == {"Lakshmi Iyer"}
    make_person("Kavya Rao")
    assert found("rao") == {"Devika Rao", "Kavya Rao"}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite always has what it needs")
def test_without_the_right_to_add_trigrams_the_same_is_found(lakshmi: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_index, "_EXTENSION", "CREATE EXTENSION IF NOT EXISTS there_is_none_of_this_name")
    assert not search_index.make(connection)
    assert found("shmi") == {"Lakshmi Iyer"}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="On SQLite the statement names the index")
@pytest.mark.parametrize(
    ("lookup", "index"), [("name__icontains", "person_name_parts"), ("number__contains", "person_number_parts")]
)
def test_the_index_serves_the_statement(lakshmi: Person, lookup: str, index: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert index in Person.objects.filter(**{lookup: "22200"}).order_by().explain()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="On SQLite the statement names the index")
@pytest.mark.parametrize("words", ["q", "qz"])
def test_an_index_serves_one_or_two_letters(lakshmi: Person, words: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    people = Person.objects.filter(with_part("name", words)).order_by()
    values = PersonAttributeValue.objects.filter(with_part("text", words)).order_by()
    groups, connectors = (table.objects.filter(with_part("name", words)).order_by() for table in (Group, Connector))
    assert "person_name_letters" in people.explain()
    assert "person_value_letters" in values.explain()
    assert "group_name_letters" in groups.explain()
    assert "connector_name_letters" in connectors.explain()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has an index of the letters themselves")
@pytest.mark.parametrize("bound", ["MOST_TERMS", "MOST"])
def test_letters_that_begin_too_many_trigrams_are_not_looked_for(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list itself is walked then: of what many have, that meets a page soon."""
    for name in ("Qzar", "Qab", "Qzar"):
        make_person(name)
    assert found("q") == {"Qzar", "Qab"}
    monkeypatch.setattr(people_search, bound, 1)
    assert people_search.found("q") is None


def test_what_is_noted_is_found_by_one_or_two_letters(organisation: Organisation) -> None:
    attribute = PersonAttribute.objects.create(organisation=organisation, name="Place", position=1)
    for name, text in (("Asha", "Qatar"), ("Meera", "Doha, Q."), ("Imran", "Mumbai")):
        PersonAttributeValue.objects.create(attribute=attribute, person=make_person(name), text=text)
    attributes = PersonAttribute.objects.filter(pk=attribute.pk)
    assert found("q", attributes=attributes) == {"Asha", "Meera"}
    assert found("q.", attributes=attributes) == {"Meera"}
    PersonAttributeValue.objects.filter(text="Doha, Q.").update(text="Doha")
    assert found("q", attributes=attributes) == {"Asha"}
    assert found("qx", attributes=attributes) == set()


def test_one_or_two_letters_are_found_wherever_they_stand(db: None) -> None:
    names = ["Qz", "Aqz", "Qza", "Aaqz", "Aa qz", "Zq", "Aq Za", "Q z", "Q\nz"]
    for name in names:
        make_person(name)
    assert found("qz") == {"Qz", "Aqz", "Qza", "Aaqz", "Aa qz"}
    assert found("q") == set(names)
    assert found("zq") == {"Zq"}


def test_a_member_who_was_just_added_is_found(group: Group, group_admin: User) -> None:
    members.add(group=group, numbers=["+919855500077"], by=group_admin)
    assert [row.person.number for row in queries.member_page(group, search="5550007").items] == ["+919855500077"]
