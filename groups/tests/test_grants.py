"""Letting a connector into a group, and showing it out."""

from __future__ import annotations

from functools import partial

import pytest

from accounts.models import AuditEvent, Notice, Organisation, User
from accounts.tests.factories import make_user
from connectors import policies
from connectors.models import Connector, Grant, Handoff
from connectors.permissions import Permission
from connectors.services import grants as connector_grants
from connectors.services.grants import AlreadyGranted
from groups.access import administers, get_target
from groups.models import Group, GroupGrant, Membership
from groups.services import connectors as grants
from groups.tests.factories import let_in, make_connector, make_group, person_of
from groups.tests.threads import together
from kaizala_console.lib import ids
from kaizala_console.lib.errors import ConsoleError, NotAllowed, NotFound


def add(group: Group, connector: Connector, by: User) -> Grant:
    return grants.add_connector(group=group, connector_id=connector.pk, by=by).grant


def test_adding_a_connector_makes_a_grant_for_this_group_with_the_admins_role(
    group: Group, connector: Connector, group_admin: User, developer: User
) -> None:
    grant = add(group, connector, group_admin)
    assert (grant.kind, grant.target, grant.target_name) == ("group", get_target(group), "Night Shift")
    assert (grant.person, grant.granted_by) == (person_of(group_admin), group_admin)
    assert GroupGrant.objects.get().group == group
    assert Handoff.objects.get().grant == grant
    assert Notice.objects.get().user == developer
    assert AuditEvent.objects.get(tag="grant:access:granted").group_id == group.pk


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_double_click_adds_the_connector_once(group: Group, connector: Connector, group_admin: User) -> None:
    results = together(*[partial(grants.add_connector, group=group, connector_id=connector.pk, by=group_admin)] * 2)
    assert sorted(isinstance(result, AlreadyGranted) for result in results) == [False, True], results
    assert GroupGrant.objects.get().group == group
    assert Handoff.objects.count() == 1


def test_it_can_be_given_fewer_permissions_than_it_asks_for(
    group: Group, connector: Connector, group_admin: User
) -> None:
    granted = grants.add_connector(
        group=group, connector_id=connector.pk, by=group_admin, permissions=[Permission.TEXT_MESSAGE]
    )
    assert granted.grant.permissions == {Permission.TEXT_MESSAGE}


@pytest.mark.parametrize("who", ["member", "stranger", "outsider", "developer"])
def test_only_an_admin_of_the_group_adds_and_removes_a_connector(
    who: str, group: Group, connector: Connector, group_admin: User, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(who)
    with pytest.raises(NotAllowed):
        add(group, connector, user)
    assert not Grant.objects.exists()
    grant = add(group, connector, group_admin)
    with pytest.raises(NotFound):
        grants.remove_connector(group=group, grant=grant, by=user)
    grant.refresh_from_db()
    assert grant.revoked_at is None


def test_an_organisation_admin_adds_one_to_any_group_of_the_organisation_but_not_without_a_phone(
    group: Group, connector: Connector, organisation: Organisation, organisation_admin: User
) -> None:
    with pytest.raises(NotAllowed):
        add(group, connector, make_user("Farah", organisation, number=None, is_organisation_admin=True))
    assert add(group, connector, organisation_admin).person == person_of(organisation_admin)


def test_a_connector_of_another_organisation_is_the_same_as_none(
    group: Group, group_admin: User, outsider: User
) -> None:
    told = set()
    for key in (make_connector(outsider).pk, ids.new_id()):
        with pytest.raises(NotFound) as error:
            grants.add_connector(group=group, connector_id=key, by=group_admin)
        told.add(str(error.value))
    assert len(told) == 1


@pytest.mark.postgresql
def test_removing_it_ends_the_grant_and_it_can_be_added_again(
    group: Group, connector: Connector, group_admin: User
) -> None:
    grant = add(group, connector, group_admin)
    grants.remove_connector(group=group, grant=grant, by=group_admin)
    grant.refresh_from_db()
    assert grant.revoked_at is not None
    assert AuditEvent.objects.get(tag="grant:access:revoked").group_id == group.pk
    assert add(group, connector, group_admin) != grant


def test_a_grant_of_another_group_is_not_removed_through_this_one(
    group: Group, connector: Connector, group_admin: User
) -> None:
    other = make_group("Other", organisation=group.organisation, admins=[group_admin])
    grant = let_in(connector, other, group_admin).grant
    with pytest.raises(NotFound):
        grants.remove_connector(group=group, grant=grant, by=group_admin)
    grant.refresh_from_db()
    assert grant.revoked_at is None


def test_who_administers_a_grant_follows_the_group_at_this_moment(
    group: Group, connector: Connector, group_admin: User, member: User, organisation_admin: User
) -> None:
    grant = add(group, connector, group_admin)
    assert policies.can_administer(group_admin, grant)
    assert policies.can_administer(organisation_admin, grant)
    assert not policies.can_administer(member, grant)
    Membership.objects.filter(group=group, person=person_of(member)).update(role="Admin")
    Membership.objects.filter(group=group, person=person_of(group_admin)).delete()
    assert policies.can_administer(member, grant)
    assert not policies.can_administer(group_admin, grant)
    with pytest.raises(ConsoleError):
        connector_grants.revoke(grant=grant, by=group_admin)


@pytest.mark.parametrize("target", ["", "group:", "group:x", "person:{}", "{}", "group:{}x"])
def test_a_target_that_names_no_group_is_administered_by_nobody(group: Group, group_admin: User, target: str) -> None:
    assert administers(group_admin, get_target(group))
    assert not administers(group_admin, target.format(group.pk))
