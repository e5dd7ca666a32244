"""Which group stands under which; and that no group ever stands above itself."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import pytest
from django.db import connection

from accounts.audit.record import SYSTEM
from accounts.models import Organisation, User
from accounts.tests.factories import make_organisation, make_user
from groups.models import Group, GroupLink
from groups.models.hierarchy import MOST_LEVELS, levels
from groups.services import groups as groups_services
from groups.services import hierarchy, members
from groups.tests.factories import make_group, person_of
from groups.tests.threads import together
from kaizala_console.lib import clock
from kaizala_console.lib.errors import NotFound, RuleBroken

pytestmark = pytest.mark.postgresql


def link(parent: Group, child: Group) -> GroupLink:
    return hierarchy.link(parent=parent, child=child, by=SYSTEM)


@pytest.fixture
def chain(organisation: Organisation) -> list[Group]:
    """Five groups, each under the one before it."""
    groups = [make_group(f"Level {level}", organisation=organisation) for level in range(5)]
    for parent, child in pairwise(groups):
        link(parent, child)
    return groups


def test_everything_under_and_above_a_group_is_found_at_any_level(chain: list[Group]) -> None:
    assert list(Group.objects.under([chain[1].pk])) == chain[2:]
    assert list(Group.objects.above([chain[3].pk])) == chain[:3]
    assert list(Group.objects.within(Group.objects.filter(pk=chain[3].pk).values("pk"))) == chain[3:]
    assert list(Group.objects.under([chain[4].pk])) == list(Group.objects.above([chain[0].pk])) == []


def test_a_group_that_is_under_another_twice_is_found_once(chain: list[Group]) -> None:
    link(chain[0], chain[2])
    link(chain[1], chain[3])
    assert list(Group.objects.under([chain[0].pk])) == chain[1:]


@pytest.mark.parametrize(("parent", "child"), [(0, 0), (1, 0), (4, 0), (4, 3), (3, 1)])
def test_a_cycle_of_any_length_is_refused(chain: list[Group], parent: int, child: int) -> None:
    with pytest.raises(RuleBroken) as error:
        link(chain[parent], chain[child])
    assert error.value.code == "cycle"
    assert GroupLink.objects.count() == 4


def test_a_hierarchy_has_so_many_levels_and_no_more(organisation: Organisation) -> None:
    groups = [make_group(f"Group {number}", organisation=organisation) for number in range(MOST_LEVELS + 1)]
    middle = MOST_LEVELS // 2
    for half in (groups[:middle], groups[middle:]):
        for parent, child in pairwise(half):
            link(parent, child)
    with pytest.raises(RuleBroken) as error:  # fifteen above sixteen
        link(groups[middle - 1], groups[middle])
    assert error.value.code == "levels"
    link(groups[middle - 2], groups[middle])
    assert levels(Group.objects.filter(pk=groups[0].pk), "down") == MOST_LEVELS - 1
    assert levels(Group.objects.filter(pk=groups[-1].pk), "up") == MOST_LEVELS - 1
    with pytest.raises(RuleBroken):
        link(groups[-1], make_group("Last", organisation=organisation))


def test_levels_are_counted_along_the_longest_of_several_ways(chain: list[Group]) -> None:
    link(chain[0], chain[4])
    assert levels(Group.objects.filter(pk=chain[0].pk), "down") == 4
    assert levels(Group.objects.filter(pk=chain[4].pk), "up") == 4
    assert levels(Group.objects.filter(pk=chain[0].pk), "up") == 0


def test_thousands_of_levels_that_no_service_made_are_walked_without_harm(organisation: Organisation) -> None:
    groups = Group.objects.bulk_create(Group(name=f"Level {n}", organisation=organisation) for n in range(2_000))
    GroupLink.objects.bulk_create(GroupLink(parent=parent, child=child) for parent, child in pairwise(groups))
    if connection.vendor == "postgresql":  # as it does by itself in time: unmeasured, each level reads the whole table
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE groups_grouplink")
    assert Group.objects.under([groups[0].pk]).count() == 1_999
    assert levels(Group.objects.filter(pk=groups[0].pk), "down") == MOST_LEVELS
    with pytest.raises(RuleBroken):
        link(groups[-1], groups[0])


def test_groups_of_two_organisations_are_never_linked(group: Group, outsider: User) -> None:
    for stranger in (make_group("Foreign", organisation=outsider.organisation), make_group("Private")):
        for parent, child in ((group, stranger), (stranger, group)):
            with pytest.raises(RuleBroken):
                link(parent, child)


def test_a_removed_group_is_not_linked(group: Group, organisation: Organisation) -> None:
    other = make_group("Other", organisation=organisation)
    Group.objects.filter(pk=other.pk).update(removed_at=clock.now())
    with pytest.raises(NotFound):
        link(group, other)


def test_what_was_unlinked_may_be_linked_the_other_way_round(chain: list[Group]) -> None:
    hierarchy.unlink(parent=chain[3], child=chain[4], by=SYSTEM)
    link(chain[4], chain[0])
    assert list(Group.objects.above([chain[0].pk])) == [chain[4]]
    with pytest.raises(NotFound):
        hierarchy.unlink(parent=chain[3], child=chain[4], by=SYSTEM)


@pytest.mark.django_db(transaction=True)
def test_links_made_at_the_same_moment_never_close_a_cycle_together() -> None:
    organisation = Organisation.objects.create(name="Contoso", entra_tenant_id="t")
    for _attempt in range(5):
        a, b, c, d = (make_group(name, organisation=organisation) for name in "ABCD")
        link(a, b)
        link(c, d)
        # Neither of the two closes a cycle alone, and they share no row.
        results = together(partial(link, b, c), partial(link, d, a))
        assert sorted(isinstance(result, RuleBroken) for result in results) == [False, True], results


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_groups_and_people_may_be_removed_at_the_same_moment() -> None:
    organisation = make_organisation("Contoso")
    boss, leaver = make_user("Farah Khan", organisation, is_organisation_admin=True), make_user("Imran", organisation)
    for _attempt in range(5):
        lower = [make_group(f"G{n}", organisation=organisation, admins=[boss], members=[leaver]) for n in range(6)]
        parent = make_group("Top", organisation=organisation, admins=[boss], members=[leaver])
        other = make_group("Other", organisation=organisation, admins=[boss])
        hierarchy.attach(parent=parent, children=lower[::-1], by=SYSTEM)
        made = together(
            partial(groups_services.remove, group=parent, by=boss),
            partial(members.remove_everywhere, person=person_of(leaver), by=boss),
            partial(hierarchy.attach, parent=other, children=lower[::-1], by=SYSTEM),
        )
        assert not [each for each in made if isinstance(each, Exception)], made
        assert set(GroupLink.objects.values_list("parent__name", "child__name")) == {("Other", g.name) for g in lower}
        Group.objects.all().delete()
