"""Killed at every single step, a worker leaves all of a rotation or a handoff's end, or nothing; the next does it."""

from __future__ import annotations

import datetime as dt

import pytest

from accounts.models import AuditEvent, Notice, User
from connectors.models import Handoff, HandoffState, RefreshToken
from connectors.services import handoffs
from connectors.services.one_time_secrets import new_form_key
from connectors.tests.factories import Program, make_connector, make_program
from connectors.tests.test_successors import exchange
from kaizala_console.lib import clock
from kaizala_console.tests.deaths import Deaths, deaths, deaths_with_mail, process_whose_children_die
from kaizala_console.tests.real_worker import MailServer

__all__ = ["deaths", "deaths_with_mail", "process_whose_children_die"]
pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def program(developer: User, group_admin: User) -> Program:
    return make_program(make_connector(developer, "Shift Planner"), group_admin)


def grown_old(program: Program, by: User) -> None:
    """Its token was claimed, and has lived 330 of its 365 days."""
    handoffs.claim(handoff=program.handoff, by=by, idempotency_key=new_form_key(), address=None)
    now = clock.now()
    RefreshToken.objects.update(issued_at=now - dt.timedelta(days=330), expires_at=now + dt.timedelta(days=35))


def test_a_rotation(deaths: Deaths, program: Program, developer: User) -> None:
    grown_old(program, developer)
    done = deaths.leave_all_or_nothing("connectors.services.refresh_tokens.rotate_due")
    assert done["result"] == 0, "one that died past its commit had done it already"
    handoff = Handoff.objects.waiting().get()
    assert handoff.notice is not None
    assert Notice.objects.filter(template="connectors/handoff_rotated").count() == 1
    assert AuditEvent.objects.filter(tag="grant:token:succeeded").count() == 1
    successor = handoffs.claim(handoff=handoff, by=developer, idempotency_key=new_form_key(), address=None)
    assert successor == exchange(program).successor
    assert exchange(program, successor).access_token


def test_the_end_of_a_handoff_that_nobody_claimed(deaths: Deaths, program: Program) -> None:
    now = clock.now()
    Handoff.objects.update(made_at=now - dt.timedelta(days=8), expires_at=now - dt.timedelta(days=1))
    done = deaths.leave_all_or_nothing("connectors.services.handoffs.expire_overdue")
    assert done["result"] == 0
    handoff = Handoff.objects.get()
    assert (handoff.state, handoff.sealed) == (HandoffState.EXPIRED, None)
    assert Notice.objects.filter(template="connectors/handoff_expired").count() == 2, "one to each side"


def half_by_half() -> int:
    """What none of the work here may be like: done in two transactions."""
    Handoff.objects.update(withdrawn_at=clock.now(), sealed=None)
    return RefreshToken.objects.update(revoked_at=clock.now())


def test_work_that_is_half_done_is_noticed(deaths: Deaths, program: Program) -> None:
    with pytest.raises(AssertionError, match="half done"):
        deaths.leave_all_or_nothing("kaizala_console.tests.test_killed_anywhere.half_by_half")
    assert Handoff.objects.get().sealed is None


def test_the_mail_that_tells_of_a_handoff(
    deaths_with_mail: Deaths, mail_server: tuple[MailServer, int], program: Program
) -> None:
    """It is lost nowhere. Between the mail server's "taken" and our note of it a mail can go twice: as the same one."""
    notice = Notice.objects.get()
    Notice.objects.update(sent_at=None, next_attempt_at=clock.now(), attempts=0)
    arrived = []
    for _step, _answer in deaths_with_mail.everywhere(
        "accounts.services.notifications.deliver", notice_id=str(notice.pk)
    ):
        arrived.append(len(mail_server[0].taken))
        Notice.objects.filter(sent_at=None).update(next_attempt_at=clock.now(), attempts=0)  # the lease runs out
    notice.refresh_from_db()
    assert notice.sent_at is not None
    assert {f"<{notice.pk}@" in mail for mail in mail_server[0].taken} == {True}
    assert arrived[-1] == 2, "only who died with the answer of the mail server in hand sends it again"
