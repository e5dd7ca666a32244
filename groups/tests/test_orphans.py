"""A group in which a connector acts, and that nobody with an account here runs any more."""

from __future__ import annotations

import pytest

from accounts.models import Notice, User
from accounts.services import users
from connectors.models import Connector, Orphan
from connectors.tests.factories import make_connector
from groups import access
from groups.models import Group
from groups.services import connectors
from groups.tasks import watch_orphans
from groups.tests.factories import make_group

pytestmark = pytest.mark.django_db


@pytest.fixture
def connector(developer: User) -> Connector:
    return make_connector(developer, "Shift Planner")


@pytest.fixture
def group(group_admin: User, connector: Connector, operator: User, organisation_admin: User) -> Group:
    """A group of the organisation, with the connector in it."""
    group = make_group("Night Shift", organisation=group_admin.organisation, admins=[group_admin])
    connectors.add_connector(group=group, connector_id=connector.pk, by=group_admin)
    return group


@pytest.mark.postgresql
def test_a_group_whose_admins_are_gone_is_told_once(group: Group, group_admin: User, operator: User) -> None:
    watch_orphans()
    assert not Orphan.objects.exists()
    users.deactivate(user=group_admin, by=operator)
    watch_orphans()
    watch_orphans()
    told = Notice.objects.filter(template="connectors/orphan_group")
    assert {notice.user.name for notice in told} == {"Omar Dsouza", "Farah Khan"}
    assert told.count() == 2


def test_without_a_connector_it_is_no_concern(group_admin: User, operator: User) -> None:
    make_group("Quiet", organisation=group_admin.organisation, admins=[group_admin])
    users.deactivate(user=group_admin, by=operator)
    assert connectors.watch() == 0


def test_another_admin_looks_after_it(group: Group, group_admin: User, member: User, operator: User) -> None:
    users.deactivate(user=group_admin, by=operator)
    assert connectors.watch() == 1
    users.activate(user=group_admin, by=operator)
    assert connectors.watch() == 0
    assert Orphan.objects.get().settled_at is not None


def test_the_admins_who_are_told_are_those_with_open_accounts(
    group: Group, group_admin: User, member: User, operator: User
) -> None:
    target = access.get_target(group)
    assert access.administrators(target) == [group_admin]
    users.deactivate(user=group_admin, by=operator)
    assert access.administrators(target) == []
    assert access.administrators("group:nothing") == access.administrators(f"person:{member.pk}") == []
