"""What pages read: scoped to the reader, by pages, without a query for each row."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from accounts.models import Organisation, User
from accounts.tests.factories import make_person
from connectors.models import Connector
from connectors.services import connectors
from groups import access
from groups.models import Group, Membership, Message
from groups.queries import actions, groups
from groups.queries.actions import Viewer
from groups.services import connectors as grants
from groups.tests.factories import let_in, make_connector, make_group, person_of
from kaizala_console.lib import bounded
from kaizala_console.lib.pagination import Page

pytestmark = pytest.mark.postgresql


def read_all(page_of: Callable[..., Page[Any]]) -> list[Any]:
    """What stands on all pages."""
    page = page_of(cursor=None)
    items = list(page.items)
    while page.next_cursor:
        page = page_of(cursor=page.next_cursor)
        items += page.items
    return items


@pytest.mark.usefixtures("compiled_anew")
@pytest.mark.parametrize("most", [1, 1000])
def test_few_and_many_sub_groups_are_listed_the_same(
    group: Group, organisation: Organisation, group_admin: User, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(bounded, "MOST", most)
    for name in ("Stores", "Depot", "Yard"):
        make_group(name, organisation=organisation, under=group)
    make_group("Elsewhere", organisation=organisation)
    there = read_all(partial(groups.sub_group_page, group, group_admin, size=2))
    assert [one.name for one in there] == ["Depot", "Stores", "Yard"]
    counts = groups.get_counts(group)
    assert (counts.sub_groups, counts.sub_groups.is_more) == (min(3, most + 1), most == 1)


def test_groups_are_leafed_through_by_key_each_once(organisation: Organisation, organisation_admin: User) -> None:
    for number in range(25):
        make_group(f"Group {number % 3}", organisation=organisation)
    seen = read_all(partial(groups.group_page, organisation_admin, size=10))
    assert seen == list(Group.objects.order_by("name", "id"))


def test_groups_that_one_sees_are_found_by_a_part_of_the_name_or_the_whole_id(
    organisation: Organisation, organisation_admin: User, stranger: User
) -> None:
    for name in ("Andheri Crew", "Thane Crew", "Stores"):
        make_group(name, organisation=organisation)
    stores = f"{Group.objects.get(name='Stores').pk}@1"

    def found(search: str, user: User = organisation_admin) -> list[str]:
        return [group.name for group in groups.group_page(user, search=search).items]

    assert found(" crew ") == ["Andheri Crew", "Thane Crew"]
    assert found(stores) == ["Stores"]
    assert found("100%") == found("nobody") == found(stores, stranger) == found("crew", stranger) == []


def read_timeline(user: User, group: Group) -> list[Any]:
    """What a person reads in a group."""
    found = access.require_member(user, group.pk)
    return list(actions.timeline(found, Viewer.of(found, access.list_held_people(user))).items)


def test_lists_take_as_few_statements_for_many_rows_as_for_one(
    group: Group, group_admin: User, organisation: Organisation, django_assert_num_queries: Any
) -> None:
    for number in range(20):
        make_group(f"Group {number}", organisation=organisation, admins=[group_admin])
        Membership.objects.create(group=group, person=make_person(f"Person {number}"))
        Message.objects.create(group=group, person=person_of(group_admin), text="Hello")
    with django_assert_num_queries(2):
        assert len([str(row.organisation) for row in groups.group_page(group_admin).items]) == 21
    with django_assert_num_queries(2):
        assert len([row.person.name for row in groups.member_page(group).items]) == 23
    with django_assert_num_queries(5):
        assert len([row.person.name for row in read_timeline(group_admin, group)]) == 20


def test_connectors_that_may_be_added_are_the_organisations_own_that_are_not_there_yet(
    group: Group, connector: Connector, group_admin: User, developer: User, outsider: User
) -> None:
    other, gone, resting = (make_connector(developer, name=name) for name in ("Other", "Gone", "Resting"))
    make_connector(outsider, name="Foreign")
    connectors.delete(connector=gone, by=developer)
    connectors.deactivate(connector=resting, by=developer)
    assert list(groups.list_addable_connectors(group, group_admin)) == [other, connector]
    program = let_in(connector, group, group_admin)
    assert list(groups.list_addable_connectors(group, group_admin)) == [other]
    grants.remove_connector(group=group, grant=program.grant, by=group_admin)
    assert list(groups.list_addable_connectors(group, group_admin)) == [other, connector]


def test_the_grants_of_a_group_come_with_all_that_its_tab_shows(
    group: Group, connector: Connector, group_admin: User, developer: User, django_assert_num_queries: Any
) -> None:
    let_in(connector, group, group_admin)
    for number in range(3):
        let_in(make_connector(developer, name=f"Other {number}"), group, group_admin)
    rows: Any = groups.list_grants(group)
    with django_assert_num_queries(3):
        shown = [
            (
                grant.connector.owner.name,
                grant.person.name,
                grant.granted_by.name,
                grant.handoffs_newest_first[0].notice,
                grant.live_tokens[0].expires_at,
            )
            for grant in rows
        ]
    assert len(shown) == 4


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("group_admin", ["chosen", "subscribers", "members"]),
        ("organisation_admin", ["chosen", "subscribers", "members"]),
        ("member", ["chosen", "members"]),
        ("stranger", ["members"]),
    ],
)
def test_messages_to_subscribers_are_for_admins_and_for_those_they_were_sent_to(
    who: str, seen: list[str], group: Group, member: User, group_admin: User, request: pytest.FixtureRequest
) -> None:
    reader: User = request.getfixturevalue(who)
    if who == "stranger":
        Membership.objects.create(group=group, person=person_of(reader))
    for audience in ("members", "subscribers", "chosen"):
        message = Message.objects.create(group=group, person=person_of(group_admin), text=audience, audience=audience)
    message.recipients.add(person_of(member))
    assert [row.text for row in read_timeline(reader, group)] == seen
