"""What pages read: scoped to the reader, by pages, without a query for each row."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import Organisation, Person, User
from accounts.tests.factories import make_person
from connectors.models import Connector
from connectors.services import connectors
from groups import access
from groups.models import Group, Membership, Message
from groups.queries import actions, groups
from groups.queries.actions import Viewer
from groups.services import connectors as grants
from groups.tests.factories import Program, let_in, make_connector, make_group, person_of
from kaizala_console.lib import bounded

pytestmark = pytest.mark.postgresql


def test_the_list_of_groups_shows_counts_and_the_readers_role(
    group: Group, program: Program, group_admin: User, member: User
) -> None:
    make_group("Below", organisation=group.organisation, under=group)
    (row,) = groups.group_page(member).items
    assert (row.name, row.role, row.member_count, row.connector_count) == ("Night Shift", "Member", 3, 1)
    assert (row.sub_group_count, row.parent_group_count) == (1, 0)
    grants.remove_connector(group=group, grant=program.grant, by=group_admin)
    assert groups.group_page(member).items[0].connector_count == 0


@pytest.mark.parametrize("most", [1, 1000])
def test_few_and_many_sub_groups_are_listed_the_same(
    group: Group, organisation: Organisation, group_admin: User, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(bounded, "MOST", most)
    for name in ("Stores", "Depot", "Yard"):
        make_group(name, organisation=organisation, under=group)
    make_group("Elsewhere", organisation=organisation)
    there, cursor = [], None
    while True:
        page = groups.sub_group_page(group, group_admin, cursor=cursor, size=2)
        there += [one.name for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert there == ["Depot", "Stores", "Yard"]
    counts = groups.get_counts(group)
    assert (counts.sub_groups, counts.sub_groups.is_more) == (min(3, most + 1), most == 1)


def test_groups_are_found_by_a_part_of_the_name_or_the_whole_id(
    organisation: Organisation, organisation_admin: User
) -> None:
    for name in ("Andheri Crew", "Thane Crew", "Stores"):
        make_group(name, organisation=organisation)
    stores = Group.objects.get(name="Stores")

    def found(search: str) -> list[str]:
        return [group.name for group in groups.group_page(organisation_admin, search=search).items]

    assert found(" crew ") == ["Andheri Crew", "Thane Crew"]
    assert found(f"{stores.pk}@1") == ["Stores"]
    assert found("100%") == found("nobody") == []


def test_a_search_finds_nothing_that_the_reader_may_not_see(group: Group, stranger: User) -> None:
    assert groups.group_page(stranger, search=str(group.pk)).items == []
    assert groups.group_page(stranger, search="Night").items == []


def test_groups_are_leafed_through_by_key_each_once(organisation: Organisation, organisation_admin: User) -> None:
    for number in range(25):
        make_group(f"Group {number % 3}", organisation=organisation)
    seen: list[Any] = []
    cursor: str | None = None
    while True:
        page = groups.group_page(organisation_admin, cursor=cursor, size=10)
        seen += [group.pk for group in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == list(Group.objects.order_by("name", "id").values_list("pk", flat=True))


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


def test_members_are_found_by_name_and_by_number(group: Group, newcomer: Person) -> None:
    for search in ("laksh", newcomer.number, newcomer.number[3:8], f"{newcomer.number[:8]} {newcomer.number[8:]}"):
        assert newcomer in [row.person for row in groups.member_page(group, search=search).items], search
    assert groups.member_page(group, search="nobody").items == []


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


def test_the_groups_directly_above_and_below(group: Group, organisation: Organisation) -> None:
    below = make_group("Below", organisation=organisation, under=group)
    make_group("Far Below", organisation=organisation, under=below)
    assert list(groups.list_sub_groups(group)) == [below]
    assert list(groups.list_parent_groups(below)) == [group]


def test_the_admins_of_a_group(group: Group, group_admin: User) -> None:
    assert list(groups.list_admins(group)) == [person_of(group_admin)]
