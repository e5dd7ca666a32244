"""Taking permissions away: what will stop is counted first, the name is typed, and the next call is refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import User
from connectors.models import Connector, Grant
from connectors.permissions import Permission
from connectors.tests import factories
from connectors.tests.factories import COMMON, Program
from connectors.tests.html_forms import form_to, text_of
from connectors.tests.webhook_cast import make_webhook
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
MEMBERS = "GET v1/groups/<group_id>/members"
SPELLED = "GET /v1/groups/{groupId}/members"
LESS = ["groupinfo", "textmessage"]


def url(connector: Connector) -> str:
    return f"/console/connectors/{connector.pk}/permissions/"


def used(program: Program, *, calls: int, ago: dt.timedelta, scope: str = "groupmember.read") -> None:
    factories.make_use(program.grant, MEMBERS, at=clock.now() - ago, calls=calls, scope=scope)


def has_now(program: Program) -> frozenset[Permission]:
    return Grant.objects.get(pk=program.grant.pk).permissions


def listens(program: Program, address: str) -> None:
    """The program has this webhook, with the permission to have it."""
    for row in (program.connector, program.grant):
        row.permissions = COMMON | {Permission.OUTGOING_WEBHOOKS}
        row.save(update_fields=["permissions"])
    make_webhook(program.grant, address, uuid4())


def test_what_will_stop_is_counted_tokens_groups_and_the_calls_of_a_day_a_week_and_a_month(
    program: Program, group_admin: User, developer: User, browser_of: Browser
) -> None:
    factories.let_in(program.connector, group_admin, permissions=["textmessage"], target_name="Loses nothing")
    used(program, calls=5, ago=dt.timedelta(hours=1))
    used(program, calls=7, ago=dt.timedelta(days=3))
    used(program, calls=9, ago=dt.timedelta(days=20))
    text = text_of(browser_of(developer).post(url(program.connector), {"permissions": LESS, "reason": ""}))
    for fact in (
        "access that loses permissions 1",
        "groups 1",
        "live refresh tokens that lose permissions 1",
        "calls of the last 24 hours that would have failed 5",
        "calls of the last 7 days that would have failed 12",
        "calls of the last 30 days that would have failed 21",
        f"{SPELLED} 5 12 21",
    ):
        assert fact in text
    assert has_now(program) == COMMON, "looking takes nothing away"


def test_webhooks_that_end_are_counted_with_their_hosts(program: Program, developer: User, browser_of: Browser) -> None:
    listens(program, "https://hooks.example.com/in?key=of-theirs")
    client = browser_of(developer)
    without = text_of(client.post(url(program.connector), {"permissions": [*LESS, "groupmember"], "reason": ""}))
    assert "active webhooks 1" in without
    assert "Webhooks that stop" in without
    assert "hooks.example.com" in without
    assert "of-theirs" not in without
    kept = text_of(client.post(url(program.connector), {"permissions": [*LESS, "webhook"], "reason": ""}))
    assert "active webhooks 0" in kept
    assert "hooks.example.com" not in kept


@pytest.mark.parametrize("typed", [None, "", "Shift", "Shift Planner 2", "yes"])
def test_without_its_name_nothing_is_taken_away(
    program: Program, developer: User, browser_of: Browser, typed: str | None
) -> None:
    form: dict[str, Any] = {"permissions": LESS, "reason": "Too much", "sure": "1"}
    page = browser_of(developer).post(url(program.connector), form if typed is None else {**form, "typed": typed})
    assert page.status_code == 400
    assert "Type the name exactly: “Shift Planner”." in text_of(page)
    assert "What will stop" in text_of(page), "the figures stay beside the question"
    again = form_to(page, url(program.connector))
    assert again.fields["permissions"] == LESS
    assert again.fields["reason"] == ["Too much"]
    assert has_now(program) == Connector.objects.get().permissions == COMMON


def test_with_its_name_the_next_call_is_refused(program: Program, developer: User, browser_of: Browser) -> None:
    token = Client().get("/v1/accessToken", headers=program.headers()).json()["accessToken"]
    client = browser_of(developer)
    preview = client.post(url(program.connector), {"permissions": ["textmessage"], "reason": ""})
    sent = form_to(preview, url(program.connector)).send(client, {"typed": " shift  planner ", "sure": "1"})
    assert sent.status_code == 302
    assert has_now(program) == {Permission.TEXT_MESSAGE}
    assert Client().get("/v1/groups", headers={"accessToken": token}).status_code == 403


def test_who_only_adds_types_nothing(program: Program, developer: User, browser_of: Browser) -> None:
    client = browser_of(developer)
    more = [*sorted(COMMON), "media"]
    preview = client.post(url(program.connector), {"permissions": more, "reason": ""})
    assert "What will stop" not in text_of(preview)
    assert "typed" not in form_to(preview, url(program.connector)).fields
    assert form_to(preview, url(program.connector)).send(client, {"sure": "1"}).status_code == 302
    assert Permission.MEDIA in Connector.objects.get().permissions
    assert has_now(program) == COMMON
