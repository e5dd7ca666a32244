"""Who posts and reads actions (wire protocol §6, Actions)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from accounts.tests.factories import make_person
from connectors.models import Connector
from connectors.permissions import Permission
from groups.models import Action, Group, Message, Subscription
from groups.tests.cards import POLL, actions_of, listed, post, posted
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_act_for, let_in, make_connector, make_group, person_of, unknown_id

Travel = Callable[..., dt.datetime]


def test_a_member_posts_and_reads_in_a_plain_group(
    wire: Wire, connector: Connector, group: Group, member: User
) -> None:
    token = let_act_for(connector, member)
    posted(wire, token, group, "Poll", POLL)
    assert listed(wire, token, group)[0]["sender"] == person_of(member).number


@pytest.mark.parametrize("scope", ["write", "read"])
def test_the_permission_is_needed(wire: Wire, developer: User, group: Group, group_admin: User, scope: str) -> None:
    connector = make_connector(developer, name="Texts", permissions=[Permission.TEXT_MESSAGE])
    program = let_in(connector, group, group_admin)
    answer = post(wire, program, group, "Poll", POLL) if scope == "write" else wire.get(actions_of(group), program)
    assert "Action" in refused(answer, 403, "Unauthorized")
    assert not Action.objects.exists()


def test_a_stranger_gets_the_answer_for_no_group(
    wire: Wire, program: Program, connector: Connector, group: Group, stranger: User
) -> None:
    action = posted(wire, program, group, "Poll", POLL)
    token = let_act_for(connector, stranger)
    unknown = f"/v1/groups/{unknown_id()}/actions"
    for path in (actions_of(group), f"{actions_of(group)}/{action.pk}?getDetails=true"):
        answer = wire.get(path, token)
        assert refused(answer, 403, "Unauthorized") == refused(wire.get(unknown, token), 403, "Unauthorized")
    refused(post(wire, token, group, "Poll", POLL), 403, "Unauthorized")
    assert Action.objects.count() == 1


def test_an_action_of_another_group_is_not_found(
    wire: Wire, program: Program, group: Group, group_admin: User, connector: Connector
) -> None:
    other = make_group("Day Shift", organisation=group.organisation, admins=[group_admin])
    action = posted(wire, let_in(connector, other, group_admin), other, "Poll", POLL)
    for key in (action.pk, unknown_id(), "nonsense"):
        refused(wire.get(f"{actions_of(group)}/{key}", program), 404, "NotFound", "NotFoundException")


@pytest.fixture
def public(group_admin: User, member: User) -> Group:
    """A managed public group with one member who is no admin, and one subscriber."""
    group = make_group(
        "Notices",
        organisation=group_admin.organisation,
        admins=[group_admin],
        members=[member],
        group_type=Group.Type.CONNECT,
    )
    Subscription.objects.create(group=group, person=make_person("Hotel Sagar", "+919820000041"))
    return group


def test_in_a_managed_public_group_only_admins_post(
    wire: Wire, connector: Connector, public: Group, group_admin: User, member: User
) -> None:
    refused(post(wire, let_act_for(connector, member), public, "Poll", POLL), 403, "Unauthorized")
    assert not Action.objects.exists()
    posted(wire, let_in(connector, public, group_admin), public, "Poll", POLL)


@pytest.mark.parametrize(
    ("to", "audience"),
    [
        ({"sendToAllSubscribers": "true"}, Message.Audience.SUBSCRIBERS),
        ({"subscribers": ["+91 98200 00041"]}, Message.Audience.CHOSEN),
    ],
)
def test_what_goes_to_subscribers_mere_members_do_not_see(
    wire: Wire, connector: Connector, public: Group, group_admin: User, member: User, to: dict[str, Any], audience: str
) -> None:
    action = posted(wire, let_in(connector, public, group_admin), public, "Poll", POLL, **to)
    assert action.audience == audience
    token = let_act_for(connector, member)
    assert listed(wire, token, public) == []
    refused(wire.get(f"{actions_of(public)}/{action.pk}", token), 404, "NotFound", "NotFoundException")


def test_in_a_plain_group_all_subscribers_are_its_members(
    wire: Wire, program: Program, connector: Connector, group: Group, member: User
) -> None:
    for token in (program, let_act_for(connector, member)):
        card = posted(wire, token, group, "Poll", POLL, sendToAllSubscribers=True)
        assert card.audience == Message.Audience.MEMBERS
    answer = post(wire, program, group, "Poll", POLL, subscribers=["+919820000041"])
    assert "subscribers" in refused(answer, 400, "InvalidParameters", "ValidationException")
