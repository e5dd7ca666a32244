"""The end date of a grant: tokens are refused from then on, the worker wipes what waits and tells both sides once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from accounts.models import AuditEvent, Notice, User
from accounts.services import notifications
from connectors.models import Connector, Grant, Handoff
from connectors.services import grants, handoffs
from connectors.tasks import end_grants, expire_handoffs
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.test_successors import exchange
from kaizala_console.api.errors import RefreshTokenRefused
from kaizala_console.lib import clock, moments

pytestmark = pytest.mark.django_db

TEMPLATE = "connectors/grant_ended"


@pytest.fixture
def ended(connector: Connector, group_admin: User, travel: Callable[..., dt.datetime]) -> Program:
    """A program whose access had three days; its token was never claimed."""
    program = factories.make_program(connector, group_admin, ends_at=clock.now() + dt.timedelta(days=3))
    travel(days=3)
    return program


def test_what_waits_is_wiped_and_both_sides_hear_of_one_end(ended: Program, developer: User, group_admin: User) -> None:
    expire_handoffs()
    end_grants()
    end_grants()
    expire_handoffs()
    handoff = Handoff.objects.get()
    assert (handoff.state, handoff.sealed) == ("withdrawn", None)
    told = Notice.objects.exclude(template="connectors/handoff_made")
    assert {(notice.user, notice.template) for notice in told} == {(developer, TEMPLATE), (group_admin, TEMPLATE)}
    assert told.count() == 2
    event = AuditEvent.objects.get(tag="grant:access:ended")
    assert (event.actor_kind, event.after["handoffs_withdrawn"]) == ("system", 1)


def test_the_mails_name_the_end_and_what_to_do(ended: Program, developer: User, group_admin: User) -> None:
    end_grants()
    for user in (developer, group_admin):
        subject, body = notifications.render(Notice.objects.get(template=TEMPLATE, user=user))
        assert subject == "The access of Shift Planner to Night shift has ended"
        assert moments.exact(clock.now()) in body
        assert "unclaimed refresh token was deleted" in body
        assert "/console/" in body


def test_the_token_is_refused_as_expired_and_not_as_superseded(ended: Program) -> None:
    for _ in range(2):
        with pytest.raises(RefreshTokenRefused, match="expired on"):
            exchange(ended)
        end_grants()


def test_before_its_end_nothing_happens(
    connector: Connector, group_admin: User, travel: Callable[..., dt.datetime]
) -> None:
    factories.let_in(connector, group_admin, ends_at=clock.now() + dt.timedelta(days=3))
    factories.let_in(connector, group_admin)
    travel(days=2, hours=23)
    assert grants.end_overdue() == 0
    assert Handoff.objects.waiting().count() == 2


def test_what_was_removed_before_is_not_told_again(ended: Program, group_admin: User) -> None:
    grants.revoke(grant=ended.grant, by=group_admin)
    assert grants.end_overdue() == 0


def test_an_end_that_is_moved_on_is_told_again_when_it_comes(
    ended: Program, developer: User, travel: Callable[..., dt.datetime]
) -> None:
    assert grants.end_overdue() == 1
    Grant.objects.update(ends_at=clock.now() + dt.timedelta(days=2))
    assert grants.end_overdue() == 0
    travel(days=2)
    assert grants.end_overdue() == 1
    assert Notice.objects.filter(template=TEMPLATE, user=developer).count() == 2


def test_without_an_audit_row_nothing_is_wiped(ended: Program, no_audit: Callable[[], None]) -> None:
    no_audit()
    with pytest.raises(ExceptionGroup):
        grants.end_overdue()
    assert Handoff.objects.get().sealed is not None
    assert not Notice.objects.filter(template=TEMPLATE).exists()


def test_a_handoff_of_a_grant_that_goes_on_expires_as_ever(
    program: Program, travel: Callable[..., dt.datetime]
) -> None:
    travel(days=8)
    assert handoffs.expire_overdue() == 1
