"""A web process is killed at every single step of the ways in which tokens come to people and programs, and end.

Each request leaves all that it does, or nothing; and sent once more, it loses and doubles nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Notice, User
from connectors import authentication
from connectors.models import Grant, Handoff, HandoffClaimReplay, HandoffState, RefreshToken
from connectors.services import handoffs, refresh_tokens
from connectors.services.one_time_secrets import new_form_key
from connectors.tests.factories import Program, make_connector, make_program, make_secret
from connectors.tests.oauth_app import BACK, App
from connectors.tests.pin_program import ASK, LOGIN, PinProgram, number_of
from connectors.tests.test_successors import exchange
from groups.models import Group
from groups.services import connectors as group_grants
from groups.tests.factories import make_group
from kaizala_console.api.errors import RefreshTokenRefused
from kaizala_console.tests.deaths import Deaths, deaths, process_whose_children_die

__all__ = ["deaths", "process_whose_children_die"]
pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

REQUEST = "kaizala_console.tests.dying_process.request"
FORM = "application/x-www-form-urlencoded"
BrowserOf = Callable[..., Client]


@pytest.fixture
def group(group_admin: User) -> Group:
    return make_group("Night Shift", organisation=group_admin.organisation, admins=[group_admin])


@pytest.fixture
def program(developer: User, group_admin: User, group: Group) -> Program:
    """In the group, its token still sealed."""
    connector = make_connector(developer, "Shift Planner")
    _secret, text = make_secret(connector)
    made = group_grants.add_connector(group=group, connector_id=connector.pk, by=group_admin)
    return Program(connector, text, made.grant, made.handoff, refresh_tokens.unseal(made.handoff))


def call(path: str, *, method: str = "POST", body: Any = None, **headers: str) -> dict[str, Any]:
    """A request of a program."""
    data = {"text": "" if body is None else json.dumps(body), "type": "application/json"}
    return {"method": method, "path": path, "data": data, "headers": headers, "cookies": {}}


def press(browser: Client, path: str, **form: str) -> dict[str, Any]:
    """A button of a page."""
    cookies = {name: morsel.value for name, morsel in browser.cookies.items()}
    data = {"text": urlencode(form), "type": FORM}
    return {"method": "POST", "path": path, "data": data, "headers": {}, "cookies": cookies}


def happened(tag: str) -> int:
    return AuditEvent.objects.filter(tag=tag).count()


def answer_of(done: dict[str, Any], status: int = 200) -> str:
    assert done["result"]["status"] == status, done["result"]
    return str(done["result"]["text"])


def test_a_claim_by_the_program(deaths: Deaths, program: Program) -> None:
    headers = {"applicationId": str(program.connector.pk), "applicationSecret": program.secret}
    order = call("/v1/handoffs/claim", **headers, **{"Idempotency-Key": "made-up-for-this-claim"})
    done = deaths.leave_all_or_nothing(REQUEST, **order)
    token = json.loads(answer_of(done))["refreshToken"]
    assert token == program.refresh_token
    assert (HandoffClaimReplay.objects.count(), happened("handoff:token:claimed")) == (1, 1)
    assert Notice.objects.filter(template="connectors/handoff_claimed_by_program").count() == 2
    assert exchange(program, token).access_token


def test_the_first_exchange(deaths: Deaths, program: Program) -> None:
    order = call("/v1/accessToken", method="GET", **program.headers())
    done = deaths.leave_all_or_nothing(REQUEST, **order)
    assert authentication.get_access_context(json.loads(answer_of(done))["accessToken"])
    assert happened("grant:token:used") == 1


def test_a_claim_on_the_page(deaths: Deaths, program: Program, developer: User, browser_of: BrowserOf) -> None:
    path = reverse("connectors:handoff_claim", args=[program.handoff.pk])
    done = deaths.leave_all_or_nothing(REQUEST, **press(browser_of(developer), path, idempotency_key=new_form_key()))
    assert program.refresh_token in answer_of(done)
    assert happened("handoff:token:claimed") == 1


def test_show_it_to_me_once(
    deaths: Deaths, program: Program, group: Group, group_admin: User, browser_of: BrowserOf
) -> None:
    path = reverse("groups:grant_show", args=[group.pk, program.grant.pk])
    done = deaths.leave_all_or_nothing(REQUEST, **press(browser_of(group_admin), path, idempotency_key=new_form_key()))
    assert program.refresh_token in answer_of(done)
    assert happened("handoff:token:revealed") == 1
    assert Handoff.objects.get().state is HandoffState.WAITING


def test_a_refusal(deaths: Deaths, program: Program, developer: User, browser_of: BrowserOf) -> None:
    path = reverse("connectors:handoff_refuse", args=[program.handoff.pk])
    done = deaths.leave_all_or_nothing(REQUEST, **press(browser_of(developer), path))
    answer_of(done, 302)
    handoff = Handoff.objects.get()
    assert (handoff.state, handoff.sealed) == (HandoffState.REFUSED, None)
    assert happened("handoff:token:refused") == 1


def test_issued_again(deaths: Deaths, program: Program, developer: User, browser_of: BrowserOf) -> None:
    handoffs.refuse(handoff=program.handoff, by=developer)
    path = reverse("connectors:handoff_reissue", args=[program.handoff.pk])
    answer_of(deaths.leave_all_or_nothing(REQUEST, **press(browser_of(developer), path)), 302)
    again = Handoff.objects.waiting().get()
    assert Handoff.objects.count() == RefreshToken.objects.count() == 2
    token = handoffs.claim(handoff=again, by=developer, idempotency_key=new_form_key(), address=None)
    assert exchange(program, token).access_token
    assert happened("handoff:token:reissued") == 1


def test_regenerate(
    deaths: Deaths, program: Program, group: Group, group_admin: User, developer: User, browser_of: BrowserOf
) -> None:
    path = reverse("groups:grant_regenerate", args=[group.pk, program.grant.pk])
    order = press(browser_of(group_admin), path, handoff=str(program.handoff.pk))
    answer_of(deaths.leave_all_or_nothing(REQUEST, **order), 302)
    assert happened("grant:token:regenerated") == 1
    with pytest.raises(RefreshTokenRefused, match="superseded"):
        exchange(program)
    again = Handoff.objects.waiting().get()
    token = handoffs.claim(handoff=again, by=developer, idempotency_key=new_form_key(), address=None)
    assert exchange(program, token).access_token


def test_removing_a_connector_from_a_group(
    deaths: Deaths, program: Program, group: Group, group_admin: User, browser_of: BrowserOf
) -> None:
    path = reverse("groups:grant_remove", args=[group.pk, program.grant.pk])
    answer_of(deaths.leave_all_or_nothing(REQUEST, **press(browser_of(group_admin), path, typed="Shift Planner")), 302)
    with pytest.raises(RefreshTokenRefused, match="removed"):
        exchange(program)
    assert (Handoff.objects.get().sealed, happened("grant:access:revoked")) == (None, 1)


def test_a_code_of_a_sign_in(deaths: Deaths, developer: User, member: User, browser_of: BrowserOf) -> None:
    """Past the commit the answer is lost for good, as RFC 6749 has it: the code's replay ends what it made."""
    connector = make_connector(developer, "Shift Planner", redirect_urls=[BACK])
    program = make_program(connector, member)  # for its secret
    Grant.objects.filter(pk=program.grant.pk).update(revoked_at=program.grant.granted_at)
    app = App(connector, program.secret, browser_of(member))
    code = app.code(member)
    form = {"client_id": str(connector.pk), "client_secret": program.secret, "code": code, "redirect_uri": BACK}
    order = {**call("/api/oauth/token"), "data": {"text": urlencode(form), "type": FORM}}
    made = RefreshToken.objects.exclude(grant=program.grant)
    for _step, answer in deaths.everywhere(REQUEST, **order):
        assert "killed" in answer, "it is made, and this was not noticed"
        assert made.count() == happened("grant:user:agreed"), "all of it, or nothing"
        if made.exists():
            break
    assert "used before" in app.redeem(code).json()["message"]
    assert not made.filter(revoked_at=None).exists()
    again = app.redeem(app.code(member)).json()
    assert exchange(program, again["refreshToken"]).access_token


def test_a_sign_in_by_pin(deaths: Deaths, developer: User, member: User, phones: Any) -> None:
    """Until the commit the PIN is good for another try; past it a new PIN gives a new token."""
    program = PinProgram(make_connector(developer, "Shift Planner"), phones)
    number = number_of(member)
    asked = deaths.order(
        REQUEST, **call(ASK, body={"mobileNumber": number, "applicationId": str(program.connector.pk)})
    )
    answer_of(asked)
    body = {
        "mobileNumber": number,
        "applicationId": str(program.connector.pk),
        "applicationSecret": program.secret,
        "pin": phones.pin(number),
    }
    for _step, answer in deaths.everywhere(REQUEST, **call(LOGIN, body=body)):
        assert "killed" in answer, "it is made, and this was not noticed"
        assert RefreshToken.objects.count() == Grant.objects.count() == happened("grant:user:entered")
        if RefreshToken.objects.exists():
            break
    assert "already used" in program.login(number, pin=body["pin"]).json()["message"]
    assert program.exchange(program.token(number)).status_code == 200
    assert RefreshToken.objects.filter(revoked_at=None).count() == 1
