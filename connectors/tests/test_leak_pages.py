"""Reporting a leaked credential without an account, over the wire and on a page; and the owners' page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors import token_format
from connectors.models import ConnectorSecret, LeakReport
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.html_forms import count_queries, form_to, text_of
from connectors.token_format import CredentialKind
from kaizala_console.dashboard.pending_actions import list_pending_actions

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
API = "/v1/credentials/report"
PAGE = "/console/report-leak/"


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


def post(body: Any, **extra: Any) -> Any:
    return Client().post(API, data=body, content_type="application/json", **extra)


def unknown() -> str:
    return token_format.generate(CredentialKind.SECRET).token


def test_the_answer_is_the_same_whether_or_not_it_was_known(program: Program) -> None:
    known, again, never = (post({"credential": token}) for token in (program.secret, program.secret, unknown()))
    assert known.status_code == again.status_code == never.status_code == 200
    assert known.content == again.content == never.content
    assert ConnectorSecret.objects.get().reported_at is not None


@pytest.mark.parametrize("name", ["Credential", "token", "SECRET"])
def test_scanners_name_it_as_they_like_and_say_where(program: Program, name: str) -> None:
    assert post({name: program.secret, "url": "https://code.example/x#L3"}).status_code == 200
    assert LeakReport.objects.get().where == "https://code.example/x#L3"


@pytest.mark.parametrize(
    "body", ["{}", '{"credential": ""}', '{"credential": "kzcs_short"}', '{"credential": 7}', "[]"]
)
def test_what_is_no_credential_is_a_400_that_repeats_nothing(db: None, body: str) -> None:
    answer = post(body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "InvalidParameters")
    assert "kzcs_short" not in answer.content.decode()


def test_a_get_reports_nothing(program: Program) -> None:
    assert Client().get(f"{API}?credential={program.secret}").status_code == 405
    assert not LeakReport.objects.exists()


@pytest.mark.postgresql
@pytest.mark.usefixtures("travel")  # the window does not end between two of them
def test_too_many_of_one_address_are_a_429_that_says_when(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "LEAK_REPORTS_PER_ADDRESS_PER_HOUR", 1)
    assert post({"credential": unknown()}).status_code == 200
    refused = post({"credential": unknown()})
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert Client().post(PAGE, {"credential": unknown()}).status_code == 429
    assert post({"credential": unknown()}, REMOTE_ADDR="203.0.113.10").status_code == 200


def test_signed_out_people_report_and_are_thanked_alike(program: Program) -> None:
    client = Client()
    answers = []
    for token in (program.refresh_token, unknown()):
        page = form_to(client.get(PAGE), PAGE).send(client, {"credential": f"x = {token}", "where": "in a chat"})
        assert page.status_code == 302
        answers.append(text_of(client.get(page["Location"])))
    assert answers[0] == answers[1]
    assert "Thank you" in answers[0]
    assert LeakReport.objects.get().where == "in a chat"


@pytest.mark.parametrize("cut", [-1, 0])
def test_what_was_pasted_is_never_sent_back(program: Program, cut: int) -> None:
    client = Client()
    form = form_to(client.get(PAGE), PAGE)
    page = form.send(client, {"credential": program.secret[:cut] or "\0", "where": "here"})
    assert page.status_code == 400
    assert program.secret[:30] not in page.content.decode()
    assert b'value="here"' in page.content
    assert "no-store" in page["Cache-Control"]


def test_the_page_wants_its_own_form(program: Program) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post(PAGE, {"credential": program.secret}).status_code == 403
    assert not LeakReport.objects.exists()


@pytest.fixture
def reported(program: Program) -> LeakReport:
    post({"credential": program.secret, "where": "<b>chat</b>"})
    return LeakReport.objects.get()


def url(report: LeakReport, act: str = "") -> str:
    return f"/console/connectors/{report.connector_id}/leaks/{report.pk}/{act and act + '/'}"


def test_home_leads_the_owner_to_it(client: Client, reported: LeakReport, developer: User, stranger: User) -> None:
    assert url(reported) in [action.href for action in list_pending_actions(developer)]
    assert url(reported) not in [action.href for action in list_pending_actions(stranger)]
    assert url(reported) in client.get(f"/console/connectors/{reported.connector_id}/credentials/").content.decode()
    page = client.get(url(reported))
    assert reported.secret is not None
    for told in ("connector secret", f"kzcs_{reported.secret.public_part}", "<b>chat</b>"):
        assert told in text_of(page)
    assert "<b>chat" not in page.content.decode()


@pytest.mark.parametrize(("act", "outcome"), [("revoke", "revoked"), ("restore", "restored")])
def test_an_owner_answers_once(client: Client, reported: LeakReport, developer: User, act: str, outcome: str) -> None:
    assert client.get(url(reported, act)).status_code == 405
    form = form_to(client.get(url(reported)), url(reported, act))
    assert form.send(client)["Location"] == url(reported)
    assert ("Add secret" in text_of(client.get(url(reported)))) is (act == "revoke")
    assert form.send(client)["Location"] == url(reported)
    assert "This report was already answered." in text_of(client.get(url(reported)))
    reported.refresh_from_db()
    assert (reported.outcome, reported.closed_by) == (outcome, developer)


def test_strangers_find_nothing_there(
    reported: LeakReport, stranger: User, group_admin: User, outsider: User, developer: User, browser_of: Browser
) -> None:
    for user in (stranger, group_admin, outsider):
        client = browser_of(user)
        pages = [client.get(url(reported)), client.post(url(reported, "revoke")), client.post(url(reported, "restore"))]
        assert [page.status_code for page in pages] == [404] * 3
    other = factories.make_connector(developer)
    assert browser_of(developer).get(f"/console/connectors/{other.pk}/leaks/{reported.pk}/").status_code == 404
    assert LeakReport.objects.open().count() == 1
    assert reverse("account_login") in Client().get(url(reported))["Location"]


def test_more_reports_cost_no_more_queries(client: Client, program: Program) -> None:
    pages = (f"/console/connectors/{program.connector.pk}/credentials/", "/console/")
    post({"credential": program.secret})
    few = [count_queries(client, page) for page in pages]
    post({"credential": program.refresh_token})
    assert [count_queries(client, page) for page in pages] == few


def test_when_its_owners_have_left_operators_and_organisation_admins_are_told(
    program: Program,
    developer: User,
    organisation_admin: User,
    operator: User,
    outbox: list[Any],
    django_capture_on_commit_callbacks: Any,
) -> None:
    User.objects.filter(pk=developer.pk).update(is_active=False)
    with django_capture_on_commit_callbacks(execute=True):
        assert post({"credential": program.secret}).status_code == 200
    told = {mail.to[0]: mail.body for mail in outbox}
    assert set(told) == {organisation_admin.email, operator.email}
    for body in told.values():
        assert "Its owners’ accounts are deactivated" in body
        assert "/leaks/" not in body
