"""Reporting a leaked credential without an account: over the wire and on a page; and the owners' page."""

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
from connectors.tests.html_forms import form_to, text_of
from connectors.token_format import CredentialKind
from kaizala_console.dashboard.pending_actions import list_pending_actions

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
API = "/v1/credentials/report"
PAGE = "/console/report-leak/"


def post(body: Any, **extra: Any) -> Any:
    return Client().post(API, data=body, content_type="application/json", **extra)


def unknown() -> str:
    return token_format.generate(CredentialKind.SECRET).token


# The wire -------------------------------------------------------------------------------------------------------------


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
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "InvalidParameters"
    assert "kzcs_short" not in answer.content.decode()


@pytest.mark.usefixtures("travel")  # the window does not end between two of them
def test_too_many_are_a_429_that_says_when(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "LEAK_REPORTS_PER_ADDRESS_PER_HOUR", 1)
    assert post({"credential": unknown()}).status_code == 200
    refused = post({"credential": unknown()})
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0


# The page for everybody -----------------------------------------------------------------------------------------------


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


def test_what_was_pasted_is_never_sent_back(program: Program) -> None:
    client = Client()
    page = form_to(client.get(PAGE), PAGE).send(client, {"credential": program.secret[:-1], "where": "here"})
    assert page.status_code == 400
    assert program.secret[:30] not in page.content.decode()
    assert b'value="here"' in page.content
    assert "No complete credential found." in text_of(page)
    assert "no-store" in page["Cache-Control"]


@pytest.mark.usefixtures("travel")  # the window does not end between two of them
def test_an_empty_form_says_so_and_too_many_are_refused(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "LEAK_REPORTS_PER_ADDRESS_PER_HOUR", 1)
    client = Client()
    assert client.post(PAGE, {"credential": "\0"}).status_code == 400
    assert client.post(PAGE, {"credential": unknown()}).status_code == 302
    assert client.post(PAGE, {"credential": unknown()}).status_code == 429


def test_the_page_wants_its_own_form(program: Program) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post(PAGE, {"credential": program.secret}).status_code == 403
    assert not LeakReport.objects.exists()


# The owners' page -----------------------------------------------------------------------------------------------------


@pytest.fixture
def reported(program: Program) -> LeakReport:
    post({"credential": program.secret, "where": "<b>chat</b>"})
    return LeakReport.objects.get()


def url(report: LeakReport, act: str = "") -> str:
    return f"/console/connectors/{report.connector_id}/leaks/{report.pk}/{act and act + '/'}"


def test_home_and_the_credentials_tab_lead_the_owner_to_it(
    reported: LeakReport, developer: User, stranger: User, browser_of: Browser
) -> None:
    assert [action.href for action in list_pending_actions(developer) if "leaked" in str(action.title)] == [
        url(reported)
    ]
    assert not [action for action in list_pending_actions(stranger) if "leaked" in str(action.title)]
    page = browser_of(developer).get(f"/console/connectors/{reported.connector_id}/credentials/")
    assert url(reported) in page.content.decode()
    assert "Leaked" in text_of(page)


def test_the_page_tells_what_is_known(reported: LeakReport, developer: User, browser_of: Browser) -> None:
    page = browser_of(developer).get(url(reported))
    assert reported.secret is not None
    for told in ("connector secret", f"kzcs_{reported.secret.public_part}", "<b>chat</b>", "not yet"):
        assert told in text_of(page)
    assert "<b>chat" not in page.content.decode()


@pytest.mark.parametrize(("act", "said"), [("revoke", "Revoked."), ("restore", "Restored. It works again.")])
def test_an_owner_answers_and_pressing_twice_is_once(
    reported: LeakReport, developer: User, browser_of: Browser, act: str, said: str
) -> None:
    client = browser_of(developer)
    form = form_to(client.get(url(reported)), url(reported, act))
    assert form.send(client)["Location"] == url(reported)
    assert said in text_of(client.get(url(reported)))
    assert form.send(client)["Location"] == url(reported)
    assert "This report was already answered." in text_of(client.get(url(reported)))
    reported.refresh_from_db()
    assert (reported.outcome, reported.closed_by) == ({"revoke": "revoked", "restore": "restored"}[act], developer)


@pytest.mark.parametrize(("act", "leads_on"), [("revoke", True), ("restore", False)])
def test_after_a_secret_is_revoked_the_page_leads_to_another_one(
    program: Program, developer: User, browser_of: Browser, act: str, leads_on: bool
) -> None:
    post({"credential": program.secret})
    reported, client = LeakReport.objects.get(), browser_of(developer)
    answered = form_to(client.get(url(reported)), url(reported, act)).send(client, follow=True)
    assert ("Add secret" in text_of(answered)) is leads_on


@pytest.mark.parametrize("act", ["revoke", "restore"])
def test_an_answer_asks_for_a_fresh_confirmation(
    reported: LeakReport, developer: User, browser_of: Browser, act: str
) -> None:
    answer = browser_of(developer, confirmed=False).post(url(reported, act))
    assert answer["Location"].startswith(reverse("accounts:confirm"))
    assert LeakReport.objects.open().count() == 1
    assert browser_of(developer).get(url(reported, act)).status_code == 405


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


def test_signed_out_the_owners_page_asks_to_sign_in(reported: LeakReport) -> None:
    assert reverse("account_login") in Client().get(url(reported))["Location"]


def test_more_reports_cost_no_more_queries(
    program: Program, developer: User, browser_of: Browser, django_assert_max_num_queries: Any
) -> None:
    client = browser_of(developer)

    def cost(path: str) -> int:
        with django_assert_max_num_queries(60) as seen:
            assert client.get(path).status_code == 200
        return len(seen.captured_queries)

    tab = f"/console/connectors/{program.connector.pk}/credentials/"
    post({"credential": program.secret})
    before = cost(tab), cost("/console/")
    post({"credential": program.refresh_token})
    assert (cost(tab), cost("/console/")) == before


# Without an owner -----------------------------------------------------------------------------------------------------


def test_when_its_owners_have_left_operators_and_organisation_admins_are_told(
    program: Program,
    developer: User,
    organisation_admin: User,
    operator: User,
    outbox: list[Any],
    django_capture_on_commit_callbacks: Any,
) -> None:
    developer.is_active = False
    developer.save()
    with django_capture_on_commit_callbacks(execute=True):
        assert post({"credential": program.secret}).status_code == 200
    told = {mail.to[0]: mail.body for mail in outbox}
    assert set(told) == {organisation_admin.email, operator.email}
    for body in told.values():
        assert "Its owners’ accounts are deactivated, so it stays refused." in body
        assert "You can regenerate the token, or remove the connector, on its page in your group." not in body
        assert "/leaks/" not in body


def test_a_get_reports_nothing(program: Program) -> None:
    assert Client().get(f"{API}?credential={program.secret}").status_code == 405
    assert not LeakReport.objects.exists()
