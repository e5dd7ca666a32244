"""Sending again: one delivery, all that failed for good, and all from a moment on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors.models import Webhook, WebhookDelivery
from connectors.tests.factories import Program
from connectors.tests.html_forms import form_to, forms_of, text_of
from connectors.tests.webhook_history import HOUR, eventful, happened
from connectors.webhooks import management
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


@pytest.fixture
def hook(told_program: Program) -> Webhook:
    """A webhook with one delivery of every kind."""
    return eventful(told_program.grant)


def at(webhook: Webhook, name: str = "webhook", *more: Any) -> str:
    return reverse(f"connectors:{name}", args=[webhook.connector_id, webhook.pk, *more])


def in_state(webhook: Webhook, state: str) -> WebhookDelivery:
    return webhook.deliveries.filter(state=state).latest("pk")


def test_one_delivery_is_sent_again_from_the_list_as_it_is_filtered(
    hook: Webhook, developer: User, browser_of: Browser
) -> None:
    client, failed = browser_of(developer), in_state(hook, "failed")
    here = f"{at(hook)}?state=failed"
    form = form_to(client.get(here), at(hook, "webhook_redeliver", failed.pk))
    assert form.send(client)["Location"] == here
    failed.refresh_from_db()
    assert (failed.state, failed.tries) == ("waiting", 0)
    assert "Redelivery queued." in text_of(client.get(here))
    form.send(client)
    assert "It is already queued." in text_of(client.get(here))


def test_no_link_leads_elsewhere_after_it(hook: Webhook, developer: User, browser_of: Browser) -> None:
    url = at(hook, "webhook_redeliver", in_state(hook, "failed").pk)
    answer = browser_of(developer).post(url, {"back": "https://evil.example/"})
    assert answer["Location"] == at(hook)


def test_all_that_failed_is_sent_again(hook: Webhook, developer: User, browser_of: Browser) -> None:
    for _ in range(2):
        happened(hook, state="failed", tries=6)
    client = browser_of(developer)
    page = client.get(at(hook))
    assert "Redeliver all 3 failed" in text_of(page)
    form = form_to(page, at(hook, "webhook_redeliver_failed"))
    form.send(client)
    assert not hook.deliveries.filter(state="failed").exists()
    assert "3 deliveries queued." in text_of(client.get(at(hook)))
    form.send(client)
    assert "No failed deliveries left." in text_of(client.get(at(hook)))


def test_a_replay_says_first_how_many(hook: Webhook, developer: User, browser_of: Browser) -> None:
    client, url = browser_of(developer), at(hook, "webhook_replay")
    assert "would be sent" not in text_of(client.get(url))
    asked = {"since": (clock.now() - 8 * HOUR).strftime("%Y-%m-%dT%H:%M")}
    page = client.get(url, asked)
    assert "2 deliveries would be sent" in text_of(page)
    before = set(hook.deliveries.values_list("pk", "state"))
    form = next(form for form in forms_of(page) if form.method == "post" and form.action == url)
    assert set(hook.deliveries.values_list("pk", "state")) == before
    assert form.send(client)["Location"] == at(hook)
    assert hook.deliveries.filter(state="waiting").count() == 4
    assert "2 deliveries queued." in text_of(client.get(at(hook)))
    assert "3 were already delivered" in text_of(client.get(url, {"since": "2020-01-01T00:00"}))


@pytest.mark.parametrize(
    ("since", "says"),
    [
        ("", "Choose when to start."),
        ("yesterday", "Enter a date and a time"),
        ("2999-01-01T00:00", "Choose a time in the past."),
        ("9999-99-99T99:99", "Enter a date and a time"),
    ],
)
def test_a_moment_that_will_not_do_is_told_at_its_field(
    hook: Webhook, developer: User, browser_of: Browser, since: str, says: str
) -> None:
    client, url = browser_of(developer), at(hook, "webhook_replay")
    assert says in text_of(client.get(url, {"since": since}))
    answer = client.post(url, {"since": since})
    assert answer.status_code == 400
    assert says in text_of(answer)
    assert hook.deliveries.filter(state="waiting").count() == 2


def test_while_it_is_inactive_nothing_is_offered_or_sent_again(
    hook: Webhook, developer: User, browser_of: Browser
) -> None:
    failed, client = in_state(hook, "failed"), browser_of(developer)
    management.pause(webhook=hook, by=developer)
    assert [form.method for form in forms_of(client.get(at(hook))) if "again" in form.action] == []
    since = {"since": "2020-01-01T00:00"}
    assert "webhook is inactive. Resume it first." in text_of(client.get(at(hook, "webhook_replay"), since))
    assert "webhook is inactive. Resume it first." in text_of(client.post(at(hook, "webhook_replay"), since))
    for url in (at(hook, "webhook_redeliver", failed.pk), at(hook, "webhook_redeliver_failed")):
        assert "webhook is inactive. Resume it first." in text_of(client.post(url, follow=True))
    assert not hook.deliveries.filter(state="waiting").exists()


def signed_in_again(user: User, address: str, fields: dict[str, Any]) -> Any:
    """Where somebody is whose session had ended when they sent this."""
    client = Client()
    back = parse_qs(urlsplit(client.post(address, fields)["Location"]).query)["next"][0]
    client.force_login(user)
    return client.get(back)
