"""Keeping an access token ready, in a real browser: with and without scripts, wide and narrow, light and dark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.models import User
from connectors.models import CachedToken
from connectors.services import token_cache
from connectors.tests.factories import Program

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]
OpenPage = Callable[..., Page]


@pytest.fixture(autouse=True)
def _address(settings: Any, live_server: Any) -> None:
    settings.CONSOLE_BASE_URL = settings.TOKEN_SERVICE_URL = live_server.url


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
@pytest.mark.capability
def test_entrust_see_and_stop(open_page: OpenPage, developer: User, program: Program, scripts: bool) -> None:
    page = open_page(user=developer, scripts=scripts)
    page.goto(reverse("connectors:groups", args=[program.connector.pk]))
    page.get_by_role("link", name="Access token for Night shift").click()
    page.get_by_label("Connector secret").fill(program.secret)
    page.get_by_label("Refresh token").fill(program.refresh_token)
    page.get_by_role("button", name="Keep it ready").click()
    expect(page.get_by_text("The console now keeps an access token ready.")).to_be_visible()
    token_cache.fetch(cached_token_id=CachedToken.objects.get().pk)
    page.reload()
    expect(page.get_by_text("fetched", exact=False)).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped. The stored credentials and tokens are deleted.")).to_be_visible()
