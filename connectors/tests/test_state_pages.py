"""Deactivate, suspend, delete, and the ways back: told before, typed where it hurts, harmless when pressed twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent, User
from connectors.models import Connector, ConnectorState
from connectors.services import connectors, token_exchange
from connectors.tests.factories import Program
from connectors.tests.html_forms import form_to, text_of
from connectors.views import states
from kaizala_console.api.errors import ApiError

pytestmark = pytest.mark.django_db

Browser = Callable[..., Client]


def url(connector: Connector, verb: str) -> str:
    return f"/console/connectors/{connector.pk}/state/{verb}/"


def state_of(program: Program) -> ConnectorState:
    return Connector.objects.get(pk=program.connector.pk).state


def exchange(program: Program) -> str:
    return token_exchange.exchange(
        connector_id=str(program.connector.pk),
        secret=program.secret,
        refresh_token=program.refresh_token,
        address="203.0.113.9",
    ).access_token


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        ("deactivate", "Live tokens keep working."),
        ("suspend", "Every token is refused until you resume it."),
        ("delete", "Every token and secret stops working for good. This can’t be undone."),
    ],
)
def test_each_verb_says_first_what_happens_to_live_tokens_and_a_look_changes_nothing(
    program: Program, developer: User, browser_of: Browser, verb: str, says: str
) -> None:
    page = browser_of(developer).get(url(program.connector, verb))
    assert says in text_of(page)
    assert state_of(program) is ConnectorState.LIVE


@pytest.mark.parametrize("verb", ["suspend", "delete"])
def test_what_will_stop_is_counted(program: Program, developer: User, browser_of: Browser, verb: str) -> None:
    text = text_of(browser_of(developer).get(url(program.connector, verb)))
    for fact in ("live refresh tokens 1", "groups 1", "live secrets 1", "handoffs waiting 1"):
        assert fact in text


def test_deactivating_lets_existing_access_go_on(program: Program, developer: User, browser_of: Browser) -> None:
    client = browser_of(developer)
    form = form_to(client.get(url(program.connector, "deactivate")), url(program.connector, "deactivate"))
    assert form.send(client)["Location"] == f"/console/connectors/{program.connector.pk}/"
    assert state_of(program) is ConnectorState.DEACTIVATED
    assert exchange(program)
    back = form_to(client.get(url(program.connector, "reactivate")), url(program.connector, "reactivate"))
    back.send(client)
    assert state_of(program) is ConnectorState.LIVE


def test_suspending_refuses_every_token_until_it_is_resumed(
    program: Program, developer: User, browser_of: Browser
) -> None:
    client = browser_of(developer)
    form = form_to(client.get(url(program.connector, "suspend")), url(program.connector, "suspend"))
    form.send(client, {"typed": "Shift Planner"})
    with pytest.raises(ApiError):
        exchange(program)
    form_to(client.get(url(program.connector, "resume")), url(program.connector, "resume")).send(client)
    assert exchange(program)


def test_deleting_ends_everything_and_leads_to_the_list(program: Program, developer: User, browser_of: Browser) -> None:
    client = browser_of(developer)
    form = form_to(client.get(url(program.connector, "delete")), url(program.connector, "delete"))
    assert form.send(client, {"typed": " shift  planner "})["Location"] == "/console/connectors/"
    with pytest.raises(ApiError):
        exchange(program)
    assert "“Shift Planner” deleted." in text_of(client.get("/console/connectors/"))


@pytest.mark.parametrize("verb", ["suspend", "delete"])
@pytest.mark.parametrize("typed", ["", "Shift", "Shift Planner 2", "delete"])
def test_another_name_does_nothing(
    program: Program, developer: User, browser_of: Browser, verb: str, typed: str
) -> None:
    client = browser_of(developer)
    page = client.post(url(program.connector, verb), {"typed": typed})
    assert "Type the name exactly: “Shift Planner”." in text_of(page)
    assert state_of(program) is ConnectorState.LIVE


@pytest.mark.parametrize("verb", ["deactivate", "suspend", "delete"])
def test_a_double_click_does_it_once_and_shows_no_error(
    program: Program, developer: User, browser_of: Browser, verb: str
) -> None:
    client = browser_of(developer)
    answers = [client.post(url(program.connector, verb), {"typed": "Shift Planner"}) for _ in range(2)]
    assert answers[0].status_code == answers[1].status_code == 302
    assert answers[0]["Location"] == answers[1]["Location"]
    assert client.get(answers[1]["Location"]).status_code == 200
    assert AuditEvent.objects.filter(tag__startswith="connector:account:").count() == 1


def test_somebody_who_was_faster_is_no_error(
    connector: Connector, developer: User, browser_of: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(**arguments: Any) -> Connector:
        connectors.deactivate(connector=connector, by=developer)  # the other one, in between
        return connectors.deactivate(**arguments)

    act = states.VERBS["deactivate"]
    monkeypatch.setitem(states.VERBS, "deactivate", replace(act, service=slow))
    client = browser_of(developer)
    assert client.post(url(connector, "deactivate")).status_code == 302
    assert "This connector is already deactivated." in text_of(client.get(f"/console/connectors/{connector.pk}/"))


def test_a_verb_that_makes_no_sense_now_leads_back(connector: Connector, developer: User, browser_of: Browser) -> None:
    client = browser_of(developer)
    for send in (client.get, client.post):
        assert send(url(connector, "resume"))["Location"] == f"/console/connectors/{connector.pk}/"
