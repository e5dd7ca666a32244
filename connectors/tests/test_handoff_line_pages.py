"""A handoff after the button: refused, issued again, and the line that both sides see."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent, Notice, User
from connectors.models import Handoff, HandoffState, RefreshToken
from connectors.services import grants, handoffs
from connectors.tests.factories import Program
from connectors.tests.html_forms import Page, form_to, forms_of, text_of
from connectors.views import handoffs as views_handoffs
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


# Refusing, and again -------------------------------------------------------------------------------------------------


def test_refusing_wipes_and_tells_the_admin(client: Client, program: Program, group_admin: User) -> None:
    page = client.get(url(program.handoff, "refuse/"))
    assert "Arjun Mehta is notified" in text_of(page)
    form = form_to(page, url(program.handoff, "refuse/"))
    assert form.send(client)["Location"] == url(program.handoff)
    refused = now(program.handoff)
    assert refused.state is HandoffState.REFUSED
    assert refused.sealed is None
    assert Notice.objects.filter(user=group_admin, template="connectors/handoff_refused").exists()
    assert form.send(client)["Location"] == url(program.handoff)  # pressed twice
    assert AuditEvent.objects.filter(tag="handoff:token:refused").count() == 1


def test_what_is_claimed_cannot_be_refused(client: Client, program: Program) -> None:
    claim_form(client, program.handoff).send(client)
    assert client.get(url(program.handoff, "refuse/"))["Location"] == url(program.handoff)
    client.post(url(program.handoff, "refuse/"))
    assert now(program.handoff).state is HandoffState.CLAIMED
    assert "already claimed this handoff" in text_of(client.get(url(program.handoff)))


@pytest.mark.parametrize("who", ["developer", "group_admin"])
def test_either_side_has_it_issued_again_once(
    program: Program, developer: User, who: str, request: pytest.FixtureRequest, browser_of: Browser
) -> None:
    handoffs.refuse(handoff=program.handoff, by=developer)
    client = browser_of(request.getfixturevalue(who))
    page = client.get(url(program.handoff, "reissue/"))
    form = form_to(page, url(program.handoff, "reissue/"))
    answers = [form.send(client)["Location"] for _ in range(2)]
    again = Handoff.objects.waiting().get()
    assert answers == [url(again), url(again)]
    assert again.pk != program.handoff.pk
    assert "Regenerated: claim the new token here." in text_of(client.get(url(again)))


def test_issuing_a_claimed_one_again_warns_that_the_token_ends(client: Client, program: Program) -> None:
    claim_form(client, program.handoff).send(client)
    assert "The old token is revoked at once." in text_of(client.get(url(program.handoff, "reissue/")))


def test_one_that_waits_is_not_issued_again(client: Client, program: Program) -> None:
    assert client.get(url(program.handoff, "reissue/"))["Location"] == url(program.handoff)


def test_access_that_was_removed_is_not_issued_again(client: Client, program: Program, group_admin: User) -> None:
    grants.revoke(grant=program.grant, by=group_admin)
    assert client.post(url(program.handoff, "reissue/"))["Location"] == url(program.handoff)
    assert "was removed on" in text_of(client.get(url(program.handoff)))
    assert not Handoff.objects.waiting().exists()


# The line ------------------------------------------------------------------------------------------------------------


def line_of(handoff: Handoff) -> list[str]:
    return [step["state"] for step in views_handoffs.list_steps(now(handoff))]


def test_both_sides_see_the_same_line(client: Client, program: Program, group_admin: User, browser_of: Browser) -> None:
    pages = [browser.get(url(program.handoff)) for browser in (client, browser_of(group_admin))]
    lines = [re.search(r"<ol class=\"handoff-line\".*?</ol>", page.content.decode(), re.DOTALL) for page in pages]
    assert lines[0] is not None
    assert lines[1] is not None
    assert lines[0].group() == lines[1].group()
    assert [form for form in forms_of(pages[0]) if form.action.endswith("claim/")]
    assert not [form for form in forms_of(pages[1]) if form.action.endswith("claim/")]
    assert "Waiting for Devika Rao to claim it." in text_of(pages[1])


def test_the_line_follows_from_made_to_works(client: Client, program: Program) -> None:
    Notice.objects.update(sent_at=None, next_attempt_at=clock.now())
    assert line_of(program.handoff) == ["done", "done", "now", "todo", "todo"]
    Notice.objects.update(sent_at=clock.now(), next_attempt_at=None)
    assert line_of(program.handoff) == ["done", "done", "done", "now", "todo"]
    claim_form(client, program.handoff).send(client)
    assert line_of(program.handoff) == ["done", "done", "done", "done", "now"]
    Client().get("/v1/accessToken", headers=program.headers())
    assert line_of(program.handoff) == ["done", "done", "done", "done", "done"]
    assert "127.0.0.1" in text_of(client.get(url(program.handoff)))


@pytest.mark.parametrize("ending", ["refused_at", "withdrawn_at", "expired_at"])
def test_the_line_says_where_it_stopped(program: Program, ending: str) -> None:
    Handoff.objects.update(**{ending: clock.now(), "sealed": None})
    assert line_of(program.handoff)[3:] == ["failed", "todo"]


def test_a_deadline_counts_before_the_worker_comes_by(program: Program) -> None:
    Handoff.objects.update(made_at=clock.now() - dt.timedelta(days=8), expires_at=clock.now() - dt.timedelta(days=1))
    assert views_handoffs.get_current_state(now(program.handoff)) is HandoffState.EXPIRED
    assert line_of(program.handoff)[3] == "failed"


def test_a_token_that_ended_before_its_first_use_never_works(
    client: Client, program: Program, group_admin: User
) -> None:
    claim_form(client, program.handoff).send(client)
    grants.regenerate(grant=program.grant, by=group_admin)
    assert line_of(program.handoff)[4] == "failed"


def test_a_token_that_expired_unused_never_works(client: Client, program: Program) -> None:
    claim_form(client, program.handoff).send(client)
    RefreshToken.objects.update(issued_at=clock.now() - dt.timedelta(days=9), expires_at=clock.now())
    assert line_of(program.handoff)[4] == "failed"


def test_that_the_admin_had_it_shown_is_seen_by_both(
    client: Client, program: Program, group_admin: User, browser_of: Browser
) -> None:
    handoffs.reveal(handoff=program.handoff, by=group_admin, idempotency_key="k" * 32)
    for browser in (client, browser_of(group_admin)):
        assert "Arjun Mehta viewed this token once" in text_of(browser.get(url(program.handoff)))
