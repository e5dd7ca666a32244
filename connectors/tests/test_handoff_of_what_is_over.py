"""A handoff whose access has ended by its end date, before the worker came by: nobody is given a token that is dead."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from connectors.models import Handoff
from connectors.services import grants, handoffs
from connectors.services.one_time_secrets import new_form_key
from connectors.tests import factories
from connectors.tests.factories import Program
from kaizala_console.lib import clock
from kaizala_console.lib.errors import RuleBroken

pytestmark = pytest.mark.django_db


@pytest.fixture
def over(program: Program, group_admin: User, travel: Callable[..., dt.datetime]) -> Program:
    """Its admin has moved the end to tomorrow, and that has passed."""
    ends_at = clock.now() + dt.timedelta(days=1)
    grants.move(grant=program.grant, ends_at=ends_at, by=group_admin)
    travel(days=1, minutes=1)
    return program


def claim(program: Program, **body: Any) -> Any:
    return Client().post("/v1/handoffs/claim", body, content_type="application/json", headers=program.headers())


def test_neither_page_nor_program_nor_admin_is_given_it(over: Program, developer: User, group_admin: User) -> None:
    with pytest.raises(RuleBroken, match="The access that this handoff is for ended on "):
        handoffs.claim(handoff=over.handoff, by=developer, idempotency_key=new_form_key(), address=None)
    with pytest.raises(RuleBroken, match="The access that this handoff is for ended on "):
        handoffs.reveal(handoff=over.handoff, by=group_admin, idempotency_key=new_form_key())
    named = claim(over, handoffId=str(over.handoff.pk))
    assert (named.status_code, "ended on" in named.json()["message"]) == (409, True)
    unnamed = claim(over)
    assert (unnamed.status_code, "ended on" in unnamed.json()["message"]) == (404, True)
    handoff = Handoff.objects.get()
    assert (handoff.claimed_at, handoff.revealed_at) == (None, None)


def test_it_keeps_no_other_and_is_not_counted_among_what_waits(over: Program, group_admin: User) -> None:
    second = factories.let_in(over.connector, group_admin, target_name="Day shift")
    answer = claim(over).json()
    assert (answer["handoffId"], answer["stillWaiting"]) == (str(second.handoff.pk), 0)
