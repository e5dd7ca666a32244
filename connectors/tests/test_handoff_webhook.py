"""The address of a connector that is told of its handoffs: once for each, in the act's transaction, never a secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.audit.record import SYSTEM
from accounts.models import AuditEvent, User
from connectors import token_format
from connectors.models import Connector, Handoff, Webhook, WebhookDelivery, WebhookEvent
from connectors.services import connectors, grants, handoffs, leak_reports, refresh_tokens
from connectors.services.one_time_secrets import new_form_key
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.receiver import Receiver
from connectors.tests.webhook_cast import states, time_passes
from connectors.webhooks import delivery, management, subscriptions
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

pytestmark = pytest.mark.django_db


def register(connector: Connector, url: str, by: User) -> Webhook:
    return subscriptions.register_handoff_webhook(connector=connector, callback_url=url, by=by)


@pytest.fixture
def hook(connector: Connector, developer: User, receiver: Receiver) -> Webhook:
    """The connector's address, which takes what it is told."""
    return register(connector, receiver.url(), developer)


@pytest.fixture
def told(hook: Webhook, connector: Connector, group_admin: User) -> Program:
    """An admin lets the connector in: a handoff waits."""
    return factories.make_program(connector, group_admin)


def facts(webhook: Webhook) -> list[tuple[str, str, str]]:
    """What is on its way or was: the kind, the reason, and the handoff, the first one first."""
    rows = WebhookDelivery.objects.filter(webhook=webhook).select_related("event").order_by("pk")
    return [(row.event.event_type, row.event.data["reason"], row.event.data["handoffId"]) for row in rows]


def test_a_handoff_that_waits_is_told_with_all_that_a_program_needs_to_claim_it(
    hook: Webhook, told: Program, receiver: Receiver, settings: Settings
) -> None:
    assert delivery.deliver_due() == 1
    event, handoff = WebhookEvent.objects.get(), told.handoff
    assert receiver.bodies() == [
        {
            "objectId": str(told.connector.pk),
            "objectType": "Connector",
            "eventType": "HandoffWaiting",
            "eventId": str(event.pk),
            "subscriptionId": str(hook.pk),
            "data": {
                "connectorId": str(told.connector.pk),
                "handoffId": str(handoff.pk),
                "reason": "granted",
                "target": {"kind": "group", "id": told.grant.target.removeprefix("group:"), "name": "Night shift"},
                "expiresAt": clock.epoch_ms(handoff.expires_at),
                "pageUrl": f"{settings.CONSOLE_BASE_URL}/console/handoffs/{handoff.pk}/",
                "claimUrl": f"{settings.CONSOLE_BASE_URL}/v1/handoffs/claim",
            },
        }
    ]


def test_it_is_signed_as_all_deliveries_are(
    hook: Webhook, told: Program, receiver: Receiver, developer: User, is_genuine: Callable[..., bool]
) -> None:
    secret = management.show_secret(webhook=hook, by=developer)
    delivery.deliver_due()
    _path, headers, body = receiver.arrived[0]
    assert "kz-callback-token" not in headers
    assert is_genuine(headers, body, secret, "")
    assert not is_genuine(headers, body.replace(b"Waiting", b"Ended"), secret, "")


def test_no_message_or_row_holds_a_secret(hook: Webhook, told: Program, receiver: Receiver, group_admin: User) -> None:
    grants.revoke(grant=told.grant, by=group_admin)
    delivery.deliver_due()
    assert len(receiver.arrived) == 2
    sent = b"\n".join(json.dumps(headers).encode() + body for _path, headers, body in receiver.arrived).decode()
    kept = json.dumps(list(WebhookEvent.objects.values_list("data", "private", "sender")))
    for text in (sent, kept):
        assert not token_format.PATTERN.search(text)
        assert not [part for part in (*told.refresh_token.split("_"), *told.secret.split("_")) if part in text]


@pytest.mark.parametrize("way", ["revoked", "expired", "leaked", "regenerated"])
def test_one_that_ends_unclaimed_is_told_once_after_that_it_waits(
    way: str, hook: Webhook, told: Program, group_admin: User, travel: Callable[..., object]
) -> None:
    match way:
        case "revoked":
            grants.revoke(grant=told.grant, by=group_admin)
        case "expired":
            travel(days=8)
            assert [handoffs.expire_overdue() for _ in range(2)] == [1, 0]
        case "leaked":
            leak_reports.report(text=told.refresh_token, address="192.0.2.7")
            leak_reports.revoke(report=told.grant.refresh_tokens.get().leak_reports.get(), by=told.connector.owner)
        case "regenerated":
            grants.regenerate(grant=told.grant, by=group_admin)
    reason = "expired" if way == "expired" else "withdrawn"
    this = str(told.handoff.pk)
    of_this = [fact for fact in facts(hook) if fact[2] == this]
    assert of_this == [("HandoffWaiting", "granted", this), ("HandoffEnded", reason, this)]


def test_issued_again_the_old_one_ended_and_the_new_one_waits(hook: Webhook, told: Program, developer: User) -> None:
    again = handoffs.reissue(handoff=told.handoff, by=developer)
    handoffs.reissue(handoff=told.handoff, by=developer)
    assert facts(hook)[1:] == [
        ("HandoffEnded", "withdrawn", str(told.handoff.pk)),
        ("HandoffWaiting", "granted", str(again.pk)),
    ]


def test_the_successor_near_the_end_of_a_token_is_told_as_rotated(
    hook: Webhook, told: Program, developer: User, travel: Callable[..., object]
) -> None:
    handoffs.claim(handoff=told.handoff, by=developer, idempotency_key=new_form_key(), address=None)
    travel(days=330)
    assert refresh_tokens.rotate_due() == 1
    refresh_tokens.rotate_due()
    assert facts(hook)[1:] == [("HandoffWaiting", "rotated", str(Handoff.objects.waiting().get().pk))]


@pytest.mark.parametrize("act", ["claim", "refuse"])
def test_what_its_own_developer_does_is_not_told(
    act: str, hook: Webhook, told: Program, developer: User, group_admin: User
) -> None:
    if act == "claim":
        handoffs.claim(handoff=told.handoff, by=developer, idempotency_key=new_form_key(), address=None)
        grants.revoke(grant=told.grant, by=group_admin)
    else:
        handoffs.refuse(handoff=told.handoff, by=developer)
    assert [kind for kind, _reason, _handoff in facts(hook)] == ["HandoffWaiting"]


def test_what_is_rolled_back_and_another_connectors_handoffs_are_not_told(
    hook: Webhook, connector: Connector, developer: User, group_admin: User
) -> None:
    factories.make_program(factories.make_connector(developer, "Canteen"), group_admin)
    with transaction.atomic():
        factories.make_program(connector, group_admin)
        assert len(facts(hook)) == 1
        transaction.set_rollback(True)
    assert not WebhookEvent.objects.exists()


def test_paused_it_is_kept_and_resumed_it_is_sent(
    hook: Webhook, connector: Connector, receiver: Receiver, developer: User, group_admin: User
) -> None:
    management.pause(webhook=hook, by=developer)
    factories.make_program(connector, group_admin)
    delivery.deliver_due()
    assert (states(hook), receiver.bodies()) == (["held"], [])
    management.resume(webhook=hook, by=developer)
    delivery.deliver_due()
    assert states(hook) == ["delivered"]


def test_while_the_connector_is_suspended_nothing_goes(
    hook: Webhook, told: Program, receiver: Receiver, developer: User, group_admin: User
) -> None:
    connectors.suspend(connector=told.connector, by=developer)
    grants.revoke(grant=told.grant, by=group_admin)
    delivery.deliver_due()
    assert receiver.bodies() == []
    connectors.resume(connector=told.connector, by=developer)
    time_passes()
    delivery.deliver_due()
    assert [body["eventType"] for body in receiver.bodies()] == ["HandoffWaiting"]


def test_it_lasts_as_long_as_its_connector(
    hook: Webhook, told: Program, receiver: Receiver, developer: User, travel: Callable[..., object]
) -> None:
    travel(days=3000)
    management.expire_due()
    hook.refresh_from_db()
    assert hook.is_active
    connectors.delete(connector=told.connector, by=developer)
    delivery.deliver_due()
    management.expire_due()
    hook.refresh_from_db()
    assert receiver.bodies() == []
    assert hook.deleted_at is not None
    assert hook.sealed_secret is None
    assert set(states(hook)) <= {"dropped"}


def test_an_address_that_does_not_answer_and_one_of_somebody_else_are_not_kept(
    connector: Connector, developer: User, group_admin: User, receiver: Receiver
) -> None:
    with pytest.raises(NotFound):
        register(connector, receiver.url(), group_admin)
    assert receiver.asked == []
    receiver.echo = "no"
    for url in (receiver.url(), receiver.url("/500"), "http://hooks.example.com/", "https://10.0.0.1/", "nonsense"):
        with pytest.raises(RuleBroken):
            register(connector, url, developer)
    assert not Webhook.objects.exists()


def test_a_connector_has_one_address(hook: Webhook, connector: Connector, developer: User, receiver: Receiver) -> None:
    assert register(connector, receiver.url(), developer) == hook
    with pytest.raises(Conflict):
        register(connector, receiver.url("/other"), developer)
    assert AuditEvent.objects.filter(tag="connector:webhook:created").count() == 1
    management.delete(webhook=hook, by=developer)
    assert register(connector, receiver.url("/other"), developer) != hook


def test_no_token_of_the_connector_sees_changes_or_removes_it(hook: Webhook, told: Program) -> None:
    assert subscriptions.list_webhooks(grant=told.grant, object_type=None, object_id=None) == []
    for act in (subscriptions.find, partial(subscriptions.remove, by=SYSTEM), partial(subscriptions.change, by=SYSTEM)):
        with pytest.raises(NotFound):
            act(webhook_id=str(hook.pk), grant=told.grant)
    hook.refresh_from_db()
    assert hook.is_active


@pytest.mark.parametrize("columns", [("Connector", False), ("Group", False), ("Connector", True)])
def test_under_no_grant_there_is_one_of_these(hook: Webhook, told: Program, columns: tuple[str, bool]) -> None:
    object_type, under_grant = columns
    with pytest.raises(IntegrityError), transaction.atomic():
        Webhook.objects.create(
            connector=told.connector,
            grant=told.grant if under_grant else None,
            object_type=object_type,
            object_id="x",
            expires_at=subscriptions.NO_END,
        )


def test_an_owner_registers_it_on_the_webhooks_tab(
    connector: Connector, developer: User, receiver: Receiver, browser_of: Callable[..., Client]
) -> None:
    browser = browser_of(developer)
    tab, form = (reverse(f"connectors:{name}", args=[connector.pk]) for name in ("webhooks", "webhook_handoffs"))
    assert form in browser.get(tab).content.decode()
    receiver.echo = "no"
    refused = browser.post(form, {"address": receiver.url()})
    assert refused.status_code == 400
    assert "could not be validated" in refused.content.decode()
    receiver.echo = "{token}"
    answer = browser.post(form, {"address": receiver.url()})
    made = Webhook.objects.get()
    settings_page = reverse("connectors:webhook_settings", args=[connector.pk, made.pk])
    assert answer["Location"] == browser.get(form)["Location"] == settings_page
    said = browser.get(settings_page).content.decode()
    assert "Show signing secret" in said
    assert "PUT /v1/webhook" not in said
    assert reverse("connectors:webhook", args=[connector.pk, made.pk]) in browser.get(tab).content.decode()
