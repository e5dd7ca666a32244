"""The operators' lists and rows of connectors, in the world of every page: all open, nothing secret is shown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse
from django_otp import DEVICE_ID_SESSION_KEY

from accounts.models import AuthenticatorApp
from connectors.models import (
    AuthorizationCode,
    ConnectorSecret,
    Handoff,
    OneTimeSecret,
    Orphan,
    RefreshToken,
    Webhook,
    WebhookEvent,
)
from connectors.tests.webhook_cast import CALLBACK_TOKEN
from kaizala_console.lib import clock
from kaizala_console.tests.at_each import at_each
from kaizala_console.tests.whole_world import World

pytestmark = pytest.mark.django_db
MODELS: dict[str, Any] = {
    str(model._meta.model_name): model for model in apps.get_app_config("connectors").get_models()
}


@pytest.fixture
def world(whole_world: World) -> World:
    """With a row in every table of connectors."""
    handoff = Handoff.objects.get(pk=whole_world.facts["handoff_id"])
    Orphan.objects.create(kind=Orphan.Kind.CONNECTOR, subject_id=str(handoff.connector_id), name="Shift Planner")
    AuthorizationCode.objects.create(
        connector=handoff.connector,
        person=handoff.grant.person,
        user=whole_world.developer,
        digest="a-digest-of-a-code",
        scope="textmessage.write",
        redirect_url="https://x.example",
        expires_at=clock.now() + dt.timedelta(minutes=1),
    )
    Webhook.objects.update(callback_url="https://hooks.example.org/?key=a-key-in-an-address")
    WebhookEvent.objects.update(data={"text": "a-text-of-a-message"})
    return whole_world


def test_every_list_and_row_opens_shows_no_secret_and_is_changed_by_nobody(
    world: World, browser_of: Callable[..., Client]
) -> None:
    desk = browser_of(world.operator)
    session = desk.session
    session[DEVICE_ID_SESSION_KEY] = AuthenticatorApp.objects.get(user=world.operator).persistent_id
    session.save()
    hidden = [world.facts["secret"][5:], world.facts["refresh_token"][5:], CALLBACK_TOKEN]
    hidden += [row.digest for table in (ConnectorSecret, RefreshToken) for row in table.objects.all()]
    hidden += [bytes(handoff.sealed).decode() for handoff in Handoff.objects.all() if handoff.sealed]
    hidden += [text for one in OneTimeSecret.objects.all() for text in (one.form_tag, bytes(one.sealed).decode())]
    hidden += ["a-key-in-an-address", "a-text-of-a-message"]
    hidden += ["a-digest-of-a-code"]

    def at(name: str) -> None:
        row = MODELS[name].objects.first()
        pages = {kind: reverse(f"operators:connectors_{name}_{kind}", args=[row.pk]) for kind in ("change", "delete")}
        pages |= {kind: reverse(f"operators:connectors_{name}_{kind}") for kind in ("changelist", "add")}
        looks = [desk.get(pages["changelist"], {"q": words}) for words in ("", "Shift Planner", str(row.pk))]
        for page in [*looks, desk.get(pages["change"])]:
            assert page.status_code == 200
            assert not [secret for secret in hidden if secret in page.content.decode()]
        assert desk.get(pages["add"]).status_code == 403
        for kind in ("change", "delete"):
            assert desk.post(pages[kind], {"post": "yes"}).status_code == 403
        assert MODELS[name].objects.filter(pk=row.pk).exists()

    at_each(MODELS, at)
