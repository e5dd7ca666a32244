"""What the token inspector is told about the reach of a token: the same as a call would find."""

from __future__ import annotations

import pytest

from accounts.models import User
from connectors.models import Connector
from groups import access
from groups.models import Group, GroupLink
from groups.tests.factories import let_act_for, let_in, make_group, unknown_id

pytestmark = pytest.mark.django_db


def test_a_group_token_reaches_its_group_and_those_under_it_as_an_admin(
    connector: Connector, group: Group, group_admin: User
) -> None:
    below = make_group("Below", organisation=group.organisation, under=group)
    beside = make_group("Beside", organisation=group.organisation)
    grant = let_in(connector, group, group_admin).grant
    asked = [str(group.pk), f"{below.pk}@1", str(beside.pk), unknown_id(), "no id"]
    assert [access.get_token_role(grant, group_id) for group_id in asked] == ["Admin", "Admin", "", "", ""]


def test_a_user_token_reaches_with_the_role_of_its_person(
    connector: Connector, group: Group, member: User, group_admin: User
) -> None:
    assert access.get_token_role(let_act_for(connector, member).grant, str(group.pk)) == "Member"
    assert access.get_token_role(let_act_for(connector, group_admin).grant, str(group.pk)) == "Admin"


def test_a_group_token_does_not_reach_what_was_removed_or_moved_away(
    connector: Connector, group: Group, group_admin: User
) -> None:
    deep = make_group("Deep", under=make_group("Below", organisation=group.organisation, under=group))
    gone = make_group("Gone", organisation=group.organisation, under=group)
    grant = let_in(connector, group, group_admin).grant
    assert [access.get_token_role(grant, str(one.pk)) for one in (deep, gone)] == ["Admin", "Admin"]
    Group.objects.filter(pk=gone.pk).update(removed_at=gone.created_at)
    GroupLink.objects.filter(parent=group).delete()
    assert [access.get_token_role(grant, str(one.pk)) for one in (group, deep, gone)] == ["Admin", "", ""]
