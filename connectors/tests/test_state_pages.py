"""Deactivate, suspend, delete, and the ways back: told before, typed where it hurts, harmless when pressed twice."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent
from connectors.models import Connector, ConnectorSecret, ConnectorState
from connectors.services import connectors
from connectors.tests import factories
from connectors.tests.factories import Program, exchange
from connectors.tests.html_forms import Page, count_queries, form_to, text_of
from connectors.views import states
from kaizala_console.api.errors import ApiError
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db
MEMBERS, SPELLED = "GET v1/groups/<group_id>/members", "GET /v1/groups/{groupId}/members"


def url(connector: Connector, verb: str) -> str:
    return f"/console/connectors/{connector.pk}/state/{verb}/"


def press(owner: Client, connector: Connector, verb: str, **typed: str) -> Page:
    return form_to(owner.get(url(connector, verb)), url(connector, verb)).send(owner, typed)


def state_of(program: Program) -> ConnectorState:
    return Connector.objects.get(pk=program.connector.pk).state


@pytest.fixture
def busy(program: Program) -> Program:
    """It called an hour and three days ago."""
    for days, calls in ((0, 5), (3, 7)):
        ago = dt.timedelta(days=days, hours=1)
        factories.make_use(program.grant, MEMBERS, at=clock.now() - ago, calls=calls, scope="groupmember.read")
    return program


@pytest.mark.parametrize("verb", ["suspend", "delete"])
def test_what_will_stop_is_counted_before_and_a_look_changes_nothing(busy: Program, owner: Client, verb: str) -> None:
    text = text_of(owner.get(url(busy.connector, verb)))
    for fact in (
        "live refresh tokens 1",
        "groups 1",
        "live secrets 1",
        "handoffs waiting 1",
        "calls in the last 24 hours 5 calls in the last 7 days 12",
        f"{SPELLED} 5 12",
    ):
        assert fact in text
    assert state_of(busy) is ConnectorState.LIVE


def test_before_the_last_secret_is_revoked_all_that_stops_is_told(busy: Program, owner: Client) -> None:
    secret = ConnectorSecret.objects.get()
    page = f"/console/connectors/{busy.connector.pk}/credentials/{secret.pk}/revoke/"
    assert f"{SPELLED} 5 12" in text_of(owner.get(page))
    factories.make_secret(busy.connector, 2)
    assert "What will stop" not in text_of(owner.get(page))


def test_more_use_costs_no_more_queries(busy: Program, owner: Client) -> None:
    page = url(busy.connector, "suspend")
    few = count_queries(owner, page)
    for n in range(30):
        factories.make_use(busy.grant, f"GET v1/thing{n}", at=clock.now(), calls=1)
    assert count_queries(owner, page) == few <= 40
    assert "And 11 more endpoints." in text_of(owner.get(page))


def test_deactivating_lets_existing_access_go_on(program: Program, owner: Client) -> None:
    answer = press(owner, program.connector, "deactivate")
    assert answer["Location"] == f"/console/connectors/{program.connector.pk}/"
    assert state_of(program) is ConnectorState.DEACTIVATED
    assert exchange(program).access_token
    press(owner, program.connector, "reactivate")
    assert state_of(program) is ConnectorState.LIVE


def test_suspending_refuses_every_token_until_it_is_resumed(program: Program, owner: Client) -> None:
    press(owner, program.connector, "suspend", typed="Shift Planner")
    with pytest.raises(ApiError):
        exchange(program)
    press(owner, program.connector, "resume")
    assert exchange(program).access_token


def test_deleting_ends_everything_and_leads_to_the_list(program: Program, owner: Client) -> None:
    answer = press(owner, program.connector, "delete", typed=" shift  planner ")
    assert answer["Location"] == "/console/connectors/"
    with pytest.raises(ApiError):
        exchange(program)
    assert "“Shift Planner” deleted." in text_of(owner.get("/console/connectors/"))


@pytest.mark.parametrize("verb", ["suspend", "delete"])
@pytest.mark.parametrize("typed", ["", "Shift Planner 2"])
def test_another_name_does_nothing(program: Program, owner: Client, verb: str, typed: str) -> None:
    page = owner.post(url(program.connector, verb), {"typed": typed})
    assert "Type the name exactly" in text_of(page)
    assert state_of(program) is ConnectorState.LIVE


@pytest.mark.parametrize("verb", ["deactivate", "suspend", "delete"])
def test_a_double_click_does_it_once_and_shows_no_error(program: Program, owner: Client, verb: str) -> None:
    first, second = (owner.post(url(program.connector, verb), {"typed": "Shift Planner"}) for _ in range(2))
    assert first.status_code == second.status_code == 302
    assert first["Location"] == second["Location"]
    assert owner.get(second["Location"]).status_code == 200
    assert AuditEvent.objects.filter(tag__startswith="connector:account:").count() == 1


def test_who_was_faster_is_no_error(connector: Connector, owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(**arguments: Any) -> Connector:
        connectors.deactivate(connector=connector, by=connector.owner)  # the other one, in between
        return connectors.deactivate(**arguments)

    act = states.CONNECTOR_CHANGES["deactivate"]
    monkeypatch.setitem(states.CONNECTOR_CHANGES, "deactivate", replace(act, service=slow))
    assert owner.post(url(connector, "deactivate")).status_code == 302
    assert "already deactivated" in text_of(owner.get(f"/console/connectors/{connector.pk}/"))


def test_a_verb_that_makes_no_sense_now_leads_back(connector: Connector, owner: Client) -> None:
    for send in (owner.get, owner.post):
        assert send(url(connector, "resume"))["Location"] == f"/console/connectors/{connector.pk}/"
