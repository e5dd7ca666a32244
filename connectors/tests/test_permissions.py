"""A connector's permissions change: less applies at once, more waits for an admin while the old grant goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import AuditEvent, User
from accounts.tests.factories import make_user
from connectors import authentication, policies
from connectors.models import AccessRequest, Connector, Grant, RequestState
from connectors.permissions import Permission, get_permissions
from connectors.services import access_requests, connectors, grants, permissions
from connectors.services.access_requests import new_once
from connectors.tests import factories
from connectors.tests.factories import COMMON, Program, person_of
from connectors.tests.test_successors import exchange
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

pytestmark = pytest.mark.django_db

POLLS, MEDIA = Permission.ACTION_AND_RESPONSES, Permission.MEDIA


def change(connector: Connector, wanted: Any, **options: Any) -> permissions.Changed:
    return permissions.change(connector=connector, permissions=wanted, **{"by": connector.owner, **options})


def pending() -> AccessRequest:
    return AccessRequest.objects.waiting().select_related("grant", "connector").get()


def test_more_is_asked_of_each_grant_and_the_old_grant_goes_on(program: Program) -> None:
    token = exchange(program).access_token
    changed = change(program.connector, COMMON | {POLLS}, reason="For the weekly poll.")
    assert (changed.added, changed.requests_made, changed.grants_cut) == (frozenset({POLLS}), 1, 0)
    assert get_permissions(authentication.get_access_context(token).scopes) == COMMON
    assert pending().permissions == {POLLS}
    assert (pending().grant, pending().reason) == (program.grant, "For the weekly poll.")


def test_an_admin_gives_some_of_it_and_running_tokens_may_at_once(program: Program, group_admin: User) -> None:
    token = exchange(program).access_token
    change(program.connector, COMMON | {POLLS, MEDIA})
    request = pending()
    access_requests.approve_more(request=request, by=group_admin, permissions=[POLLS])
    assert get_permissions(authentication.get_access_context(token).scopes) == COMMON | {POLLS}
    request.refresh_from_db()
    assert (request.state, request.given, request.decided_by) == (
        RequestState.APPROVED,
        frozenset({POLLS}),
        group_admin,
    )
    with pytest.raises(Conflict, match="approved"):
        access_requests.approve_more(request=request, by=group_admin, permissions=[MEDIA])
    assert get_permissions(authentication.get_access_context(token).scopes) == COMMON | {POLLS}


def test_an_admin_gives_none_of_it(program: Program, group_admin: User) -> None:
    token = exchange(program).access_token
    change(program.connector, COMMON | {POLLS})
    request = access_requests.refuse(request=pending(), by=group_admin)
    assert request.state is RequestState.REFUSED
    assert get_permissions(authentication.get_access_context(token).scopes) == COMMON


@pytest.mark.parametrize("verb", ["deactivate", "suspend"])
def test_a_connector_that_is_stopped_is_given_nothing_more_until_it_goes_on(
    program: Program, group_admin: User, developer: User, verb: str
) -> None:
    change(program.connector, COMMON | {POLLS})
    getattr(connectors, verb)(connector=program.connector, by=developer)
    with pytest.raises(RuleBroken) as refused:
        access_requests.approve_more(request=pending(), by=group_admin, permissions=[POLLS])
    assert refused.value.code == "connector_not_grantable"
    program.grant.refresh_from_db()
    assert program.grant.permissions == COMMON
    back = {"deactivate": connectors.reactivate, "suspend": connectors.resume}[verb]
    back(connector=program.connector, by=developer)
    access_requests.approve_more(request=pending(), by=group_admin, permissions=[POLLS])


def test_nobody_is_given_what_was_not_asked(program: Program, group_admin: User) -> None:
    change(program.connector, COMMON | {POLLS})
    with pytest.raises(RuleBroken):
        access_requests.approve_more(request=pending(), by=group_admin, permissions=[POLLS, MEDIA])
    program.grant.refresh_from_db()
    assert program.grant.permissions == COMMON


@pytest.mark.parametrize("who", ["developer", "stranger", "outsider"])
def test_who_does_not_administer_the_grant_answers_nothing(
    program: Program, who: str, request: pytest.FixtureRequest, everything: Callable[[], Any]
) -> None:
    change(program.connector, COMMON | {POLLS})
    user, asked, before = request.getfixturevalue(who), pending(), everything()
    with pytest.raises(NotFound):
        access_requests.approve_more(request=asked, by=user, permissions=[POLLS])
    with pytest.raises(NotFound):
        access_requests.refuse(request=asked, by=user)
    assert everything() == before


def test_less_applies_to_running_tokens_at_once_and_does_not_come_back_by_itself(
    program: Program, group_admin: User
) -> None:
    token = exchange(program).access_token
    changed = change(program.connector, COMMON - {Permission.TEXT_MESSAGE})
    assert (changed.removed, changed.grants_cut, changed.requests_made) == (frozenset({Permission.TEXT_MESSAGE}), 1, 0)
    assert Permission.TEXT_MESSAGE not in get_permissions(authentication.get_access_context(token).scopes)
    change(program.connector, COMMON)
    assert Permission.TEXT_MESSAGE not in get_permissions(authentication.get_access_context(token).scopes)
    access_requests.approve_more(request=pending(), by=group_admin, permissions=[Permission.TEXT_MESSAGE])
    assert get_permissions(authentication.get_access_context(token).scopes) == COMMON


def test_asking_for_more_again_widens_what_waits(program: Program) -> None:
    change(program.connector, COMMON | {POLLS})
    change(program.connector, COMMON | {POLLS, MEDIA})
    assert pending().permissions == {POLLS, MEDIA}


def test_what_waits_shrinks_with_the_connector_and_is_withdrawn_when_nothing_is_left(program: Program) -> None:
    change(program.connector, COMMON | {POLLS, MEDIA})
    change(program.connector, COMMON | {MEDIA})
    assert pending().permissions == {MEDIA}
    change(program.connector, COMMON)
    assert [request.state for request in AccessRequest.objects.all()] == [RequestState.WITHDRAWN]


def test_a_request_for_access_shrinks_as_well(connector: Connector, developer: User) -> None:
    access_requests.ask(connector=connector, by=developer, permissions=COMMON, once=new_once())
    change(connector, [Permission.TEXT_MESSAGE])
    assert pending().permissions == {Permission.TEXT_MESSAGE}


def test_grants_that_ended_are_not_asked_and_what_waits_ends_with_the_grant(
    connector: Connector, group_admin: User
) -> None:
    grants.revoke(grant=factories.let_in(connector, group_admin).grant, by=group_admin)
    granted = factories.let_in(connector, group_admin)
    assert change(connector, COMMON | {POLLS}).requests_made == 1
    request = pending()
    grants.revoke(grant=granted.grant, by=group_admin)
    request.refresh_from_db()
    assert request.state is RequestState.WITHDRAWN
    with pytest.raises(Conflict):
        access_requests.approve_more(request=request, by=group_admin, permissions=[POLLS])


def test_what_acts_for_an_organisation_admin_or_was_made_by_pin_is_not_asked(
    connector: Connector, member: User, organisation_admin: User
) -> None:
    options: dict[str, Any] = {"kind": Grant.Kind.USER, "target_name": "A person"}
    of_admin, of_member, by_pin = (
        grants.grant(
            connector=connector, person=person_of(user), target=f"person:{person_of(user).pk}", by=user, **options
        ).grant
        for user in (organisation_admin, member, make_user("Nisha Patel", connector.organisation))
    )
    Grant.objects.filter(pk=by_pin.pk).update(granted_by=None)
    assert change(connector, COMMON | {POLLS}).requests_made == 1
    request = pending()
    assert request.grant == of_member
    for grant in (of_admin, by_pin):
        grant.refresh_from_db()
        request.grant = grant
        assert not policies.can_answer(organisation_admin, request)


def test_the_same_permissions_again_change_nothing(program: Program, everything: Callable[[], Any]) -> None:
    before, audited = everything(), AuditEvent.objects.count()
    changed = change(program.connector, COMMON)
    assert (changed.grants_cut, changed.requests_made) == (0, 0)
    assert (everything(), AuditEvent.objects.count()) == (before, audited)


@pytest.mark.parametrize("who", ["stranger", "group_admin", "outsider", "organisation_admin"])
def test_only_owners_change_permissions(
    program: Program, who: str, request: pytest.FixtureRequest, everything: Callable[[], Any]
) -> None:
    user, before = request.getfixturevalue(who), everything()
    with pytest.raises(NotFound):
        change(program.connector, COMMON | {POLLS}, by=user)
    assert everything() == before


def test_a_connector_keeps_at_least_one_permission(connector: Connector) -> None:
    with pytest.raises(RuleBroken):
        change(connector, [])


def test_the_trail_tells_the_change_the_request_and_the_answer(program: Program, group_admin: User) -> None:
    change(program.connector, (COMMON | {POLLS}) - {Permission.GROUP_INFORMATION})
    access_requests.approve_more(request=pending(), by=group_admin, permissions=[POLLS])
    tags = list(AuditEvent.objects.order_by("pk").values_list("tag", flat=True))[-5:]
    assert tags == [
        "connector:permissions:changed",
        "grant:permissions:changed",
        "request:access:made",
        "grant:permissions:changed",
        "request:access:approved",
    ]
