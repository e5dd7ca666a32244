"""A process is killed at every single step of the ways in which tokens come to people and programs, and end.

A web process under each request, and a worker at its work: each leaves all that it does, or nothing; and done once
more, it loses and doubles nothing.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Notice, User
from connectors import authentication
from connectors.models import Grant, Handoff, HandoffState, OneTimeSecret, RefreshToken
from connectors.services import handoffs, refresh_tokens
from connectors.services.one_time_secrets import new_form_key
from connectors.tests.factories import Program, exchange, make_connector, make_program, make_secret
from connectors.tests.oauth_app import BACK, App
from connectors.tests.pin_program import ASK, LOGIN, PinProgram, number_of
from groups.models import Group, GroupGrant
from groups.services import connectors as group_grants
from kaizala_console.api.errors import RefreshTokenRefused
from kaizala_console.lib import clock
from kaizala_console.lib.tests.cast import BrowserOf
from kaizala_console.tests.deaths import Deaths
from kaizala_console.tests.real_worker import MailServer, forget_messages

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]
REQUEST = "kaizala_console.tests.dying_process.request"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def process_whose_children_die(django_db_setup: None) -> Iterator[Deaths]:
    """To start one takes two seconds of processor time. It holds nothing: each order has a child of its own."""
    made = Deaths()
    yield made
    made.stop()


@pytest.fixture
def deaths(process_whose_children_die: Deaths) -> Iterator[Deaths]:
    yield process_whose_children_die
    forget_messages()


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


def test_a_grant(deaths: Deaths, group: Group, developer: User, group_admin: User, browser_of: BrowserOf) -> None:
    connector = make_connector(developer, "Shift Planner")
    path = reverse("groups:connector_add", args=[group.pk])
    deaths.leave_all_or_nothing(REQUEST, **press(browser_of(group_admin), path, connector=str(connector.pk)))
    assert GroupGrant.objects.get().group == group
    assert RefreshToken.objects.get().grant == Grant.objects.get()
    assert Handoff.objects.get().sealed is not None
    assert Notice.objects.get().user == developer


def test_a_claim_by_the_program(deaths: Deaths, program: Program) -> None:
    headers = {"applicationId": str(program.connector.pk), "applicationSecret": program.secret}
    order = call("/v1/handoffs/claim", **headers, **{"Idempotency-Key": "made-up-for-this-claim"})
    done = deaths.leave_all_or_nothing(REQUEST, **order)
    token = json.loads(answer_of(done))["refreshToken"]
    assert token == program.refresh_token
    assert (OneTimeSecret.objects.count(), happened("handoff:token:claimed")) == (1, 1)
    assert Notice.objects.filter(template="connectors/handoff_claimed_by_program").count() == 2
    assert exchange(program, token).access_token


def test_the_first_exchange(deaths: Deaths, program: Program) -> None:
    order = call("/v1/accessToken", method="GET", **program.headers())
    done = deaths.leave_all_or_nothing(REQUEST, **order)
    assert authentication.get_access_context(json.loads(answer_of(done))["accessToken"])
    assert happened("grant:token:used") == 1


def test_an_exchange_that_derives_a_successor(deaths: Deaths, program: Program, developer: User) -> None:
    grown_old(program, developer)
    RefreshToken.objects.update(first_used_at=clock.now())
    order = call("/v1/accessToken", method="GET", **program.headers())
    successor = json.loads(answer_of(deaths.leave_all_or_nothing(REQUEST, **order)))["refreshToken"]
    assert successor == exchange(program).successor
    assert exchange(program, successor).successor == "", "it works, and is young"
    assert (RefreshToken.objects.count(), happened("grant:token:succeeded")) == (2, 1)


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


# The worker ----------------------------------------------------------------------------------------------------------


def grown_old(program: Program, by: User) -> None:
    """Its token was claimed, and has lived 330 of its 365 days."""
    handoffs.claim(handoff=program.handoff, by=by, idempotency_key=new_form_key(), address=None)
    now = clock.now()
    RefreshToken.objects.update(issued_at=now - dt.timedelta(days=330), expires_at=now + dt.timedelta(days=35))


def test_a_rotation(deaths: Deaths, program: Program, developer: User) -> None:
    grown_old(program, developer)
    done = deaths.leave_all_or_nothing("connectors.services.refresh_tokens.rotate_due")
    assert done["result"] == 0, "one that died past its commit had done it already"
    handoff = Handoff.objects.waiting().get()
    assert handoff.notice is not None
    assert Notice.objects.filter(template="connectors/handoff_rotated").count() == 1
    assert AuditEvent.objects.filter(tag="grant:token:succeeded").count() == 1
    successor = handoffs.claim(handoff=handoff, by=developer, idempotency_key=new_form_key(), address=None)
    assert successor == exchange(program).successor
    assert exchange(program, successor).access_token


def test_the_end_of_a_handoff_that_nobody_claimed(deaths: Deaths, program: Program) -> None:
    now = clock.now()
    Handoff.objects.update(made_at=now - dt.timedelta(days=8), expires_at=now - dt.timedelta(days=1))
    done = deaths.leave_all_or_nothing("connectors.services.handoffs.expire_overdue")
    assert done["result"] == 0
    handoff = Handoff.objects.get()
    assert (handoff.state, handoff.sealed) == (HandoffState.EXPIRED, None)
    assert Notice.objects.filter(template="connectors/handoff_expired").count() == 2, "one to each side"


def test_the_mail_that_tells_of_a_handoff(mail_server: tuple[MailServer, int], program: Program) -> None:
    """It is lost nowhere. Between the mail server's "taken" and our note of it a mail can go twice: as the same one."""
    deaths = Deaths(mail_server[1])
    notice = Notice.objects.get()
    Notice.objects.update(sent_at=None, next_attempt_at=clock.now(), attempts=0)
    arrived = []
    for _step, _answer in deaths.everywhere("accounts.services.notifications.deliver", notice_id=str(notice.pk)):
        arrived.append(len(mail_server[0].taken))
        Notice.objects.filter(sent_at=None).update(next_attempt_at=clock.now(), attempts=0)  # the lease runs out
    deaths.stop()
    notice.refresh_from_db()
    assert notice.sent_at is not None
    assert {f"<{notice.pk}@" in mail for mail in mail_server[0].taken} == {True}
    assert arrived[-1] == 2, "only who died with the answer of the mail server in hand sends it again"
