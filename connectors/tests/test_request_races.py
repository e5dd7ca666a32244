"""Requests, answers and changes of permissions at the same moment, on PostgreSQL with real threads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import partial

import pytest
from django.db import connection

from accounts.models import User
from connectors import authentication
from connectors.models import AccessRequest, Connector, Grant, RequestState
from connectors.permissions import Permission, list_scopes
from connectors.services import access_requests, connectors, grants, permissions
from connectors.services.access_requests import new_once
from connectors.tests import factories
from connectors.tests.factories import COMMON, Program
from connectors.tests.test_races import ROUNDS, THREADS, at_once, refusals, wins
from connectors.tests.test_successors import exchange
from kaizala_console.api.errors import TokenInvalid
from kaizala_console.lib import ids

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

POLLS = Permission.ACTION_AND_RESPONSES


@pytest.fixture(autouse=True)
def _on_postgresql() -> Iterator[None]:
    assert connection.vendor == "postgresql"
    yield
    connection.close()


def test_a_form_sent_many_times_at_once_is_one_request(connector: Connector, developer: User) -> None:
    once = new_once()
    act = partial(access_requests.ask, connector=connector, by=developer, permissions=COMMON, once=once)
    assert len({request.pk for request in at_once(*[act] * THREADS)}) == 1


def test_one_group_asked_many_times_at_once_is_asked_once(connector: Connector, developer: User) -> None:
    target = f"group:{ids.new_id()}"
    acts = [
        partial(
            access_requests.ask, connector=connector, by=developer, permissions=COMMON, once=new_once(), target=target
        )
        for _thread in range(THREADS)
    ]
    results = at_once(*acts)
    assert len(wins(results)) == 1
    assert {refusal.code for refusal in refusals(results)} == {"already_asked"}


def test_of_many_answers_to_a_wish_for_more_one_counts(program: Program, developer: User, group_admin: User) -> None:
    permissions.change(connector=program.connector, permissions=COMMON | {POLLS}, by=developer)
    request = AccessRequest.objects.get()
    yes = partial(access_requests.approve_more, request=request, by=group_admin, permissions=[POLLS])
    no = partial(access_requests.refuse, request=request, by=group_admin)
    withdrawn = partial(access_requests.withdraw, request=request, by=developer)
    results = at_once(yes, no, withdrawn, yes, no, withdrawn)
    assert len(wins(results)) == 1
    request.refresh_from_db()
    program.grant.refresh_from_db()
    assert (POLLS in program.grant.permissions) is (request.state is RequestState.APPROVED)


def test_what_was_removed_is_not_accepted_again_whoever_answers_at_the_same_moment(
    connector: Connector, developer: User, group_admin: User
) -> None:
    for _round in range(ROUNDS):
        Connector.objects.filter(pk=connector.pk).update(permissions=COMMON)
        connector.refresh_from_db()
        program = factories.make_program(connector, group_admin)
        token = exchange(program).access_token
        permissions.change(connector=connector, permissions=COMMON | {POLLS}, by=developer)
        request = AccessRequest.objects.waiting().get()
        results = at_once(
            partial(access_requests.approve_more, request=request, by=group_admin, permissions=[POLLS]),
            partial(permissions.change, connector=connector, permissions=COMMON, by=developer),
        )
        assert len(wins(results)) >= 1, results
        assert authentication.get_access_context(token).scopes.isdisjoint(list_scopes([POLLS]))
        assert POLLS not in Grant.objects.get(pk=program.grant.pk).permissions
        grants.revoke(grant=program.grant, by=group_admin)
        connector.secrets.update(revoked_at=program.grant.granted_at)


@pytest.mark.parametrize("end", ["revoke", "delete"])
def test_an_answer_never_revives_what_ends_at_the_same_moment(developer: User, group_admin: User, end: str) -> None:
    for _round in range(ROUNDS):
        program = factories.make_program(factories.make_connector(developer), group_admin)
        token = exchange(program).access_token
        permissions.change(connector=program.connector, permissions=COMMON | {POLLS}, by=developer)
        request = AccessRequest.objects.waiting().get()
        ends = (
            partial(grants.revoke, grant=program.grant, by=group_admin)
            if end == "revoke"
            else partial(connectors.delete, connector=program.connector, by=developer)
        )
        at_once(partial(access_requests.approve_more, request=request, by=group_admin, permissions=[POLLS]), ends)
        with pytest.raises(TokenInvalid):
            authentication.get_access_context(token)
        assert not AccessRequest.objects.waiting().exists()


def test_a_request_expires_or_is_answered_and_never_both(program: Program, developer: User, group_admin: User) -> None:
    for _round in range(ROUNDS):
        permissions.change(connector=program.connector, permissions=COMMON | {POLLS}, by=developer)
        request = AccessRequest.objects.waiting().get()
        AccessRequest.objects.filter(pk=request.pk).update(
            expires_at=request.made_at - dt.timedelta(days=1), made_at=request.made_at - dt.timedelta(days=15)
        )
        results = at_once(
            partial(access_requests.approve_more, request=request, by=group_admin, permissions=[POLLS]),
            access_requests.expire_overdue,
        )
        request.refresh_from_db()
        assert request.state is RequestState.EXPIRED
        assert {refusal.code for refusal in refusals(results)} == {"request_expired"}
        permissions.change(connector=program.connector, permissions=COMMON, by=developer)
