"""The switch that requires PKCE: who confirms first is back at it as they set it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors.models import Connector

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


@pytest.mark.parametrize("required", [True, False])
def test_pressed_once_more_it_saves_what_was_chosen_and_not_the_opposite(
    connector: Connector, developer: User, browser_of: Browser, required: bool
) -> None:
    Connector.objects.filter(pk=connector.pk).update(pkce_required=not required)
    address = reverse("connectors:sign_in", args=[connector.pk])
    chosen = {"form": "pkce", **({"pkce_required": "on"} if required else {})}
    browser = browser_of(developer, confirmed=False)
    back = parse_qs(urlsplit(browser.post(address, chosen)["Location"]).query)["next"][0]
    page = browser.get(back)
    assert page.context["pkce_required"] is required
    assert (' checked><label class="form-check-label" for="pkce-required"' in page.content.decode()) is required


def test_a_fresh_visit_shows_how_it_is(connector: Connector, developer: User, browser_of: Browser) -> None:
    Connector.objects.filter(pk=connector.pk).update(pkce_required=True)
    page = browser_of(developer).get(reverse("connectors:sign_in", args=[connector.pk]))
    assert page.context["pkce_required"] is True
