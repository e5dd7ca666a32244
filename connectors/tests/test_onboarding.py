"""A developer's onboarding steps: each is ticked by what is in the database."""

from __future__ import annotations

import datetime as dt

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from connectors.models import Connector, Handoff
from connectors.services import access_requests, handoffs
from connectors.tests import factories
from connectors.tests.factories import Program, let_in, make_connector
from kaizala_console.dashboard.onboarding import OnboardingPath, developer_path

pytestmark = pytest.mark.django_db


def links(path: OnboardingPath) -> list[str]:
    assert path.next_step
    return [link.href for link in path.next_step.links]


def use(handoff: Handoff) -> dt.datetime:
    return factories.used(handoff.grant)


def test_it_begins_with_the_connector(stranger: User) -> None:
    path = developer_path(stranger)
    assert (path.done_count, path.fits, path.finished_at) == (1, False, None)
    assert links(path) == [reverse("connectors:create")]


def test_every_step_leads_to_the_page_where_it_is_done(
    developer: User, connector: Connector, group_admin: User
) -> None:
    path = developer_path(developer)
    assert (path.done_count, path.fits) == (2, True)
    assert links(path) == [reverse("connectors:request_send", args=[connector.pk])]

    asked = access_requests.ask(
        connector=connector, by=developer, permissions=["textmessage"], once=access_requests.new_once()
    )
    assert links(developer_path(developer)) == [reverse("connectors:request", args=[connector.pk, asked.pk])]

    handoff = let_in(connector, group_admin).handoff
    path = developer_path(developer)
    assert path.done_count == 3
    assert links(path) == [reverse("connectors:handoff", args=[handoff.pk])]

    handoffs.claim(handoff=handoff, by=developer, idempotency_key="k" * 32, address=None)
    path = developer_path(developer)
    assert path.done_count == 4
    assert links(path) == [f"{reverse('connectors:explorer')}?connector={connector.pk}"]

    used_at = use(handoff)
    path = developer_path(developer)
    assert (path.done_count, path.next_step, path.finished_at) == (5, None, used_at)


def test_a_handoff_that_ended_unopened_is_no_dead_end(developer: User, program: Program) -> None:
    handoffs.refuse(handoff=program.handoff, by=developer)
    path = developer_path(developer)
    assert path.done_count == 3
    assert links(path) == [reverse("connectors:handoff", args=[program.handoff.pk])]
    assert path.next_step is not None
    assert "Regenerate it" in str(path.next_step.text)


def test_others_connectors_are_nobodys_steps(stranger: User, program: Program) -> None:
    use(program.handoff)
    assert developer_path(stranger).done_count == 1


def test_many_connectors_cost_one_statement(
    developer: User, group_admin: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        let_in(make_connector(developer, f"Connector {number}"), group_admin)
    with django_assert_num_queries(1):
        developer_path(developer)
