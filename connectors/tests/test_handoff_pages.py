"""The developer's inbox: looking opens nothing, claiming opens once, and both sides see how far it is."""

from __future__ import annotations

import datetime as dt
import html
import logging
import re
import shlex
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Session, User
from connectors.models import Connector, Handoff, HandoffState
from connectors.services import grants, handoffs
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.html_forms import Page, form_to, forms_of, text_of
from kaizala_console.dashboard.pending_actions import list_pending_actions
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db

INBOX = "/console/handoffs/"
TOKEN = re.compile(r"kzrt_[0-9A-Za-z]{65}")
Browser = Callable[..., Client]


def url(handoff: Handoff, act: str = "") -> str:
    return f"{INBOX}{handoff.pk}/{act}"


def token_on(page: Page) -> str:
    found = TOKEN.findall(page.content.decode())
    assert found, text_of(page)
    return str(found[0])


def claim_form(client: Client, handoff: Handoff) -> Any:
    return form_to(client.get(url(handoff)), url(handoff, "claim/"))


def now(handoff: Handoff) -> Handoff:
    return Handoff.objects.get(pk=handoff.pk)


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


# Looking -------------------------------------------------------------------------------------------------------------


def test_the_inbox_has_a_card_for_each_handoff_that_waits(client: Client, program: Program) -> None:
    text = text_of(client.get(INBOX))
    for told in ("Night shift", "Shift Planner", "Arjun Mehta", "Text Message", "Waiting", "Expires in"):
        assert told in text
    for step in ("Created", "Sealed", "Notified", "Claimed", "Works"):
        assert step in text


def test_looking_never_opens_anything(client: Client, program: Program, everything: Callable[[], Any]) -> None:
    before = everything()
    for address in (INBOX, url(program.handoff), url(program.handoff, "refuse/"), url(program.handoff, "claim/")):
        for method in (client.get, client.head, client.options):
            page = method(address)
            assert not TOKEN.search(page.content.decode())
    assert client.get(url(program.handoff, "claim/"))["Location"] == url(program.handoff)
    assert everything() == before


def test_somebody_elses_handoffs_are_not_in_ones_inbox(
    program: Program, stranger: User, group_admin: User, browser_of: Browser
) -> None:
    for user in (stranger, group_admin):
        assert "Night shift" not in text_of(browser_of(user).get(INBOX))


def test_what_ended_stands_under_earlier(client: Client, developer: User, program: Program) -> None:
    handoffs.refuse(handoff=program.handoff, by=developer)
    assert "Night shift" not in text_of(client.get(INBOX))
    assert "Night shift" in text_of(client.get(f"{INBOX}?show=earlier"))


def test_a_forged_page_mark_leads_to_the_first_page(client: Client) -> None:
    assert client.get(f"{INBOX}?cursor=forged&show=earlier")["Location"] == f"{INBOX}?show=earlier"


def test_more_handoffs_cost_no_more_queries(
    client: Client, connector: Connector, group_admin: User, django_assert_max_num_queries: Any
) -> None:
    factories.let_in(connector, group_admin)

    def cost() -> int:
        with django_assert_max_num_queries(40) as seen:
            client.get(INBOX)
        return len(seen.captured_queries)

    few = cost()
    for n in range(6):
        factories.let_in(connector, group_admin, target_name=f"Group {n}")
    assert cost() == few
    assert few <= 12


# Claiming ------------------------------------------------------------------------------------------------------------


def test_claim_shows_the_token_once_and_wipes_what_was_sealed(client: Client, program: Program) -> None:
    page = claim_form(client, program.handoff).send(client)
    assert token_on(page) == program.refresh_token
    assert "no-store" in page["Cache-Control"]
    assert "You will not see this again." in text_of(page)
    claimed = now(program.handoff)
    assert claimed.state is HandoffState.CLAIMED
    assert claimed.sealed is None
    assert claimed.claimed_from == "127.0.0.1"


def test_the_card_in_the_inbox_claims_too(client: Client, program: Program) -> None:
    form = form_to(client.get(INBOX), url(program.handoff, "claim/"))
    assert token_on(form.send(client)) == program.refresh_token


def test_the_curl_line_answers_200_when_it_is_pasted(client: Client, program: Program) -> None:
    page = claim_form(client, program.handoff).send(client)
    line = re.search(r'<code id="try-it"[^>]*>(.*?)</code>', page.content.decode(), re.DOTALL)
    assert line is not None
    shell = html.unescape(line.group(1)).replace("$CONNECTOR_SECRET", program.secret)
    command, address, *rest = shlex.split(shell.replace("\\\n", " "))
    headers = dict(header.split(": ", 1) for header in rest if header != "-H")
    assert command == "curl"
    answer = Client().get(urlsplit(address).path, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["accessToken"].startswith("kzat_")
    assert "$CONNECTOR_SECRET" in page.content.decode()
    assert program.secret not in page.content.decode()


def test_the_line_for_the_program_claims_when_it_is_pasted(client: Client, program: Program) -> None:
    page = client.get(url(program.handoff))
    line = re.search(r'<code id="claim-line"[^>]*>(.*?)</code>', page.content.decode(), re.DOTALL)
    assert line is not None
    shell = html.unescape(line.group(1)).replace("$CONNECTOR_SECRET", program.secret).replace("\\\n", " ")
    _curl, address, *rest = shlex.split(shell)
    headers = dict(value.split(": ", 1) for flag, value in zip(rest[::2], rest[1::2], strict=True) if flag == "-H")
    body = rest[rest.index("-d") + 1]
    answer = Client().post(
        urlsplit(address).path, body, content_type="application/x-www-form-urlencoded", headers=headers
    )
    assert answer.json()["refreshToken"] == program.refresh_token
    assert "claim-line" not in client.get(url(program.handoff)).content.decode()


def test_a_double_click_on_claim_shows_the_same_token(client: Client, program: Program) -> None:
    form = claim_form(client, program.handoff)
    assert token_on(form.send(client)) == token_on(form.send(client)) == program.refresh_token
    assert AuditEvent.objects.filter(tag="handoff:token:claimed").count() == 1


def test_after_done_the_same_form_shows_nothing(client: Client, program: Program) -> None:
    form = claim_form(client, program.handoff)
    done = form_to(form.send(client), url(program.handoff, "done/"))
    assert done.send(client, {"stored": "1"})["Location"] == url(program.handoff)
    page = form.send(client)
    assert page.status_code == 409
    assert not TOKEN.search(page.content.decode())
    assert "already claimed this handoff" in text_of(page)


def test_of_two_owners_the_second_is_told_who_was_first_and_when(
    client: Client, program: Program, member: User, browser_of: Browser
) -> None:
    program.connector.co_owners.add(member)
    late = browser_of(member)
    late_form = claim_form(late, program.handoff)
    claim_form(client, program.handoff).send(client)
    page = late_form.send(late)
    assert page.status_code == 409
    assert re.search(r"Devika Rao already claimed this handoff on \d+ \w+ \d{4}, \d\d:\d\d", text_of(page))
    assert not TOKEN.search(page.content.decode())


def test_claiming_asks_for_a_fresh_confirmation_and_opens_nothing_before(
    developer: User, browser_of: Browser, program: Program
) -> None:
    client = browser_of(developer, confirmed=False)
    form = claim_form(client, program.handoff)
    answer = form.send(client)
    assert answer["Location"].startswith(reverse("accounts:confirm"))
    assert now(program.handoff).state is HandoffState.WAITING
    assert form.fields["idempotency_key"][0] not in str(dict(client.session))


def test_a_claim_from_another_site_opens_nothing(developer: User, program: Program) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(developer)
    assert client.post(url(program.handoff, "claim/"), {"idempotency_key": "k" * 32}).status_code == 403
    assert now(program.handoff).state is HandoffState.WAITING


def test_a_claim_after_the_deadline_opens_nothing_and_offers_a_new_one(
    client: Client, program: Program, travel: Callable[..., dt.datetime], developer: User
) -> None:
    form = claim_form(client, program.handoff)
    Handoff.objects.update(made_at=clock.now() - dt.timedelta(days=8), expires_at=clock.now() - dt.timedelta(days=1))
    page = form.send(client)
    assert page.status_code == 409
    assert "expired on" in text_of(page)
    assert "Regenerate" in text_of(page)
    assert not [form for form in forms_of(page) if form.action.endswith("claim/")]


def test_a_claim_after_the_access_was_removed_opens_nothing(
    client: Client, program: Program, group_admin: User
) -> None:
    form = claim_form(client, program.handoff)
    grants.revoke(grant=program.grant, by=group_admin)
    page = form.send(client)
    assert page.status_code == 409
    assert not TOKEN.search(page.content.decode())
    assert "Regenerate" not in text_of(page)


def test_the_token_is_in_no_address_session_log_mail_or_column(
    client: Client,
    program: Program,
    caplog: pytest.LogCaptureFixture,
    everything: Callable[[], Any],
    outbox: list[Any],
) -> None:
    caplog.set_level(logging.DEBUG)
    form = claim_form(client, program.handoff)
    page = form.send(client)
    token = token_on(page)
    for told in (token, form.fields["idempotency_key"][0]):
        assert told not in page.wsgi_request.get_full_path()
        assert told not in caplog.text
        assert told not in str(dict(client.session))
        assert told not in str([session.get_decoded() for session in Session.objects.all()])
        assert told not in str(everything())
        assert told not in str(list(AuditEvent.objects.values()))
        assert told not in "".join(mail.body for mail in outbox)


# What needs the developer now ----------------------------------------------------------------------------------------


def test_home_and_the_menu_say_that_a_handoff_waits(client: Client, developer: User, program: Program) -> None:
    [need] = [action for action in list_pending_actions(developer) if action.key == "handoffs"]
    assert need.href == url(program.handoff)
    assert need.count == 1
    assert url(program.handoff) in client.get("/console/").content.decode()
    claim_form(client, program.handoff).send(client)
    assert not [action for action in list_pending_actions(developer) if action.key == "handoffs"]
