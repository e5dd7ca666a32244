"""Settings of a webhook: its signing secret, which is shown once, and pause, wake and delete."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from connectors.models import OneTimeSecret, Webhook
from connectors.tests.factories import Program
from connectors.tests.html_forms import Page, form_to, text_of
from connectors.tests.webhook_cast import grant_of
from connectors.tests.webhook_history import HOUR, eventful, happened, quiet
from connectors.webhooks import management, signing
from kaizala_console.lib import clock, ids

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")


@pytest.fixture
def hook(told_program: Program) -> Webhook:
    """A webhook with one delivery of every kind."""
    return eventful(told_program.grant)


def at(webhook: Webhook, name: str = "webhook_settings", *more: Any) -> str:
    return reverse(f"connectors:{name}", args=[webhook.connector_id, webhook.pk, *more])


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


# The signing secret --------------------------------------------------------------------------------------------------


def test_the_secret_is_shown_once_and_the_same_form_shows_it_again(
    hook: Webhook, developer: User, browser_of: Browser
) -> None:
    client = browser_of(developer)
    form = form_to(client.get(at(hook)), at(hook, "webhook_secret"))
    page = form.send(client)
    assert secret_in(page) == present(hook)
    assert "no-store" in page["Cache-Control"]
    assert secret_in(form.send(client)) == present(hook)
    another = form.send(client, {"idempotency_key": "n" * 32})
    assert another["Location"] == at(hook)
    assert "This secret was already shown. If it is lost, regenerate it." in text_of(client.get(at(hook)))
    assert "Regenerate secret" in text_of(client.get(at(hook)))
    assert AuditEvent.objects.filter(tag="connector:webhook:viewed").count() == 1


def test_a_new_secret_is_made_once_however_often_the_button_is_pressed(
    hook: Webhook, developer: User, browser_of: Browser
) -> None:
    old = management.show_secret(webhook=hook, by=developer)
    client = browser_of(developer)
    form = form_to(client.get(at(hook)), at(hook, "webhook_secret_rotate"))
    page = form.send(client)
    assert secret_in(page) == present(hook) != old
    assert "The previous secret also signs until" in text_of(page)
    assert secret_in(form.send(client)) == present(hook)
    assert AuditEvent.objects.filter(tag="connector:webhook:rotated").count() == 1
    assert "Deliveries are also signed with the previous secret until" in text_of(client.get(at(hook)))


def test_the_buttons_under_it_give_the_file_and_end_it(hook: Webhook, developer: User, browser_of: Browser) -> None:
    client = browser_of(developer)
    form_to(client.get(at(hook)), at(hook, "webhook_secret")).send(client, {"idempotency_key": "k" * 32})
    sent = {"idempotency_key": "k" * 32, "kind": "env"}
    file = client.post(at(hook, "webhook_secret_download"), sent)
    assert file.content.decode() == f'WEBHOOK_SECRET="{present(hook)}"\nWEBHOOK_ID="{hook.pk}"\n'
    again = client.post(at(hook, "webhook_secret_done"), sent)
    assert "Store it first" in text_of(again)
    assert client.post(at(hook, "webhook_secret_done"), {**sent, "stored": "1"})["Location"] == at(hook)
    assert not OneTimeSecret.objects.exists()
    gone = client.post(at(hook, "webhook_secret_download"), sent, follow=True)
    assert "not shown again" in text_of(gone)


def test_a_new_secret_takes_the_old_one_off_the_screen(hook: Webhook, developer: User, browser_of: Browser) -> None:
    client = browser_of(developer)
    client.post(at(hook, "webhook_secret"), {"idempotency_key": "k" * 32})
    client.post(at(hook, "webhook_secret_rotate"), {"idempotency_key": "n" * 32})
    assert client.post(at(hook, "webhook_secret"), {"idempotency_key": "k" * 32})["Location"] == at(hook)
    assert OneTimeSecret.objects.count() == 1


def test_a_form_shows_no_other_webhooks_secret(hook: Webhook, developer: User, browser_of: Browser) -> None:
    other, client = quiet(grant_of(hook)), browser_of(developer)
    client.post(at(hook, "webhook_secret"), {"idempotency_key": "k" * 32})
    answer = client.post(at(other, "webhook_secret"), {"idempotency_key": "k" * 32})
    assert answer.status_code == 302
    other.refresh_from_db()
    assert other.secret_shown_at is None


def test_no_log_and_no_audit_row_has_it(
    hook: Webhook, developer: User, browser_of: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = browser_of(developer)
    shown = secret_in(client.post(at(hook, "webhook_secret"), {"idempotency_key": "k" * 32}))
    rotated = secret_in(client.post(at(hook, "webhook_secret_rotate"), {"idempotency_key": "n" * 32}))
    written = caplog.text + str(list(AuditEvent.objects.values())) + str(list(OneTimeSecret.objects.values()))
    for secret in (shown, rotated):
        assert secret.removeprefix("whsec_") not in written
        assert secret not in client.get(at(hook)).content.decode()
    assert "k" * 32 not in written


def test_who_has_just_changed_a_phone_number_sees_no_secret(
    hook: Webhook, developer: User, browser_of: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.policies.credential_hold_end", lambda _user: clock.now())
    client = browser_of(developer)
    answer = client.post(at(hook, "webhook_secret"), {"idempotency_key": "k" * 32}, follow=True)
    assert "Your credentials are locked" in text_of(answer)
    hook.refresh_from_db()
    assert hook.secret_shown_at is None


# Pause, wake, delete -------------------------------------------------------------------------------------------------


def test_paused_it_keeps_what_waits_and_woken_it_sends_that(
    hook: Webhook, developer: User, browser_of: Browser
) -> None:
    client = browser_of(developer)
    page = client.get(at(hook, "webhook_state", "pause"))
    assert "pending deliveries 2" in text_of(page)
    pause = form_to(page, at(hook, "webhook_state", "pause"))
    assert pause.send(client)["Location"] == at(hook)
    assert hook.deliveries.filter(state="held").count() == 2
    assert "Webhook paused. Events are buffered." in text_of(client.get(at(hook)))
    assert "This was already done." in text_of(pause.send(client, follow=True))
    wake = form_to(client.get(at(hook, "webhook_state", "wake")), at(hook, "webhook_state", "wake"))
    wake.send(client)
    assert hook.deliveries.filter(state="waiting").count() == 2
    hook.refresh_from_db()
    assert hook.is_active


def test_what_is_over_is_not_woken(told_program: Program, developer: User, browser_of: Browser) -> None:
    webhook = quiet(
        told_program.grant,
        inactive_because="expired",
        inactive_at=clock.now(),
        expires_at=clock.now(),
    )
    answer = browser_of(developer).post(at(webhook, "webhook_state", "wake"), follow=True)
    assert "This webhook can’t be resumed: its validity has ended." in text_of(answer)
    webhook.refresh_from_db()
    assert not webhook.is_active


def test_deleting_asks_for_the_host(hook: Webhook, developer: User, browser_of: Browser) -> None:
    client, url = browser_of(developer), at(hook, "webhook_state", "delete")
    form = form_to(client.get(url), url)
    wrong = form.send(client, {"typed": "hooks.example.org"})
    assert wrong.status_code == 400
    assert "Type the name exactly" in text_of(wrong)
    assert Webhook.objects.get(pk=hook.pk).deleted_at is None
    answer = form.send(client, {"typed": "hooks.example.com"})
    assert answer["Location"] == reverse("connectors:webhooks", args=[hook.connector_id])
    assert "Webhook to hooks.example.com deleted." in text_of(client.get(answer["Location"]))
    gone = Webhook.objects.get(pk=hook.pk)
    assert gone.deleted_at is not None
    assert (gone.sealed_token, gone.sealed_secret) == (None, None)
    twice = form.send(client, {"typed": "hooks.example.com"})
    assert twice["Location"] == answer["Location"]


def test_pages_that_were_open_when_the_webhook_was_deleted_lead_to_the_others(
    hook: Webhook, developer: User, stranger: User, browser_of: Browser
) -> None:
    delivery = hook.deliveries.first()
    assert delivery is not None
    management.delete(webhook=hook, by=developer)
    client, others = browser_of(developer), reverse("connectors:webhooks", args=[hook.connector_id])
    older = [
        client.get(at(hook)),
        client.get(at(hook, "webhook_state", "pause")),
        client.post(at(hook, "webhook_redeliver", delivery.pk)),
        client.post(at(hook, "webhook_redeliver_failed")),
        client.post(at(hook, "webhook_replay"), {"since": "2026-01-01T00:00"}),
        client.post(at(hook, "webhook_secret_rotate"), {"idempotency_key": "n" * 32}),
    ]
    assert {answer["Location"] for answer in older} == {others}
    assert "The webhook to hooks.example.com is already deleted." in text_of(client.get(others))
    assert client.get(at(hook), headers={"HX-Request": "true"}).status_code == 404
    assert browser_of(stranger).get(at(hook)).status_code == 404


def test_what_is_typed_into_a_webhook_is_only_text(told_program: Program, developer: User, browser_of: Browser) -> None:
    evil = "<script>alert(1)</script>"
    webhook = quiet(
        told_program.grant,
        f"https://a.example/{evil}",
        callback_context=evil,
        object_type="ActionPackage",
        object_id=evil,
    )
    happened(webhook, action_id=ids.new_id())
    client = browser_of(developer)
    for url in (at(webhook), at(webhook, "webhook"), reverse("connectors:webhooks", args=[webhook.connector_id])):
        assert evil not in client.get(url).content.decode()


def test_a_receiver_that_wants_to_be_left_alone_is_named_on_each_page(
    hook: Webhook, developer: User, browser_of: Browser
) -> None:
    client = browser_of(developer)
    assert "The endpoint asked us to wait." not in text_of(client.get(at(hook, "webhook")))
    Webhook.objects.filter(pk=hook.pk).update(backoff_until=clock.now() + HOUR)
    for name in ("webhook", "webhook_settings"):
        assert "The endpoint asked us to wait." in text_of(client.get(at(hook, name)))
    Webhook.objects.filter(pk=hook.pk).update(backoff_until=clock.now() - HOUR)
    assert "The endpoint asked us to wait." not in text_of(client.get(at(hook, "webhook")))
