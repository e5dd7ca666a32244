"""Issued again, at an awkward moment: a token that somebody uses, or has just been given, does not end by it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors.models import Handoff, RefreshToken
from connectors.services import grants, handoffs, refresh_tokens
from connectors.services.one_time_secrets import new_form_key
from connectors.tests.factories import Program
from connectors.tests.test_successors import exchange
from kaizala_console.api.errors import RefreshTokenRefused

pytestmark = pytest.mark.django_db
Travel = Callable[..., dt.datetime]


def claimed(handoff: Handoff, by: User) -> str:
    return handoffs.claim(handoff=handoff, by=by, idempotency_key=new_form_key(), address=None)


def claimed_by_program(program: Program) -> str:
    return handoffs.claim_by_program(
        connector_id=str(program.connector.pk), secret=program.secret, handoff_id=None, retry_key="", address=None
    ).text


def test_while_the_access_is_suspended_an_unopened_successor_goes_out_again_as_it_is(
    program: Program, developer: User, group_admin: User, travel: Travel
) -> None:
    claimed(program.handoff, developer)
    travel(days=330)
    refresh_tokens.rotate_due()
    first = Handoff.objects.waiting().get()
    grants.suspend(grant=program.grant, by=group_admin)
    travel(days=8)
    handoffs.expire_overdue()
    again = handoffs.reissue(handoff=first, by=developer)
    grants.resume(grant=program.grant, by=group_admin)
    assert exchange(program).access_token, "the token in use goes on"
    assert claimed(again, developer) == exchange(program).successor
    assert RefreshToken.objects.count() == 2


def test_pressed_again_after_the_program_took_the_new_one_it_ends_nothing(
    program: Program, developer: User, travel: Travel
) -> None:
    """The answer to the first press was lost, and the program was quick."""
    handoffs.refuse(handoff=program.handoff, by=developer)
    travel(minutes=1)
    new = handoffs.reissue(handoff=program.handoff, by=developer)
    taken = claimed_by_program(program)
    travel(minutes=1)
    assert handoffs.reissue(handoff=program.handoff, by=developer) == new
    assert exchange(program, taken).access_token
    assert Handoff.objects.count() == 2


def test_a_page_left_open_leads_to_the_one_that_was_opened_meanwhile(
    program: Program, developer: User, travel: Travel, browser_of: Callable[..., Client]
) -> None:
    handoffs.refuse(handoff=program.handoff, by=developer)
    travel(minutes=1)
    new = handoffs.reissue(handoff=program.handoff, by=developer)
    taken = claimed_by_program(program)
    browser = browser_of(developer)
    answer = browser.post(reverse("connectors:handoff_reissue", args=[program.handoff.pk]), follow=True)
    assert answer.redirect_chain[-1][0] == reverse("connectors:handoff", args=[new.pk])
    page = answer.content.decode()
    assert "A newer token was already claimed. This is it." in page
    assert "Regenerated: claim the new token here." not in page
    assert reverse("connectors:handoff_reissue", args=[new.pk]) in page, "from there it can be"
    assert exchange(program, taken).access_token


def test_when_the_newer_one_is_lost_it_can_be_issued_again_from_its_own_page(
    program: Program, developer: User, travel: Travel
) -> None:
    handoffs.refuse(handoff=program.handoff, by=developer)
    travel(minutes=1)
    new = handoffs.reissue(handoff=program.handoff, by=developer)
    lost = claimed_by_program(program)
    travel(minutes=1)
    third = handoffs.reissue(handoff=new, by=developer)
    assert claimed(third, developer) != lost
    with pytest.raises(RefreshTokenRefused, match="superseded"):
        exchange(program, lost)


def test_a_newer_one_that_came_to_nothing_does_not_stand_in_the_way(
    program: Program, developer: User, travel: Travel
) -> None:
    handoffs.refuse(handoff=program.handoff, by=developer)
    travel(minutes=1)
    new = handoffs.reissue(handoff=program.handoff, by=developer)
    travel(days=8)
    handoffs.expire_overdue()
    again = handoffs.reissue(handoff=program.handoff, by=developer)
    assert again not in (program.handoff, new)
    assert exchange(program, claimed(again, developer)).access_token


# "Regenerate", when the worker or the other side came between the page and the button -----------------------------


def test_regenerating_ends_the_token_though_its_successor_was_handed_over_meanwhile(
    program: Program, developer: User, group_admin: User, travel: Travel
) -> None:
    claimed(program.handoff, developer)
    travel(days=330)
    refresh_tokens.rotate_due()
    travel(minutes=1)
    new = grants.regenerate(grant=program.grant, by=group_admin, instead_of=program.handoff)
    with pytest.raises(RefreshTokenRefused, match="superseded"):
        exchange(program)
    assert Handoff.objects.waiting().get() == new
    assert RefreshToken.objects.get(revoked_at=None) == new.refresh_token
    assert grants.regenerate(grant=program.grant, by=group_admin, instead_of=program.handoff) == new, "twice is once"
