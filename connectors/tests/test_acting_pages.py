"""Before what acts for somebody is ended, they see what stops with it, and type the connector's name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from accounts.audit.events import EventType
from accounts.models import User
from connectors.models import Connector, Grant
from connectors.services import user_tokens
from connectors.tests.factories import make_use, person_of
from connectors.tests.html_forms import text_of
from connectors.tests.webhook_cast import make_webhook
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db
BrowserOf = Callable[..., Client]


@pytest.fixture
def grant(connector: Connector, member: User) -> Grant:
    """The member has let the connector act by a PIN."""
    return user_tokens.let_act(
        connector=connector,
        person=person_of(member),
        user=member,
        scopes=None,
        by=member,
        tag=EventType.USER_TOKEN_BY_PIN,
        address=None,
    ).grant


def end_of(grant: Grant) -> str:
    return reverse("connectors:acting_end", args=[grant.pk])


def test_what_stops_with_it_is_told_first(grant: Grant, member: User, browser_of: BrowserOf) -> None:
    for days, calls in ((0, 3), (4, 4)):
        make_use(grant, "GET v1/groups/<group_id>", at=clock.now() - dt.timedelta(days=days), calls=calls)
    make_webhook(grant, "https://hooks.example.com/in", uuid4())
    text = text_of(browser_of(member).get(end_of(grant)))
    for fact in (
        "live refresh tokens 1",
        "handoffs waiting 0",
        "calls in the last 24 hours 3",
        "calls in the last 7 days 7",
        "GET /v1/groups/{groupId} 3 7",
        "active webhooks 1",
        "hooks.example.com",
    ):
        assert fact in text


@pytest.mark.parametrize("typed", ["", "Shift", "yes"])
def test_another_name_ends_nothing(grant: Grant, member: User, browser_of: BrowserOf, typed: str) -> None:
    page = browser_of(member).post(end_of(grant), {"typed": typed})
    assert page.status_code == 400
    assert "Type the name exactly: “Shift Planner”." in text_of(page)
    assert "What will stop" in text_of(page)
    assert Grant.objects.present().exists()
