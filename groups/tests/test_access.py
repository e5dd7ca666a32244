"""What a token and a person reach: the single answer."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import Organisation, Person, User, VerifiedPhone
from accounts.tests.factories import make_user, verify
from connectors import authentication
from connectors.authentication import AccessContext
from connectors.models import Connector, Grant
from connectors.permissions import Permission
from groups import access
from groups.access import Role
from groups.models import Group, Membership
from groups.services import hierarchy
from groups.tests.factories import Program, let_act_by_pin, let_act_for, make_group, unknown_id
from kaizala_console.api.errors import GroupNotReachable
from kaizala_console.lib import clock
from kaizala_console.lib.errors import NotAllowed, NotFound


def caller(program: Program) -> AccessContext:
    return authentication.get_access_context(program.access_token)


def names(groups: Any) -> dict[str, str]:
    return {group.name: group.role for group in groups}


# ---------------------------------------------------------------- Group tokens


@pytest.mark.postgresql
def test_a_group_token_reaches_its_group_and_everything_under_it_as_an_admin(program: Program, group: Group) -> None:
    below = make_group("Below", organisation=group.organisation, under=group)
    make_group("Far Below", organisation=group.organisation, under=below)
    assert names(access.list_reachable_groups(caller(program))) == {
        "Night Shift": "Admin",
        "Below": "Admin",
        "Far Below": "Admin",
    }


def test_a_group_token_is_named_by_its_own_group_alone(program: Program, group: Group) -> None:
    make_group("Below", organisation=group.organisation, under=group)
    assert names(access.list_named_groups(caller(program))) == {"Night Shift": "Admin"}


@pytest.mark.postgresql
def test_a_group_token_reaches_neither_what_is_above_nor_what_is_beside(program: Program, group: Group) -> None:
    above = make_group("Above", organisation=group.organisation)
    hierarchy.link(parent=above, child=group, by=program.connector.owner)
    beside = make_group("Beside", organisation=group.organisation, under=above)
    for other in (above, beside):
        with pytest.raises(GroupNotReachable):
            access.reach(caller(program), other.pk)
    assert names(access.list_reachable_groups(caller(program))) == {"Night Shift": "Admin"}


@pytest.mark.postgresql
def test_a_group_token_reaches_a_group_under_it_at_any_depth_and_by_any_way(program: Program, group: Group) -> None:
    left = make_group("Left", organisation=group.organisation, under=group)
    right = make_group("Right", organisation=group.organisation, under=group)
    both = make_group("Both", organisation=group.organisation, under=left)
    hierarchy.link(parent=right, child=both, by=program.connector.owner)
    assert access.reach(caller(program), both.pk, role=Role.ADMIN).role == "Admin"
    hierarchy.unlink(parent=left, child=both, by=program.connector.owner)
    assert access.reach(caller(program), both.pk).name == "Both"
    hierarchy.unlink(parent=right, child=both, by=program.connector.owner)
    with pytest.raises(GroupNotReachable):
        access.reach(caller(program), both.pk)


@pytest.mark.postgresql
def test_a_group_token_goes_on_when_the_admin_who_granted_has_left(
    program: Program, group: Group, group_admin: User, member: User
) -> None:
    Membership.objects.filter(group=group, person__verified_phones__user=member).update(role=Role.ADMIN)
    Membership.objects.filter(group=group, person__verified_phones__user=group_admin).delete()
    assert access.reach(caller(program), group.pk, role=Role.ADMIN)


def test_the_role_that_webhooks_ask_for_is_the_one_with_which_calls_reach(program: Program, group: Group) -> None:
    """It is a statement of its own, because it is asked so often: both must say the same of every group."""
    organisation, owner = group.organisation, program.connector.owner
    above = make_group("Above", organisation=organisation)
    hierarchy.link(parent=above, child=group, by=owner)
    below = make_group("Below", organisation=organisation, under=group)
    others = [make_group("Far Below", organisation=organisation, under=below), make_group("Beside", under=above)]
    gone = make_group("Gone", organisation=organisation, under=below)
    Group.objects.filter(pk=gone.pk).update(removed_at=clock.now())
    reached = set(access.list_reachable_groups(caller(program)).values_list("pk", flat=True))
    for each in (group, above, below, gone, *others):
        role = access.get_token_role(program.grant, str(each.pk))
        assert role == ("Admin" if each.pk in reached else ""), each.name
    assert len(reached) == 3


@pytest.mark.postgresql
def test_a_removed_group_is_reached_by_no_token(program: Program, group: Group) -> None:
    Group.objects.filter(pk=group.pk).update(removed_at=clock.now())
    with pytest.raises(GroupNotReachable):
        access.reach(caller(program), group.pk)
    assert names(access.list_reachable_groups(caller(program))) == {}


# ---------------------------------------------------------------- User tokens


@pytest.mark.postgresql
def test_a_user_token_reaches_the_persons_groups_with_their_role_in_each(
    connector: Connector, group: Group, member: User
) -> None:
    make_group("Own", organisation=group.organisation, admins=[member])
    make_group("Private", members=[member])
    make_group("Other", organisation=group.organisation)
    token = caller(let_act_for(connector, member))
    assert names(access.list_reachable_groups(token)) == {"Night Shift": "Member", "Own": "Admin", "Private": "Member"}
    assert names(access.list_named_groups(token)) == names(access.list_reachable_groups(token))


@pytest.mark.postgresql
def test_a_user_token_does_not_reach_down_the_hierarchy(connector: Connector, group: Group, group_admin: User) -> None:
    below = make_group("Below", organisation=group.organisation, under=group)
    token = caller(let_act_for(connector, group_admin))
    with pytest.raises(GroupNotReachable):
        access.reach(token, below.pk)


@pytest.mark.postgresql
def test_a_user_token_follows_the_persons_memberships_at_once(connector: Connector, group: Group, member: User) -> None:
    token = caller(let_act_for(connector, member))
    assert access.reach(token, group.pk)
    Membership.objects.filter(group=group, person=token.person).delete()
    with pytest.raises(GroupNotReachable):
        access.reach(token, group.pk)


def test_a_member_reaches_a_group_but_not_as_an_admin(connector: Connector, group: Group, member: User) -> None:
    token = caller(let_act_for(connector, member))
    assert access.reach(token, group.pk).role == "Member"
    with pytest.raises(NotAllowed):
        access.reach(token, group.pk, role=Role.ADMIN)


@pytest.mark.postgresql
def test_an_organisation_admins_confirmed_token_reaches_all_groups_of_the_organisation_and_their_own(
    connector: Connector, group: Group, organisation_admin: User, second_admin: User, outsider: User
) -> None:
    make_group("Own Private", members=[organisation_admin])
    make_group("Somebody’s Private")
    make_group("Foreign", organisation=outsider.organisation)
    token = caller(let_act_for(connector, organisation_admin, confirmed_by=second_admin))
    assert names(access.list_reachable_groups(token)) == {"Night Shift": "Admin", "Own Private": "Member"}
    assert access.reach(token, group.pk, role=Role.ADMIN)


@pytest.mark.postgresql
def test_an_organisation_admins_token_that_nobody_confirmed_reaches_their_own_groups_alone(
    connector: Connector, group: Group, organisation_admin: User
) -> None:
    make_group("Own", members=[organisation_admin])
    token = caller(let_act_for(connector, organisation_admin))
    assert names(access.list_reachable_groups(token)) == {"Own": "Member"}
    with pytest.raises(GroupNotReachable):
        access.reach(token, group.pk)


def test_a_confirmed_token_reaches_the_organisation_only_while_the_connector_has_tenant_data(
    connector: Connector, group: Group, organisation_admin: User, second_admin: User
) -> None:
    make_group("Own", members=[organisation_admin])
    program = let_act_for(connector, organisation_admin, confirmed_by=second_admin)
    assert names(access.list_reachable_groups(caller(program))) == {"Night Shift": "Admin", "Own": "Member"}
    held = frozenset(connector.permissions) - {Permission.TENANT_DATA}
    Connector.objects.filter(pk=connector.pk).update(permissions=held)
    token = caller(program)
    assert names(access.list_reachable_groups(token)) == {"Own": "Member"}
    with pytest.raises(GroupNotReachable):
        access.reach(token, group.pk)
    with pytest.raises(NotAllowed):
        access.get_placement(token, is_public=True)


def test_a_confirmed_token_reaches_the_organisation_only_with_all_scopes_of_tenant_data(
    connector: Connector, organisation_admin: User, second_admin: User, group: Group
) -> None:
    """A program that asked to read the organisation does not write in all of its groups by other scopes."""
    make_group("Own", members=[organisation_admin])
    program = let_act_for(connector, organisation_admin, confirmed_by=second_admin)
    some, rest = "groupinfo.read groupinfo.write tenant.read", " tenant.write tenant.remove"
    Grant.objects.filter(pk=program.grant.pk).update(scope=some)
    assert names(access.list_reachable_groups(caller(program))) == {"Own": "Member"}
    Grant.objects.filter(pk=program.grant.pk).update(scope=some + rest)
    assert names(access.list_reachable_groups(caller(program))) == {"Night Shift": "Admin", "Own": "Member"}


@pytest.mark.postgresql
def test_a_token_of_somebody_without_an_account_reaches_their_groups_until_an_account_takes_the_number(
    connector: Connector, group: Group, newcomer: Person, stranger: User
) -> None:
    token = caller(let_act_by_pin(connector, newcomer))
    assert names(access.list_reachable_groups(token)) == {"Night Shift": "Member"}
    verify(stranger, newcomer.number, is_primary=False)
    assert not access.list_reachable_groups(token).exists()
    again = caller(let_act_by_pin(connector, newcomer))
    assert names(access.list_reachable_groups(again)) == {"Night Shift": "Member"}


@pytest.mark.postgresql
def test_an_organisation_admins_token_shrinks_when_they_are_no_admin_any_more(
    connector: Connector, group: Group, organisation_admin: User, second_admin: User
) -> None:
    token = caller(let_act_for(connector, organisation_admin, confirmed_by=second_admin))
    assert access.reach(token, group.pk)
    User.objects.filter(pk=organisation_admin.pk).update(is_organisation_admin=False)
    with pytest.raises(GroupNotReachable):
        access.reach(token, group.pk)


@pytest.mark.postgresql
def test_a_user_token_reaches_nothing_once_another_account_holds_the_number(
    connector: Connector, group: Group, member: User, organisation_admin: User
) -> None:
    token = caller(let_act_for(connector, member))
    VerifiedPhone.objects.filter(user=member).update(released_at=clock.now(), is_primary=False)
    assert access.reach(token, group.pk)  # given back, and nobody else's yet
    verify(organisation_admin, token.person.number, is_primary=False)
    assert not access.list_reachable_groups(token).exists()
    with pytest.raises(GroupNotReachable):
        access.reach(token, group.pk)


@pytest.mark.postgresql
def test_a_user_token_reaches_nothing_once_its_account_is_closed(
    connector: Connector, group: Group, member: User
) -> None:
    token = caller(let_act_for(connector, member))
    User.objects.filter(pk=member.pk).update(is_active=False)
    assert not access.list_reachable_groups(token).exists()


@pytest.mark.parametrize("written", ["{}@1", "{{{}}}", " {} ", "{}"])
def test_a_group_id_may_be_written_as_old_programs_do(program: Program, group: Group, written: str) -> None:
    text = written.format(str(group.pk).upper())
    assert access.reach(caller(program), text).pk == group.pk


@pytest.mark.parametrize("written", ["", "x", "0", "../..", "1; drop table", "@1", "\x00", "ＡＢＣ"])
def test_what_is_no_group_id_is_a_group_that_cannot_be_reached(program: Program, written: str) -> None:
    with pytest.raises(GroupNotReachable):
        access.reach(caller(program), written)


# ---------------------------------------------------------------- People


@pytest.mark.postgresql
def test_people_see_the_groups_that_one_of_their_numbers_is_in(group: Group, member: User, stranger: User) -> None:
    assert names(access.list_visible_groups(member)) == {"Night Shift": "Member"}
    assert names(access.list_visible_groups(stranger)) == {}


def test_somebody_with_two_numbers_in_a_group_has_the_higher_role(group: Group, member: User) -> None:
    second = verify(member, is_primary=False)
    Membership.objects.create(group=group, person=second.person, role=Role.ADMIN)
    assert names(access.list_visible_groups(member)) == {"Night Shift": "Admin"}
    assert access.get_role(member, group) == Role.ADMIN
    assert access.get_acting_person(member, group) == second.person


@pytest.mark.postgresql
def test_a_released_number_opens_nothing_any_more(group: Group, member: User) -> None:
    VerifiedPhone.objects.filter(user=member).update(released_at=clock.now(), is_primary=False)
    assert access.get_role(member, group) is None
    assert access.get_acting_person(member, group) is None


def test_an_organisation_admin_is_an_admin_in_the_organisations_groups_alone(
    group: Group, organisation_admin: User, outsider: User
) -> None:
    private = make_group("Private")
    assert access.get_role(organisation_admin, group) == Role.ADMIN
    assert access.get_role(organisation_admin, private) is None
    assert access.get_role(outsider, group) is None


def test_an_organisation_admin_acts_with_their_primary_number_in_a_group_they_are_not_in(
    group: Group, organisation_admin: User
) -> None:
    person = access.get_acting_person(organisation_admin, group)
    assert person is not None
    assert person.verified_phones.get().user == organisation_admin


def test_not_yours_and_not_there_are_the_same_answer_on_a_page(group: Group, stranger: User) -> None:
    told = []
    for key in (group.pk, str(group.pk), unknown_id(), "no id at all"):
        for require in (access.require_member, access.require_admin):
            with pytest.raises(NotFound) as error:
                require(stranger, key)
            told.append(str(error.value))
    assert len(set(told)) == 1


def test_a_member_sees_the_group_but_is_told_that_it_takes_an_admin(
    group: Group, member: User, group_admin: User
) -> None:
    assert access.require_member(member, group.pk).role == "Member"
    assert access.require_admin(group_admin, group.pk).role == "Admin"
    with pytest.raises(NotAllowed):
        access.require_admin(member, group.pk)


@pytest.mark.postgresql
def test_access_takes_few_statements_however_many_groups_there_are(
    connector: Connector, program: Program, group: Group, group_admin: User, django_assert_num_queries: Any
) -> None:
    user_token = caller(let_act_for(connector, group_admin))
    group_token = caller(program)
    for number in range(5):
        make_group(f"Group {number}", organisation=group.organisation, admins=[group_admin], under=group)
    with django_assert_num_queries(1):
        access.reach(group_token, group.pk)
    with django_assert_num_queries(2):
        access.reach(user_token, group.pk)
    with django_assert_num_queries(1):
        assert len(access.list_visible_groups(group_admin)) == 6


def test_a_person_of_another_organisation_in_the_group_sees_it(
    group: Group, outsider: User, organisation: Organisation
) -> None:
    Membership.objects.create(group=group, person=Person.objects.get(verified_phones__user=outsider), role=Role.MEMBER)
    assert access.get_role(outsider, group) == Role.MEMBER
    assert outsider.organisation != organisation


def test_somebody_without_a_phone_sees_no_group(organisation: Organisation, group: Group) -> None:
    phoneless = make_user("Nobody Yet", organisation, number=None)
    assert names(access.list_visible_groups(phoneless)) == {}
    assert access.get_acting_person(phoneless, group) is None
