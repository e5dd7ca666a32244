"""The pages of webhooks: where they send, what came back, and what owners do about it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page as BrowserPage
from playwright.sync_api import expect

from accounts.models import AuditEvent, User
from connectors.models import Connector, Grant, OneTimeSecret, Webhook, WebhookAttempt, WebhookDelivery
from connectors.services import grants
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.html_forms import Page, count_queries, form_to, forms_of, text_of
from connectors.tests.webhook_cast import CALLBACK_TOKEN, grant_of
from connectors.tests.webhook_history import HOUR, MINUTE, SAID, eventful, happened, quiet, tried
from connectors.views import webhook_deliveries, webhooks
from connectors.webhooks import management, publish, signing
from connectors.webhooks.events import WebhookEventType
from kaizala_console.lib import clock, ids
from kaizala_console.tests.browser import assert_accessible

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
OpenPage = Callable[..., BrowserPage]
THEIR_KEY = "their-own-key-9Q4"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")
FIRST, SECOND = {"idempotency_key": "k" * 32}, {"idempotency_key": "n" * 32}


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


def count(webhook: Webhook, state: str) -> int:
    return webhook.deliveries.filter(state=state).count()


# The tab -------------------------------------------------------------------------------------------------------------


def test_the_tab_tells_of_each_webhook(hook: Webhook, owner: Client) -> None:
    text = text_of(owner.get(tab(hook.connector)))
    for told in ("hooks.example.com /kaizala/shifts?code=…", "Failing", "Night shift", "2 waiting 1 failed"):
        assert told in text


@pytest.mark.parametrize(
    ("change", "pill"),
    [
        ({}, "active"),
        *(({"inactive_because": reason}, reason) for reason in ("paused", "failed", "expired")),
        ({"inactive_because": "reach"}, "ended"),
        ({"expires_at": clock.now() - HOUR}, "expired"),
        ({"act": grants.suspend}, "suspended"),
        ({"act": grants.revoke}, "ended"),
    ],
)
def test_a_webhook_that_sends_nothing_says_so(
    told_program: Program, group_admin: User, owner: Client, change: dict[str, Any], pill: str
) -> None:
    fields = {key: value for key, value in change.items() if key != "act"}
    webhook = quiet(told_program.grant, **fields, inactive_at=clock.now() if "inactive_because" in change else None)
    if "act" in change:
        change["act"](grant=told_program.grant, by=group_admin)
    page = owner.get(at(webhook))
    assert page.context["pill"] == pill
    assert ("Nothing is sent." in text_of(page)) is (pill != "active")


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


def test_the_log_tells_what_came_back_and_what_is_next(hook: Webhook, owner: Client) -> None:
    text = text_of(owner.get(at(hook)))
    for told in (
        "TextMessageCreated 1 minute ago Waiting Night shift none yet 0 due now",
        "PollResponse 12 minutes ago Waiting Night shift certificate refused 41 ms 2 next try in 10 minutes",
        "SurveyResponse 2 hours ago Not sent",
        "Announcement 9 hours ago Delivered Night shift 200 41 ms 1",
    ):
        assert told in text


@pytest.mark.parametrize(
    ("query", "events"),
    [
        ("state=waiting", ["TextMessageCreated", "PollResponse"]),
        ("state=delivered&event=TextMessageCreated", ["TextMessageCreated"]),
        ("state=held", []),
        ("state=nonsense&event=nonsense&state=failed", ["JobResponse"]),
    ],
)
def test_the_log_is_filtered_in_the_address(hook: Webhook, owner: Client, query: str, events: list[str]) -> None:
    page = owner.get(f"{at(hook)}?{query}")
    assert [row["delivery"].event.event_type for row in page.context["rows"]] == events


def test_the_log_is_paged_by_key(told_program: Program, owner: Client) -> None:
    webhook = quiet(told_program.grant)
    made = [happened(webhook).pk for _ in range(30)]
    first = owner.get(at(webhook))
    happened(webhook)
    second = owner.get(first.context["older"])
    seen = [row["delivery"].pk for page in (first, second) for row in page.context["rows"]]
    assert seen == made[::-1]
    assert owner.get(f"{at(webhook)}?cursor=forged")["Location"] == at(webhook)


# One delivery --------------------------------------------------------------------------------------------------------


def test_a_delivery_shows_its_body_and_every_try_with_what_was_answered(hook: Webhook, owner: Client) -> None:
    page = owner.get(at(hook, "webhook_delivery", in_state(hook, "failed").pk))
    text = text_of(page)
    assert "Try 5: 503 Content-Type text/plain; charset=utf-8 Server nginx Queue is full, try again later." in text
    assert "Try 6 the endpoint did not answer in time 41 ms" in text
    body = json.loads(page.context["payload"])
    assert (body["eventType"], body["data"], body["context"]) == ("JobResponse", {"text": SAID}, "shift 7")


@pytest.mark.parametrize("problem", WebhookAttempt.Problem.values)
def test_every_problem_has_words_and_advice(problem: str) -> None:
    assert webhook_deliveries.describe_answer(None, problem)
    assert webhook_deliveries.give_advice(problem, None)


def test_what_a_receiver_says_is_shown_and_never_followed(told_program: Program, owner: Client) -> None:
    row = happened(quiet(told_program.grant), state="delivered")
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>{% now 'Y' %}{{ request.user }}"
    tried(row, 200, answer_headers={"Server": evil}, answer_body="text", answer_text=evil)
    html = owner.get(at(row.webhook, "webhook_delivery", row.pk)).content.decode()
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;{% now ") == 2
    assert "<script>alert" not in html
    assert "<img src=x" not in html


def test_what_is_typed_into_a_webhook_is_only_text(told_program: Program, owner: Client) -> None:
    evil = "<script>alert(1)</script>"
    fields = {"callback_context": evil, "object_type": "ActionPackage", "object_id": evil}
    webhook = quiet(told_program.grant, f"https://a.example/{evil}", **fields)
    happened(webhook, action_id=ids.new_id())
    for url in (at(webhook), at(webhook, "webhook_settings"), tab(webhook.connector)):
        assert evil not in owner.get(url).content.decode()


@pytest.mark.parametrize("state", ["dropped", "waiting"])
def test_what_was_never_sent_is_not_shown(told_program: Program, owner: Client, state: str) -> None:
    row = happened(quiet(told_program.grant), state=state)
    assert SAID not in owner.get(at(row.webhook, "webhook_delivery", row.pk)).content.decode()


# Who sees what, and what it costs ------------------------------------------------------------------------------------


def test_a_delivery_is_found_under_its_own_webhook_alone(hook: Webhook, developer: User, owner: Client) -> None:
    other, failed = quiet(grant_of(hook)), in_state(hook, "failed").pk
    assert owner.get(at(other, "webhook_delivery", failed)).status_code == 404
    assert owner.post(at(other, "webhook_redeliver", failed)).status_code == 404
    mine = factories.make_connector(developer, "Other")
    assert owner.get(reverse("connectors:webhook", args=[mine.pk, hook.pk])).status_code == 404


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


@pytest.mark.parametrize(
    "name", ["webhooks", "webhook", "webhook_settings", "webhook_replay", "webhook_delivery", "webhook_state"]
)
def test_no_page_shows_a_credential_or_the_values_of_an_address(hook: Webhook, owner: Client, name: str) -> None:
    more: dict[str, list[Any]] = {"webhook_delivery": [in_state(hook, "failed").pk], "webhook_state": ["delete"]}
    page = owner.get(tab(hook.connector) if name == "webhooks" else at(hook, name, *more.get(name, ())))
    assert page.status_code == 200
    for secret in (CALLBACK_TOKEN, THEIR_KEY, "whsec_"):
        assert secret not in page.content.decode()


@pytest.mark.parametrize(("name", "most"), [("webhooks", 17), ("webhook", 10)])
def test_more_webhooks_and_deliveries_cost_no_more_queries(hook: Webhook, owner: Client, name: str, most: int) -> None:
    url = tab(hook.connector) if name == "webhooks" else at(hook)
    few = count_queries(owner, url)
    for _ in range(6):
        other = quiet(grant_of(hook), failures=1)
        for webhook in (hook, other):
            tried(happened(webhook, WebhookEventType.POLL_CREATED, ago=5 * MINUTE), 500, "status")
    assert count_queries(owner, url) == few <= most


# Sending again -------------------------------------------------------------------------------------------------------


def test_one_delivery_is_sent_again_from_the_list_as_it_is_filtered(hook: Webhook, owner: Client) -> None:
    failed = in_state(hook, "failed")
    here = f"{at(hook)}?state=failed"
    form = form_to(owner.get(here), at(hook, "webhook_redeliver", failed.pk))
    assert form.send(owner)["Location"] == here
    failed.refresh_from_db()
    assert (failed.state, failed.tries) == ("waiting", 0)
    assert "already queued" in text_of(form.send(owner, follow=True))
    assert form.send(owner, {"back": "https://evil.example/"})["Location"] == at(hook), "no link leads elsewhere"


def test_all_that_failed_is_sent_again(hook: Webhook, owner: Client) -> None:
    for _ in range(2):
        happened(hook, state="failed", tries=6)
    form = form_to(owner.get(at(hook)), at(hook, "webhook_redeliver_failed"))
    assert "3 deliveries queued." in text_of(form.send(owner, follow=True))
    assert count(hook, "failed") == 0
    assert "No failed deliveries left." in text_of(form.send(owner, follow=True))


def test_a_replay_says_first_how_many(hook: Webhook, owner: Client) -> None:
    url = at(hook, "webhook_replay")
    page = owner.get(url, {"since": (clock.now() - 8 * HOUR).strftime("%Y-%m-%dT%H:%M")})
    assert "2 deliveries would be sent" in text_of(page)
    assert count(hook, "waiting") == 2, "looking sends nothing"
    form = next(form for form in forms_of(page) if form.method == "post" and form.action == url)
    assert form.send(owner)["Location"] == at(hook)
    assert count(hook, "waiting") == 4
    assert "3 were already delivered" in text_of(owner.get(url, {"since": "2020-01-01T00:00"}))


@pytest.mark.parametrize("since", ["", "yesterday", "2999-01-01T00:00", "9999-99-99T99:99"])
def test_a_moment_that_will_not_do_replays_nothing(hook: Webhook, owner: Client, since: str) -> None:
    url = at(hook, "webhook_replay")
    assert "would be sent" not in text_of(owner.get(url, {"since": since}))
    assert owner.post(url, {"since": since}).status_code == 400
    assert count(hook, "waiting") == 2


def test_while_it_is_inactive_nothing_is_offered_or_sent_again(hook: Webhook, developer: User, owner: Client) -> None:
    failed = in_state(hook, "failed")
    management.pause(webhook=hook, by=developer)
    assert [form.method for form in forms_of(owner.get(at(hook))) if "again" in form.action] == []
    for name, more in (("webhook_replay", []), ("webhook_redeliver", [failed.pk]), ("webhook_redeliver_failed", [])):
        answer = owner.post(at(hook, name, *more), {"since": "2020-01-01T00:00"}, follow=True)
        assert "webhook is inactive. Resume it first." in text_of(answer)
    assert count(hook, "waiting") == 0


# The signing secret --------------------------------------------------------------------------------------------------


def secret_in(page: Page) -> str:
    found = SECRET.findall(page.content.decode())
    assert found, text_of(page)
    return str(found[0])


def present(webhook: Webhook) -> str:
    """The secret that signs now."""
    webhook.refresh_from_db()
    secret = signing.open_secret(webhook)
    assert secret is not None
    return signing.format_secret(secret)


def test_the_secret_is_shown_once_and_the_same_form_shows_it_again(hook: Webhook, owner: Client) -> None:
    here = at(hook, "webhook_settings")
    form = form_to(owner.get(here), at(hook, "webhook_secret"))
    page = form.send(owner)
    assert secret_in(page) == present(hook)
    assert "no-store" in page["Cache-Control"]
    assert secret_in(form.send(owner)) == present(hook)
    assert form.send(owner, SECOND)["Location"] == here
    assert "already shown" in text_of(owner.get(here))
    assert AuditEvent.objects.filter(tag="connector:webhook:viewed").count() == 1


def test_a_new_secret_is_made_once_however_often_asked(hook: Webhook, developer: User, owner: Client) -> None:
    old = management.show_secret(webhook=hook, by=developer)
    form = form_to(owner.get(at(hook, "webhook_settings")), at(hook, "webhook_secret_rotate"))
    for _twice in range(2):
        page = form.send(owner)
        assert secret_in(page) == present(hook) != old
        assert "previous secret also signs until" in text_of(page)
    assert AuditEvent.objects.filter(tag="connector:webhook:rotated").count() == 1


def test_the_buttons_under_it_give_the_file_and_end_it(hook: Webhook, owner: Client) -> None:
    owner.post(at(hook, "webhook_secret"), FIRST)
    sent = {**FIRST, "kind": "env"}
    file = owner.post(at(hook, "webhook_secret_download"), sent)
    assert file.content.decode() == f'WEBHOOK_SECRET="{present(hook)}"\nWEBHOOK_ID="{hook.pk}"\n'
    assert secret_in(owner.post(at(hook, "webhook_secret_done"), sent)), "not stored yet"
    answer = owner.post(at(hook, "webhook_secret_done"), {**sent, "stored": "1"})
    assert answer["Location"] == at(hook, "webhook_settings")
    assert not OneTimeSecret.objects.exists()
    assert "not shown again" in text_of(owner.post(at(hook, "webhook_secret_download"), sent, follow=True))


def test_a_new_secret_takes_the_old_one_off_the_screen(hook: Webhook, owner: Client) -> None:
    owner.post(at(hook, "webhook_secret"), FIRST)
    owner.post(at(hook, "webhook_secret_rotate"), SECOND)
    assert owner.post(at(hook, "webhook_secret"), FIRST)["Location"] == at(hook, "webhook_settings")
    assert OneTimeSecret.objects.count() == 1


def test_a_form_shows_no_other_webhooks_secret(hook: Webhook, owner: Client) -> None:
    other = quiet(grant_of(hook))
    owner.post(at(hook, "webhook_secret"), FIRST)
    assert owner.post(at(other, "webhook_secret"), FIRST).status_code == 302
    other.refresh_from_db()
    assert other.secret_shown_at is None


def test_no_log_and_no_audit_row_has_it(hook: Webhook, owner: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown = secret_in(owner.post(at(hook, "webhook_secret"), FIRST))
    rotated = secret_in(owner.post(at(hook, "webhook_secret_rotate"), SECOND))
    written = caplog.text + str(list(AuditEvent.objects.values())) + str(list(OneTimeSecret.objects.values()))
    for secret in (shown, rotated):
        assert secret.removeprefix("whsec_") not in written
        assert secret not in owner.get(at(hook, "webhook_settings")).content.decode()
    assert "k" * 32 not in written


# Pause, wake, delete -------------------------------------------------------------------------------------------------


def test_paused_it_keeps_what_waits_and_woken_it_sends_that(hook: Webhook, owner: Client) -> None:
    url = at(hook, "webhook_state", "pause")
    page = owner.get(url)
    assert "pending deliveries 2" in text_of(page)
    pause = form_to(page, url)
    assert pause.send(owner)["Location"] == at(hook, "webhook_settings")
    assert count(hook, "held") == 2
    assert "already done" in text_of(pause.send(owner, follow=True))
    url = at(hook, "webhook_state", "wake")
    form_to(owner.get(url), url).send(owner)
    assert count(hook, "waiting") == 2


def test_what_is_over_is_not_woken(told_program: Program, owner: Client) -> None:
    now = clock.now()
    webhook = quiet(told_program.grant, inactive_because="expired", inactive_at=now, expires_at=now)
    assert "can’t be resumed" in text_of(owner.post(at(webhook, "webhook_state", "wake"), follow=True))
    webhook.refresh_from_db()
    assert not webhook.is_active


def test_deleting_asks_for_the_host(hook: Webhook, owner: Client) -> None:
    url = at(hook, "webhook_state", "delete")
    form = form_to(owner.get(url), url)
    assert form.send(owner, {"typed": "hooks.example.org"}).status_code == 400
    assert Webhook.objects.get(pk=hook.pk).deleted_at is None
    for _twice in range(2):
        assert form.send(owner, {"typed": "hooks.example.com"})["Location"] == tab(hook.connector)
    gone = Webhook.objects.get(pk=hook.pk)
    assert gone.deleted_at is not None
    assert (gone.sealed_token, gone.sealed_secret) == (None, None)
    owner.get(tab(hook.connector))  # which says that it was deleted
    assert "hooks.example.com" not in text_of(owner.get(tab(hook.connector)))


def test_pages_that_were_open_when_the_webhook_was_deleted_lead_to_the_others(
    hook: Webhook, developer: User, owner: Client, stranger: User, browser_of: Browser
) -> None:
    delivery = in_state(hook, "failed")
    management.delete(webhook=hook, by=developer)
    older = [
        owner.get(at(hook)),
        owner.get(at(hook, "webhook_state", "pause")),
        owner.post(at(hook, "webhook_redeliver", delivery.pk)),
        owner.post(at(hook, "webhook_redeliver_failed")),
        owner.post(at(hook, "webhook_replay"), {"since": "2026-01-01T00:00"}),
        owner.post(at(hook, "webhook_secret_rotate"), SECOND),
    ]
    assert {answer["Location"] for answer in older} == {tab(hook.connector)}
    assert owner.get(at(hook), headers={"HX-Request": "true"}).status_code == 404
    assert browser_of(stranger).get(at(hook)).status_code == 404


# In a browser --------------------------------------------------------------------------------------------------------


@pytest.fixture
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "notify_worker", lambda: None)


@pytest.mark.journey
@pytest.mark.capability
@pytest.mark.usefixtures("nothing_is_sent")
@pytest.mark.django_db(transaction=True)
def test_the_log_follows_along_and_the_focus_stays(told_program: Program, developer: User, open_page: OpenPage) -> None:
    webhook = quiet(told_program.grant)
    waits = happened(webhook)
    page = open_page(user=developer)
    page.clock.install()
    page.goto(at(webhook))
    link = page.locator(f"#delivery-{waits.pk}")
    link.focus()
    webhook.deliveries.filter(pk=waits.pk).update(state="delivered", next_attempt_at=None, finished_at=clock.now())
    happened(webhook, WebhookEventType.MEMBER_ADDED)
    page.clock.run_for(4_500)
    expect(page.get_by_role("row", name="MemberAdded")).to_be_visible()
    expect(page.get_by_role("row", name="TextMessageCreated").get_by_text("Delivered")).to_be_visible()
    expect(link).to_be_focused()
    assert_accessible(page)
    page.get_by_role("link", name="Pause").click()
    expect(page.get_by_role("link", name="Go live")).to_be_visible()
    happened(webhook, WebhookEventType.MEMBER_REMOVED)
    page.clock.run_for(9_000)
    expect(page.get_by_role("row", name="MemberRemoved")).to_have_count(0)
