"""The drop-down of an organisation with thousands of connectors: searched on the server, and any is accepted."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from connectors.models import Connector, Grant
from connectors.permissions import Permission
from connectors.tests.factories import make_connector
from connectors.tests.html_forms import text_of
from groups.access import get_target
from groups.models import Group, GroupGrant
from groups.queries import groups
from groups.tests.factories import person_of
from groups.tests.test_add_connector_pages import adding_to, client, form_on, offered_on, tab_of
from groups.views.forms import MOST_CHOICES

__all__ = ["client"]
pytestmark = pytest.mark.django_db
MANY = 120


@pytest.fixture
def many(developer: User) -> list[Connector]:
    """Named 000 to 119."""
    return Connector.objects.bulk_create(
        Connector(
            organisation=developer.organisation,
            owner=developer,
            name=f"Planner {number:03}",
            permissions=frozenset({Permission.TEXT_MESSAGE}),
        )
        for number in range(MANY)
    )


def test_the_first_are_offered_with_a_search_above_them(client: Client, group: Group, many: list[Connector]) -> None:
    page = client.get(tab_of(group))
    assert len(offered_on(page)) == MOST_CHOICES
    assert f"Showing {MOST_CHOICES} of {MANY}. Search to find others." in text_of(page)
    assert b'name="find"' in page.content


@pytest.mark.parametrize(("words", "found"), [("planner 11", 10), ("DEVIKA", MOST_CHOICES), ("%", 0), ("nothing", 0)])
def test_words_find_by_name_and_owner(
    client: Client, group: Group, many: list[Connector], words: str, found: int
) -> None:
    page = client.get(tab_of(group), {"find": words})
    assert len(offered_on(page)) == found
    if not found:
        assert f"No connector matches “{words}”." in text_of(page)


@pytest.mark.parametrize("words", ["Planner 11", "devika", "a", "R 07", "nothing", "AR", "Arjun", "zz", "%", ""])
def test_a_part_of_either_name_finds(group: Group, group_admin: User, many: list[Connector], words: str) -> None:
    make_connector(group_admin, name="Devika's own")
    make_connector(group_admin, name="AAA")
    offered = groups.list_addable_connectors(group, group_admin)
    expected = [one for one in offered if words.lower() in one.name.lower() or words.lower() in one.owner.name.lower()]
    assert list(groups.search_connectors(offered, words)) == expected


def test_an_id_finds_its_connector(client: Client, group: Group, many: list[Connector]) -> None:
    page = client.get(tab_of(group), {"find": str(many[77].pk)})
    assert [name.partition(" ·")[0] for name in offered_on(page)] == ["Planner 077"]


def test_what_is_chosen_stays_in_the_drop_down_whatever_is_searched(
    client: Client, group: Group, many: list[Connector]
) -> None:
    page = client.get(tab_of(group), {"find": "Planner 00", "connector": str(many[110].pk)})
    assert page.content.decode().count("· Devika Rao</option>") == 11
    assert "Permissions of “Planner 110” in this group" in text_of(page)


def test_one_that_is_not_offered_at_first_can_be_added(client: Client, group: Group, many: list[Connector]) -> None:
    form_on(client, group).send(client, {"connector": str(many[110].pk), "end_date": ""})
    assert Grant.objects.get().connector == many[110]


def test_a_choice_that_was_refused_is_shown_again(client: Client, group: Group, many: list[Connector]) -> None:
    page = client.post(adding_to(group), {"connector": str(many[110].pk), "end_date": "2020-01-01"})
    assert page.status_code == 400
    assert "Permissions of “Planner 110” in this group" in text_of(page)
    assert not Grant.objects.exists()


def test_thousands_cost_no_more_statements(
    client: Client, group: Group, many: list[Connector], django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(40) as seen:
        client.get(tab_of(group), {"find": "planner"})
    before = len(seen)
    Connector.objects.filter(name__gte="Planner 060").delete()
    with django_assert_max_num_queries(40) as seen:
        client.get(tab_of(group), {"find": "planner"})
    assert len(seen) == before


@pytest.mark.parametrize("words", ["\0", "x" * 5000, "' OR 1=1 --", "é" * 200])
def test_any_words_are_only_words(client: Client, group: Group, many: list[Connector], words: str) -> None:
    assert client.get(tab_of(group), {"find": words}).status_code == 200


def test_those_that_have_access_are_shown_fifty_at_a_time(
    client: Client, group: Group, group_admin: User, many: list[Connector]
) -> None:
    grants = Grant.objects.bulk_create(
        Grant(
            connector=connector,
            kind=Grant.Kind.GROUP,
            target=get_target(group),
            target_name=group.name,
            person=person_of(group_admin),
            granted_by=group_admin,
            permissions=connector.permissions,
        )
        for connector in many[:60]
    )
    GroupGrant.objects.bulk_create(GroupGrant(grant=grant, group=group) for grant in grants)
    first = client.get(tab_of(group))
    second = client.get(first.context["older"])
    shown = [[row["grant"].pk for row in page.context["rows"]] for page in (first, second)]
    assert [len(rows) for rows in shown] == [50, 10]
    assert {*shown[0], *shown[1]} == {grant.pk for grant in grants}
    assert client.get(tab_of(group), {"cursor": "nonsense"})["Location"] == tab_of(group)
