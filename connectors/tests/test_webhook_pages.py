"""The pages of webhooks: where they send, what came back, and what owners do about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors.models import Connector, Grant, Webhook, WebhookAttempt, WebhookDelivery
from connectors.services import grants
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.html_forms import text_of
from connectors.tests.webhook_cast import CALLBACK_TOKEN, grant_of
from connectors.tests.webhook_history import HOUR, MINUTE, SAID, eventful, happened, quiet, tried
from connectors.views import webhook_deliveries, webhooks
from connectors.webhooks import management
from connectors.webhooks.events import WebhookEventType
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
THEIR_KEY = "their-own-key-9Q4"
READING = ("webhooks", "webhook", "webhook_settings", "webhook_replay", "webhook_delivery", "webhook_state")


@pytest.fixture
def hook(told_program: Program) -> Webhook:
    """A webhook with one delivery of every kind."""
    return eventful(told_program.grant)


def at(webhook: Webhook, name: str = "webhook", *more: Any) -> str:
    return reverse(f"connectors:{name}", args=[webhook.connector_id, webhook.pk, *more])


def tab(connector: Connector) -> str:
    return reverse("connectors:webhooks", args=[connector.pk])


def in_state(webhook: Webhook, state: str) -> WebhookDelivery:
    return webhook.deliveries.filter(state=state).latest("pk")


# The tab -------------------------------------------------------------------------------------------------------------


def test_the_tab_tells_of_each_webhook(hook: Webhook, developer: User, browser_of: Browser) -> None:
    text = text_of(browser_of(developer).get(tab(hook.connector)))
    for told in (
        "Webhooks 1",
        "hooks.example.com /kaizala/shifts?code=…",
        "Failing failing since 11 minutes ago",
        "Night shift",
        "all events",
        "20 minutes ago 2 waiting 1 failed",
        "Ends in",
    ):
        assert told in text


def test_what_is_removed_is_gone(hook: Webhook, developer: User, browser_of: Browser) -> None:
    management.delete(webhook=hook, by=developer)
    client = browser_of(developer)
    assert "hooks.example.com" not in text_of(client.get(tab(hook.connector)))
    assert client.get(at(hook))["Location"] == tab(hook.connector)


@pytest.mark.parametrize(
    ("change", "pill", "reason"),
    [
        ({"inactive_because": "paused"}, "paused", "paused"),
        ({"inactive_because": "failed"}, "failed", "its endpoint failed six times in two days"),
        ({"inactive_because": "expired"}, "expired", "its validity has ended"),
        ({"inactive_because": "reach"}, "ended", "its object is out of reach"),
        ({"expires_at": clock.now() - HOUR}, "expired", "its validity has ended"),
        ({}, "active", ""),
    ],
)
def test_a_state_is_a_pill_with_its_reason(
    told_program: Program, developer: User, browser_of: Browser, change: dict[str, Any], pill: str, reason: str
) -> None:
    if "inactive_because" in change:
        change = {**change, "inactive_at": clock.now()}
    page = browser_of(developer).get(at(quiet(told_program.grant, **change)))
    assert page.context["pill"] == pill
    assert reason in text_of(page)
    assert ("Nothing is sent." in text_of(page)) is bool(reason)


@pytest.mark.parametrize(("act", "pill"), [("suspend", "suspended"), ("revoke", "ended")])
def test_it_goes_with_the_access_that_it_was_made_under(
    told_program: Program, developer: User, group_admin: User, browser_of: Browser, act: str, pill: str
) -> None:
    webhook = quiet(told_program.grant)
    getattr(grants, act)(grant=told_program.grant, by=group_admin)
    assert browser_of(developer).get(at(webhook)).context["pill"] == pill


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example/hook", "https://a.example/hook"),
        ("https://a.example", "https://a.example/"),
        ("https://me:pw@a.example:8443/h?code=s3&x=&y#frag", "https://a.example:8443/h?code=…&x=…"),
        ("https://[2001:db8::1]/h?opaque", "https://[2001:db8::1]/h?…"),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert webhooks.hide_secrets_in_url(url) == shown


# The log -------------------------------------------------------------------------------------------------------------


def test_the_log_tells_what_came_back_and_what_is_next(hook: Webhook, developer: User, browser_of: Browser) -> None:
    text = text_of(browser_of(developer).get(at(hook)))
    for told in (
        "TextMessageCreated 1 minute ago Waiting Night shift none yet 0 due now",
        "PollResponse 12 minutes ago Waiting Night shift certificate refused 41 ms 2 next try in 10 minutes",
        "SurveyResponse 2 hours ago Not sent",
        "timed out 41 ms 6 7 hours ago Redeliver",
        "Announcement 9 hours ago Delivered Night shift 200 41 ms 1",
        "2 waiting 1 failed",
    ):
        assert told in text


@pytest.mark.parametrize(
    ("query", "events"),
    [
        ("state=failed", ["JobResponse"]),
        ("state=waiting", ["TextMessageCreated", "PollResponse"]),
        ("event=MemberAdded", ["MemberAdded"]),
        ("state=delivered&event=TextMessageCreated", ["TextMessageCreated"]),
        ("state=held", []),
        ("state=nonsense&event=nonsense&state=failed", ["JobResponse"]),
    ],
)
def test_the_log_is_filtered_in_the_address(
    hook: Webhook, developer: User, browser_of: Browser, query: str, events: list[str]
) -> None:
    page = browser_of(developer).get(f"{at(hook)}?{query}")
    assert [row["delivery"].event.event_type for row in page.context["rows"]] == events


def test_the_log_is_paged_by_key(told_program: Program, developer: User, browser_of: Browser) -> None:
    webhook, client = quiet(told_program.grant), browser_of(developer)
    made = [happened(webhook).pk for _ in range(30)]
    first = client.get(at(webhook))
    happened(webhook)
    second = client.get(first.context["older"])
    seen = [row["delivery"].pk for page in (first, second) for row in page.context["rows"]]
    assert seen == made[::-1]
    assert client.get(f"{at(webhook)}?cursor=forged")["Location"] == at(webhook)


# One delivery --------------------------------------------------------------------------------------------------------


def test_a_delivery_shows_its_body_and_every_try(hook: Webhook, developer: User, browser_of: Browser) -> None:
    page = browser_of(developer).get(at(hook, "webhook_delivery", in_state(hook, "failed").pk))
    text = text_of(page)
    assert "Try 1 503 the endpoint answered with an error 41 ms" in text
    assert "Try 6 the endpoint did not answer in time 41 ms" in text
    assert "Answer first and work later: any 2xx will do." in text
    body = json.loads(page.context["payload"])
    assert (body["eventType"], body["data"], body["context"]) == ("JobResponse", {"text": SAID}, "shift 7")


def test_a_delivery_shows_what_was_answered_to_every_try_the_newest_open(
    hook: Webhook, developer: User, browser_of: Browser
) -> None:
    page = browser_of(developer).get(at(hook, "webhook_delivery", in_state(hook, "failed").pk))
    text = text_of(page)
    assert "Try 5: 503 Content-Type text/plain; charset=utf-8 Server nginx Queue is full, try again later." in text
    assert "No response: the endpoint did not answer in time." in text
    assert page.content.decode().count('<details class="webhook-answer"') == 6
    assert 'id="answer-6" open' in page.content.decode()


def test_what_a_receiver_says_is_shown_and_never_followed(
    told_program: Program, developer: User, browser_of: Browser
) -> None:
    webhook = quiet(told_program.grant)
    row = happened(webhook, state="delivered")
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>{% now 'Y' %}{{ request.user }}"
    tried(row, 200, answer_headers={"Server": evil}, answer_body="text", answer_text=evil)
    html = browser_of(developer).get(at(webhook, "webhook_delivery", row.pk)).content.decode()
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;{% now ") == 2
    assert "<script>alert" not in html
    assert "<img src=x" not in html


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "No body arrived in time."),
        ("empty", "The body was empty."),
        ("cut", "Beginning of the body."),
        ("binary", "The body is not text, so it is not stored."),
    ],
)
def test_what_is_not_shown_of_a_body_is_said(
    told_program: Program, developer: User, browser_of: Browser, body: str, said: str
) -> None:
    webhook = quiet(told_program.grant)
    row = happened(webhook, state="delivered")
    tried(row, 200, answer_body=body, answer_text="begin" if body == "cut" else "")
    assert said in text_of(browser_of(developer).get(at(webhook, "webhook_delivery", row.pk)))


@pytest.mark.parametrize("state", ["dropped", "waiting"])
def test_what_was_never_sent_is_not_shown(
    told_program: Program, developer: User, browser_of: Browser, state: str
) -> None:
    webhook = quiet(told_program.grant)
    page = browser_of(developer).get(at(webhook, "webhook_delivery", happened(webhook, state=state).pk))
    assert SAID not in page.content.decode()
    assert "Nothing was sent" in text_of(page)


def test_a_delivery_is_found_under_its_own_webhook_alone(hook: Webhook, developer: User, browser_of: Browser) -> None:
    other, client = quiet(grant_of(hook)), browser_of(developer)
    for name in ("webhook_delivery", "webhook_redeliver"):
        act = client.post if name == "webhook_redeliver" else client.get
        assert act(at(other, name, in_state(hook, "failed").pk)).status_code == 404
    mine = factories.make_connector(developer, "Other")
    assert client.get(reverse("connectors:webhook", args=[mine.pk, hook.pk])).status_code == 404


# Costs, and what no page shows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "most"), [("webhooks", 17), ("webhook", 10)])
def test_more_webhooks_and_deliveries_cost_no_more_queries(
    hook: Webhook,
    developer: User,
    browser_of: Browser,
    django_assert_max_num_queries: Any,
    name: str,
    most: int,
) -> None:
    client, url = browser_of(developer), tab(hook.connector) if name == "webhooks" else at(hook)

    def cost() -> int:
        with django_assert_max_num_queries(40) as seen:
            assert client.get(url).status_code == 200
        return len(seen.captured_queries)

    few = cost()
    for _ in range(6):
        other = quiet(grant_of(hook), failures=1)
        for webhook in (hook, other):
            tried(happened(webhook, WebhookEventType.POLL_CREATED, ago=5 * MINUTE), 500, "status")
    assert cost() == few
    assert few <= most


@pytest.mark.parametrize("name", READING)
def test_no_page_shows_a_credential_or_the_values_of_an_address(
    hook: Webhook, developer: User, browser_of: Browser, name: str
) -> None:
    more: dict[str, list[Any]] = {"webhook_delivery": [in_state(hook, "failed").pk], "webhook_state": ["delete"]}
    url = tab(hook.connector) if name == "webhooks" else at(hook, name, *more.get(name, ()))
    page = browser_of(developer).get(url)
    assert page.status_code == 200
    for secret in (CALLBACK_TOKEN, THEIR_KEY, "whsec_"):
        assert secret not in page.content.decode()


def test_group_admins_and_colleagues_see_no_webhook(
    hook: Webhook, group_admin: User, member: User, organisation_admin: User, browser_of: Browser
) -> None:
    for who in (group_admin, member, organisation_admin):
        client = browser_of(who)
        assert client.get(tab(hook.connector)).status_code == 404
        assert client.get(at(hook)).status_code == 404
        page = client.get(reverse("connectors:details", args=[hook.connector_id]))
        assert "hooks.example.com" not in text_of(page)
    assert Grant.objects.get().webhooks.get() == hook


def test_the_log_looks_again_only_while_something_waits(
    told_program: Program, developer: User, browser_of: Browser
) -> None:
    webhook, client = quiet(told_program.grant), browser_of(developer)
    assert 'hx-trigger="every' not in client.get(at(webhook)).content.decode()
    happened(webhook)
    assert 'hx-trigger="every' in client.get(at(webhook)).content.decode()
    assert 'hx-trigger="every' not in client.get(f"{at(webhook)}?live=off").content.decode()


def test_of_many_tries_the_last_are_shown_with_their_numbers(
    told_program: Program, developer: User, browser_of: Browser
) -> None:
    webhook = quiet(told_program.grant)
    row = happened(webhook, state="delivered")
    for _ in range(33):
        tried(row, 200)
    text = text_of(browser_of(developer).get(at(webhook, "webhook_delivery", row.pk)))
    assert "3 earlier tries are hidden." in text
    assert "Try 33" in text
    assert "Try 4 " in text
    assert "Try 3 " not in text


@pytest.mark.parametrize("problem", WebhookAttempt.Problem.values)
def test_every_problem_has_words_and_advice(problem: str) -> None:
    assert webhook_deliveries.describe_answer(None, problem)
    assert webhook_deliveries.give_advice(problem, None)
