"""Home says which refresh tokens end soon and have nothing that follows them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.pages import words
from connectors.services import handoffs, refresh_tokens
from connectors.services.one_time_secrets import new_form_key
from connectors.tests.factories import Program
from connectors.tests.test_successors import exchange
from kaizala_console.dashboard.pending_actions import Urgency, tokens_to_replace

pytestmark = pytest.mark.django_db


@pytest.fixture
def old_program(program: Program, developer: User, travel: Callable[..., dt.datetime]) -> Program:
    """Its developer claimed the token; 20 days are left of it."""
    handoffs.claim(handoff=program.handoff, by=developer, idempotency_key=new_form_key(), address=None)
    travel(days=345)
    return program


def test_a_token_in_its_last_month_is_a_card_on_home(
    old_program: Program, developer: User, browser_of: Callable[..., Client], travel: Callable[..., dt.datetime]
) -> None:
    page = browser_of(developer).get(reverse("home"))
    assert "A refresh token ends soon" in words(page)
    assert reverse("connectors:groups", args=[old_program.connector.pk]) in page.text
    assert [need.urgency for need in tokens_to_replace(developer)] == [Urgency.NORMAL]
    travel(days=15)
    assert [need.urgency for need in tokens_to_replace(developer)] == [Urgency.SOON]
    travel(days=6)
    assert list(tokens_to_replace(developer)) == []


def test_it_is_nobody_elses_card(old_program: Program, stranger: User, group_admin: User) -> None:
    assert list(tokens_to_replace(stranger)) == list(tokens_to_replace(group_admin)) == []


def test_while_its_successor_waits_to_be_claimed_that_is_the_card(old_program: Program, developer: User) -> None:
    refresh_tokens.rotate_due()
    assert list(tokens_to_replace(developer)) == []


def test_with_a_successor_in_use_there_is_no_card(old_program: Program, developer: User) -> None:
    exchange(old_program, exchange(old_program).successor)
    assert list(tokens_to_replace(developer)) == []
