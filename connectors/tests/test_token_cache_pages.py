"""The page on which a developer has an access token kept ready, sees how it goes, and stops it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django import Settings

from accounts.models import User
from accounts.tests.pages import url_with, words
from connectors.models import CachedToken, Grant
from connectors.services import grants, token_cache
from connectors.tests.factories import Program
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db
Browsers = Callable[..., Client]
OpenPage = Callable[..., Page]


@pytest.fixture(autouse=True)
def _the_token_service(live_server: Any, settings: Settings) -> None:
    settings.CONSOLE_BASE_URL = settings.TOKEN_SERVICE_URL = live_server.url


def page_of(grant: Grant, name: str = "cached_token") -> str:
    return reverse(f"connectors:{name}", args=[grant.connector_id, grant.pk])


def entrusted(program: Program, **other: str) -> dict[str, str]:
    return {"secret": program.secret, "refresh_token": program.refresh_token, **other}


def test_entrusted_it_says_how_it_stands_and_shows_no_credential(program: Program, owner: Client) -> None:
    assert "Keep it ready" in words(owner.get(page_of(program.grant)))
    answer = owner.post(page_of(program.grant), entrusted(program), follow=True)
    assert "The console now keeps an access token ready." in words(answer)
    page = owner.get(page_of(program.grant))
    assert "GET /v1/accessToken/warm" in words(page)
    assert str(program.grant.pk) in words(page)
    for secret in (program.secret, program.refresh_token):
        assert secret[5:] not in answer.text + page.text


def test_what_is_wrong_is_refused_and_nothing_typed_comes_back(program: Program, owner: Client) -> None:
    for data in ({}, entrusted(program, secret="kzcs_wrong"), entrusted(program, refresh_token=program.secret)):
        answer = owner.post(page_of(program.grant), data)
        assert answer.status_code == 400
        assert program.refresh_token[5:] not in answer.text
    assert not CachedToken.objects.exists()


def test_troubles_and_refusals_are_seen(program: Program, owner: Client) -> None:
    owner.post(page_of(program.grant), entrusted(program))
    CachedToken.objects.update(failures=3, last_error="The Token Service answered with status 502.")
    assert "status 502" in words(owner.get(page_of(program.grant)))
    CachedToken.objects.update(
        refused_at=clock.now(),
        next_attempt_at=None,
        sealed_secret=None,
        sealed_refresh_token=None,
        sealed_access_token=None,
        last_error="Refresh token superseded.",
    )
    page = words(owner.get(page_of(program.grant)))
    assert "Refresh token superseded." in page
    assert "Keep it ready" in page


def test_stop_wipes_it_and_a_second_click_does_nothing(program: Program, owner: Client) -> None:
    owner.post(page_of(program.grant), entrusted(program))
    for said in ("Stopped.", "No access token is kept ready."):
        assert said in words(owner.post(page_of(program.grant, "cached_token_stop"), follow=True))
        assert not CachedToken.objects.exists()
    assert owner.get(page_of(program.grant, "cached_token_stop")).status_code == 405


@pytest.mark.parametrize("name", ["cached_token", "cached_token_stop"])
def test_a_stranger_gets_the_same_answer_for_not_yours_and_not_there(
    program: Program,
    stranger: User,
    group_admin: User,
    browser_of: Browsers,
    everything: Callable[[], Any],
    name: str,
) -> None:
    before = everything()
    for user in (stranger, group_admin):
        browser = browser_of(user)
        there = browser.post(page_of(program.grant, name), entrusted(program))
        nowhere = browser.post(
            reverse(f"connectors:{name}", args=[program.connector.pk, program.connector.pk]), entrusted(program)
        )
        assert (there.status_code, nowhere.status_code) == (404, 404)
        assert url_with(there, nowhere)
    assert everything() == before


@pytest.mark.parametrize("name", ["cached_token", "cached_token_stop"])
def test_it_asks_for_a_fresh_confirmation_and_keeps_no_credential_meanwhile(
    program: Program, developer: User, browser_of: Browsers, client: Client, name: str
) -> None:
    browser = browser_of(developer, confirmed=False)
    answer = browser.post(page_of(program.grant, name), entrusted(program))
    assert answer.status_code == 302
    assert reverse("accounts:confirm") in answer["Location"]
    kept = str(dict(browser.session))
    assert program.secret[5:] not in kept
    assert program.refresh_token[5:] not in kept
    signed_out = client.post(page_of(program.grant, name), entrusted(program))
    assert reverse("account_login") in signed_out["Location"]
    assert not CachedToken.objects.exists()


def test_a_removed_access_has_no_page(program: Program, group_admin: User, owner: Client) -> None:
    grants.revoke(grant=program.grant, by=group_admin)
    assert owner.get(page_of(program.grant)).status_code == 404


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
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
