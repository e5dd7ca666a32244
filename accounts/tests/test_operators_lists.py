"""The operators' lists take as long with a million rows as with a thousand, and say which rows they looked at."""

from __future__ import annotations

import datetime as dt
import html
import re
from typing import Any

import pytest
from django.contrib.admin import AllValuesFieldListFilter, FieldListFilter
from django.contrib.admin.utils import get_fields_from_path
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.audit.record import SYSTEM, event, record_all
from accounts.audit.tags import Tag
from accounts.models import AuditEvent, Person, User, VerifiedPhone
from accounts.operators import long_lists, search, site
from accounts.operators.long_lists import ValuesOfTheNewest
from accounts.tests.factories import make_user
from kaizala_console.lib import bounded, clock

PERSONS = "/operators/accounts/person/"
EVENTS = "/operators/accounts/auditevent/"


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stretch of three rows."""
    monkeypatch.setattr(long_lists, "STRETCH", 3)


@pytest.fixture
def people(db: None) -> list[Person]:
    """Eight, in the order in which they came."""
    return [Person.objects.create(number=f"+9198200002{n:02}", name=f"Caller {n}") for n in range(8)]


def told(
    user: User, *, tag: Tag = Tag.USER_CHANGED, by: Any = SYSTEM, person: Person | None = None, days_on: int = 0
) -> AuditEvent:
    """An event of the trail."""
    person_id = person.pk if person else None
    one = event(tag, by=by, subject=user, organisation=user.organisation, person_id=person_id)
    one.at = clock.now() + dt.timedelta(days=days_on)
    with transaction.atomic():
        record_all([one])
    return AuditEvent.objects.order_by("-pk")[0]


def shown(page: Any) -> list[str]:
    """The keys of the rows of a list, from above."""
    return re.findall(r'<th class="field-[^>]*><a href="[^"]*/([^/"]+)/change/', page.content.decode())


def link(page: Any, text: str) -> str | None:
    found = re.search(rf'<a href="([^"]*)">{text}</a>', page.content.decode())
    return html.unescape(found[1]) if found else None


@pytest.mark.usefixtures("short")
def test_a_list_is_read_stretch_by_stretch_and_each_row_is_met_once(desk: Client, people: list[Person]) -> None:
    keys = [str(key) for key in Person.objects.order_by("-pk").values_list("pk", flat=True)]
    met: list[str] = []
    there: str | None = ""
    while there is not None:
        page = desk.get(PERSONS + there)
        assert len(shown(page)) <= 3
        met += shown(page)
        there = link(page, "The rows before these")
    assert met == keys
    assert link(page, "The newest rows") == "?"


@pytest.mark.usefixtures("short")
def test_only_the_rows_of_the_stretch_are_counted(desk: Client, people: list[Person]) -> None:
    with CaptureQueriesContext(connection) as asked:
        page = desk.get(PERSONS)
    counts = [each["sql"] for each in asked if "COUNT(" in each["sql"] and '"accounts_person"' in each["sql"]]
    assert len(counts) == 1
    assert '"accounts_person"."id" >=' in counts[0]
    assert "3 people" in page.content.decode() or "3 persons" in page.content.decode()


def test_a_list_that_fits_says_nothing_of_stretches(desk: Client, people: list[Person]) -> None:
    assert "a part of the list" not in desk.get(PERSONS).content.decode()


@pytest.mark.usefixtures("short")
def test_a_filter_is_about_the_stretch_and_goes_on_to_the_next(desk: Client, people: list[Person]) -> None:
    wanted = people[0]
    Person.objects.exclude(pk=wanted.pk).update(provisioned_at=None)
    Person.objects.filter(pk=wanted.pk).update(provisioned_at="2026-01-01T00:00Z")
    there: str | None = "?provisioned_at__isempty=0"
    pages = []
    while there is not None:
        pages.append(desk.get(PERSONS + there))
        there = link(pages[-1], "The rows before these")
    assert [key for page in pages for key in shown(page)] == [str(wanted.pk)]
    assert "a part of the list" in pages[0].content.decode()


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("by", ["number", "name"])
def test_what_an_index_knows_is_found_wherever_it_stands(desk: Client, people: list[Person], by: str) -> None:
    page = desk.get(PERSONS, {"q": getattr(people[0], by)})
    assert shown(page) == [str(people[0].pk)]
    assert "a part of the list" not in page.content.decode()


@pytest.mark.usefixtures("short")
def test_a_part_of_a_number_finds_nobody(desk: Client, people: list[Person]) -> None:
    assert shown(desk.get(PERSONS, {"q": people[-1].number[3:9]})) == []


@pytest.mark.usefixtures("short")
def test_words_that_nobody_has_show_no_rows(desk: Client, people: list[Person]) -> None:
    assert shown(desk.get(PERSONS, {"q": "qzx"})) == []
    assert shown(desk.get(PERSONS, {"q": "qzx qzy"})) == []


def test_many_that_are_found_are_cut_off_and_the_list_says_so(
    desk: Client, people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "MOST", 5)
    page = desk.get(PERSONS, {"q": "Caller"})
    assert len(shown(page)) == 5
    assert "some of those that were found" in page.content.decode()


def test_a_place_that_is_no_key_is_refused_as_other_odd_addresses_are(desk: Client, people: list[Person]) -> None:
    answer = desk.get(PERSONS, {"before": "nowhere"})
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{PERSONS}?e=1")


@pytest.mark.usefixtures("short")
def test_pages_and_orders_stay_in_the_stretch_and_a_search_leaves_it(desk: Client, people: list[Person]) -> None:
    there = link(desk.get(PERSONS), "The rows before these")
    assert there
    text = desk.get(PERSONS + there).content.decode()
    ordered = re.findall(r'href="(\?[^"]*\bo=[^"]*)"', text)
    assert ordered
    assert all("before=" in each for each in ordered)
    assert 'name="before"' not in text


@pytest.mark.usefixtures("short")
def test_the_trail_is_entered_at_a_day(desk: Client, operator: User) -> None:
    events = [told(operator, days_on=days) for days in range(1, 7)]  # the session of the desk is older
    page = desk.get(EVENTS, {"q": f"{events[3].at:%Y-%m-%d}"})
    assert shown(page) == [str(each.pk) for each in (events[3], events[2], events[1])]
    assert str(events[0].pk) in shown(desk.get(EVENTS + str(link(page, "The rows before these"))))
    assert shown(desk.get(EVENTS + str(link(page, "The newest rows"))))[0] == str(AuditEvent.objects.latest("pk").pk)
    assert shown(desk.get(EVENTS, {"q": "2001-01-01"})) == []
    assert shown(desk.get(EVENTS, {"q": "2026-02-31"})) == []
    assert len(shown(desk.get(EVENTS, {"q": "2999-12-31"}))) == 3


@pytest.mark.usefixtures("short")
def test_the_trail_is_filtered_by_an_event_wherever_it_stands(desk: Client, operator: User) -> None:
    wanted = [told(operator, tag=Tag.USER_ACTIVATED) for _each in range(4)]
    for _more in range(4):
        told(operator)
    page = desk.get(EVENTS, {"tag": Tag.USER_ACTIVATED.value})
    assert shown(page) == [str(each.pk) for each in (wanted[3], wanted[2], wanted[1])]
    assert shown(desk.get(EVENTS + str(link(page, "The rows before these")))) == [str(wanted[0].pk)]
    assert shown(desk.get(EVENTS, {"tag": Tag.USER_ACTIVATED.value, "actor_kind": "user"})) == []


@pytest.mark.usefixtures("short")
def test_the_trail_is_searched_by_who_acted_and_what_was_acted_on(
    desk: Client, operator: User, people: list[Person]
) -> None:
    acted = told(operator, by=operator, person=people[0])
    for _more in range(4):
        told(operator)
    assert str(acted.pk) in shown(desk.get(EVENTS, {"q": str(operator.pk)}))
    assert shown(desk.get(EVENTS, {"q": str(people[0].pk)})) == [str(acted.pk)]


def test_no_list_reads_its_table_for_what_can_be_chosen() -> None:
    """For these, Django reads all values of a column, or all days."""
    for model, admin in site._registry.items():
        assert admin.date_hierarchy is None, model
        for each in admin.list_filter:
            if isinstance(each, str):
                field = get_fields_from_path(model, each)[-1]
                known: Any = FieldListFilter._field_list_filters  # type: ignore[attr-defined]  # Django's own list
                made = next(made for test, made in known if test(field))
                assert made is not AllValuesFieldListFilter, (model, each)
            elif isinstance(each, tuple):
                assert not issubclass(each[1], AllValuesFieldListFilter) or each[1] is ValuesOfTheNewest


def test_values_to_choose_from_are_those_of_the_newest(
    desk: Client, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for by in (SYSTEM, operator, operator, operator):
        told(operator, by=by)
    assert "actor_kind=system" in desk.get(EVENTS).content.decode()
    monkeypatch.setattr(long_lists, "STRETCH", 3)
    assert "actor_kind=system" not in desk.get(EVENTS).content.decode()


def test_rows_of_a_user_are_found_by_the_name_and_the_address(
    desk: Client, developer: User, some_of_everything: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_lists, "STRETCH", 1)
    wanted = VerifiedPhone.objects.get(user=developer)
    for number in range(3):
        make_user(f"Later {number}", developer.organisation, number=f"+9198200003{number:02}")
    for words in (developer.name, developer.email):
        assert shown(desk.get("/operators/accounts/verifiedphone/", {"q": words})) == [str(wanted.pk)]


def test_the_history_of_a_row_opens(desk: Client, people: list[Person]) -> None:
    assert desk.get(f"{PERSONS}{people[0].pk}/history/").status_code == 200


def test_a_name_that_too_many_have_is_looked_for_in_the_stretch(monkeypatch: pytest.MonkeyPatch, people: Any) -> None:
    ways: dict[Any, Any] = {(Person, "name"): lambda _words: None}  # as an index answers that gave up
    monkeypatch.setattr(search, "_parts", ways)
    assert search.found(site.get_model_admin(Person), "Caller").keys == []
