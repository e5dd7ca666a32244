"""What a token and a person reach, and what a person still reaches who was deactivated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.audit.record import SYSTEM
from accounts.models import Organisation, Person, User, VerifiedPhone
from accounts.services import users
from accounts.tests.factories import make_user, verify
from connectors import authentication
from connectors.authentication import AccessContext
from connectors.models import CachedToken, Connector, Grant
from connectors.permissions import Permission
from connectors.services import bots, token_cache
from connectors.tests import oauth_app
from connectors.tests.oauth_app import App
from connectors.tests.pin_program import PinProgram, number_of
from groups import access
from groups.access import Role
from groups.models import Group, Membership
from groups.services import hierarchy
from groups.tests.conftest import refused
from groups.tests.factories import Program, let_act_by_pin, let_act_for, make_group, unknown_id
from kaizala_console.api.errors import GroupNotReachable
from kaizala_console.lib import clock
from kaizala_console.lib.errors import NotAllowed, NotFound


def caller(program: Program) -> AccessContext:
    return authentication.get_access_context(program.access_token)


def names(groups: Any) -> dict[str, str]:
    return {group.name: group.role for group in groups}


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


@pytest.mark.postgresql
def test_the_role_that_webhooks_and_the_inspector_ask_for_is_the_one_with_which_calls_reach(
    program: Program, connector: Connector, group: Group, member: User, group_admin: User
) -> None:
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
    assert names(access.list_named_groups(caller(program))) == {"Night Shift": "Admin"}
    written = (f"{below.pk}@1", unknown_id(), "no id")
    assert [access.get_token_role(program.grant, key) for key in written] == ["Admin", "", ""]
    of_people = [let_act_for(connector, who).grant for who in (member, group_admin)]
    assert [access.get_token_role(grant, str(group.pk)) for grant in of_people] == ["Member", "Admin"]


@pytest.mark.postgresql
def test_a_removed_group_is_reached_by_no_token(program: Program, group: Group) -> None:
    Group.objects.filter(pk=group.pk).update(removed_at=clock.now())
    with pytest.raises(GroupNotReachable):
        access.reach(caller(program), group.pk)
    assert names(access.list_reachable_groups(caller(program))) == {}


@pytest.mark.postgresql
def test_a_user_token_reaches_the_persons_groups_with_their_role_in_each_and_not_what_is_under_them(
    connector: Connector, group: Group, member: User
) -> None:
    own = make_group("Own", organisation=group.organisation, admins=[member])
    make_group("Private", members=[member])
    below = make_group("Below", organisation=group.organisation, under=own)
    token = caller(let_act_for(connector, member))
    reached = {"Night Shift": "Member", "Own": "Admin", "Private": "Member"}
    assert names(access.list_reachable_groups(token)) == names(access.list_named_groups(token)) == reached
    with pytest.raises(GroupNotReachable):
        access.reach(token, below.pk)


@pytest.mark.postgresql
def test_a_members_token_reaches_no_more_than_a_member_and_follows_the_membership_at_once(
    connector: Connector, group: Group, member: User
) -> None:
    token = caller(let_act_for(connector, member))
    assert access.reach(token, group.pk).role == "Member"
    with pytest.raises(NotAllowed):
        access.reach(token, group.pk, role=Role.ADMIN)
    Membership.objects.filter(group=group, person=token.person).delete()
    with pytest.raises(GroupNotReachable):
        access.reach(token, group.pk)


@pytest.mark.postgresql
def test_an_organisation_admins_token_reaches_the_organisation_while_it_is_confirmed_and_they_are_admins(
    connector: Connector, group: Group, organisation_admin: User, second_admin: User, outsider: User
) -> None:
    own = {"Own Private": "Member"}
    make_group("Own Private", members=[organisation_admin])
    make_group("Somebody’s Private")
    make_group("Foreign", organisation=outsider.organisation)
    token = caller(let_act_for(connector, organisation_admin, confirmed_by=second_admin))
    assert names(access.list_reachable_groups(token)) == {"Night Shift": "Admin", **own}
    assert access.reach(token, group.pk, role=Role.ADMIN)
    User.objects.filter(pk=organisation_admin.pk).update(is_organisation_admin=False)
    assert names(access.list_reachable_groups(token)) == own
    with pytest.raises(GroupNotReachable):
        access.reach(token, group.pk)


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


def test_a_group_id_is_read_as_old_programs_write_it_and_nothing_else_is(program: Program, group: Group) -> None:
    for written in ("{}@1", "{{{}}}", " {} ", "{}"):
        assert access.reach(caller(program), written.format(str(group.pk).upper())).pk == group.pk
    for written in ("", "x", "0", "../..", "1; drop table", "@1", "\x00", "ＡＢＣ"):
        with pytest.raises(GroupNotReachable):
            access.reach(caller(program), written)


@pytest.mark.postgresql
def test_people_see_the_groups_that_one_of_their_numbers_is_in(
    organisation: Organisation, group: Group, member: User, stranger: User, outsider: User
) -> None:
    Membership.objects.create(group=group, person=Person.objects.get(verified_phones__user=outsider), role=Role.MEMBER)
    phoneless = make_user("Nobody Yet", organisation, number=None)
    for user, seen in ((member, True), (outsider, True), (stranger, False), (phoneless, False)):
        assert names(access.list_visible_groups(user)) == ({"Night Shift": "Member"} if seen else {})
        assert (access.get_role(user, group) == Role.MEMBER) == seen
    assert access.get_acting_person(phoneless, group) is None


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


def test_an_organisation_admin_is_an_admin_in_the_organisations_groups_alone_with_their_primary_number(
    group: Group, organisation_admin: User, outsider: User
) -> None:
    assert access.get_role(organisation_admin, group) == Role.ADMIN
    assert access.get_role(organisation_admin, make_group("Private")) is None
    assert access.get_role(outsider, group) is None
    person = access.get_acting_person(organisation_admin, group)
    assert person is not None
    assert person.verified_phones.get().user == organisation_admin


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


BrowserOf = Callable[..., Client]


@pytest.fixture
def pin_program(connector: Connector, phones: Any) -> PinProgram:
    return PinProgram(connector, phones)


def get_groups(access_token: str) -> Any:
    return Client().get("/v1/groups", headers={"accessToken": access_token})


def test_user_tokens_and_bots_of_a_deactivated_person_are_refused_until_they_are_back(
    pin_program: PinProgram, member: User
) -> None:
    refresh_token = pin_program.token(number_of(member))
    access_token = pin_program.exchange(refresh_token).json()["accessToken"]
    caller = authentication.get_access_context(access_token)
    bot = bots.create(connector=pin_program.connector, name="Helper", picture_url="", by=caller)
    bot_token = bots.access_token(bot_id=str(bot.pk), by=caller).access_token
    users.deactivate(user=member, by=SYSTEM)
    assert "deactivated" in refused(pin_program.exchange(refresh_token), 401, "InvalidToken")
    for token in (access_token, bot_token):
        refused(get_groups(token), 401, "InvalidToken")
    pin_program.ask(number_of(member))
    refused(pin_program.login(number_of(member)), 403, "Unauthorized")
    users.activate(user=member, by=SYSTEM)
    assert pin_program.exchange(refresh_token).status_code == 200
    assert get_groups(access_token).status_code == 200


def test_a_sign_in_code_of_a_deactivated_person_gives_nothing(
    connector: Connector, member: User, browser_of: BrowserOf, pin_program: PinProgram
) -> None:
    Connector.objects.update(redirect_urls=[oauth_app.BACK])
    connector.refresh_from_db()
    app = App(connector, pin_program.secret, browser_of(member))
    code = app.code(member)
    users.deactivate(user=member, by=SYSTEM)
    oauth_app.refused(app.redeem(code), 400, "invalid_grant")
    assert not Grant.objects.exists()


def test_the_token_cache_gives_nothing_for_a_deactivated_person_and_forgets_nothing(
    pin_program: PinProgram, member: User, developer: User
) -> None:
    refresh_token = pin_program.token(number_of(member))
    cached = token_cache.enable(
        grant=Grant.objects.get(), by=developer, secret=pin_program.secret, refresh_token=refresh_token
    )
    users.deactivate(user=member, by=SYSTEM)
    with pytest.raises(NotFound, match="No access token is kept"):
        token_cache.get_token(connector_id=str(pin_program.connector.pk), secret=pin_program.secret, grant_id="")
    assert token_cache.fetch(cached_token_id=cached.pk) is False
    assert CachedToken.objects.get().refused_at is None


def test_what_a_deactivated_admin_gave_for_a_group_stays_the_groups(program: Program, group_admin: User) -> None:
    users.deactivate(user=group_admin, by=SYSTEM)
    assert program.get("/v1/groups").status_code == 200


def test_sessions_from_before_stay_closed_after_the_person_is_back(member: User, browser_of: BrowserOf) -> None:
    browser = browser_of(member)
    users.deactivate(user=member, by=SYSTEM)
    assert browser.get("/console/").status_code == 302
    users.activate(user=member, by=SYSTEM)
    assert browser.get("/console/").status_code == 302
