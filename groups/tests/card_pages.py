"""What the tests of a card's page share: a member's browser, cards, and answers to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Person, User
from connectors.tests.html_forms import HtmlForm, form_to
from groups.models import Action, Group, Response
from groups.services import actions, responses
from groups.tests.factories import person_of

Browser = Callable[..., Client]


@pytest.fixture
def client(member: User, browser_of: Browser) -> Client:
    """A member's."""
    return browser_of(member)


@pytest.fixture
def post(group: Group, group_admin: User) -> Callable[..., Action]:
    """`post("Poll", POLL)`: a card of the group's admin."""

    def post(kind: str, body: dict[str, Any], *, to: Group | None = None, **more: Any) -> Action:
        return actions.post(
            group=to or group, action_type=kind, body=body, person=person_of(group_admin), by=group_admin, **more
        )

    return post


Post = Callable[..., Action]


def page_of(action: Action) -> str:
    return reverse("groups:action", args=[action.group_id, action.pk])


def export_of(action: Action) -> str:
    return reverse("groups:action_export", args=[action.group_id, action.pk])


def answer_form(client: Client, action: Action) -> HtmlForm:
    return form_to(client.get(page_of(action)), page_of(action))


def answer(action: Action, who: User | Person, body: dict[str, Any]) -> Response:
    return responses.give(action=action, body=body, person=person_of(who))
