"""A secret that leaked takes the access tokens with it that were made until then, at the next request."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from connectors import authentication
from connectors.models import CachedToken, LeakReport
from connectors.services import bots, leak_reports, secrets, token_cache
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.test_leaks import report
from connectors.tests.test_tokens import exchange
from kaizala_console.api.errors import TokenInvalid

BrowserOf = Callable[..., Client]


def is_accepted(token: str) -> bool:
    try:
        authentication.get_access_context(token)
    except TokenInvalid:
        return False
    return True


def test_access_tokens_end_with_a_secret_and_the_other_secret_gives_new_ones(program: Program, developer: User) -> None:
    token = exchange(program).access_token
    caller = authentication.get_access_context(token)
    bot = bots.create(connector=program.connector, name="Helper", picture_url="", by=caller)
    bot_token = bots.access_token(bot_id=str(bot.pk), by=caller).access_token
    _other, text = factories.make_secret(program.connector, slot=2)
    secrets.revoke(secret=program.connector.secrets.get(slot=1), by=developer, end_access_tokens=True)
    assert not is_accepted(token)
    assert not is_accepted(bot_token)
    assert is_accepted(exchange(program, applicationSecret=text).access_token)
    assert AuditEvent.objects.get(tag="connector:secret:revoked").after["leaked"] is True


def test_a_token_that_an_exchange_makes_while_the_secret_is_revoked_ends_too(
    program: Program, developer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def revoked_in_between(*args: object, **kwargs: object) -> None:
        secrets.revoke(secret=program.connector.secrets.get(), by=developer, end_access_tokens=True)

    monkeypatch.setattr("connectors.services.token_exchange.usage.check_exchange_rate_limit", revoked_in_between)
    assert not is_accepted(exchange(program).access_token)


def test_the_token_cache_lets_go_of_a_token_that_ended(program: Program, developer: User) -> None:
    _other, text = factories.make_secret(program.connector, slot=2)
    cached = token_cache.enable(grant=program.grant, by=developer, secret=text, refresh_token=program.refresh_token)
    CachedToken.objects.update(sealed_access_token=b"sealed", next_attempt_at=None)
    secrets.revoke(secret=program.connector.secrets.get(slot=1), by=developer, end_access_tokens=True)
    cached.refresh_from_db()
    assert cached.sealed_access_token is None
    assert cached.next_attempt_at is not None


@pytest.mark.parametrize(("why", "goes_on"), [("leaked", False), ("unused", True)])
def test_the_owner_is_asked_whether_access_tokens_end(
    program: Program, developer: User, browser_of: BrowserOf, why: str, goes_on: bool
) -> None:
    token, secret = exchange(program).access_token, program.connector.secrets.get()
    url = reverse("connectors:secret_revoke", args=[program.connector.pk, secret.pk])
    browser = browser_of(developer)
    assert browser.post(url, {"typed": program.connector.name}).status_code == 400
    browser.post(url, {"typed": program.connector.name, "why": why})
    secret.refresh_from_db()
    assert secret.revoked_at is not None
    assert is_accepted(token) is goes_on


@pytest.mark.parametrize(("answer", "goes_on"), [({"end_access_tokens": "on"}, False), ({}, True)])
def test_the_answer_to_a_leak_report_ends_access_tokens_unless_the_owner_unticks_it(
    program: Program, developer: User, browser_of: BrowserOf, answer: dict[str, str], goes_on: bool
) -> None:
    token = exchange(program).access_token
    report(program.secret)
    found, browser = LeakReport.objects.get(), browser_of(developer)
    page = browser.get(reverse("connectors:leak", args=[program.connector.pk, found.pk]))
    assert page.context["revoke_form"]["end_access_tokens"].value() is True
    browser.post(reverse("connectors:leak_revoke", args=[program.connector.pk, found.pk]), answer)
    assert is_accepted(token) is goes_on


def test_a_leak_that_a_service_confirms_ends_access_tokens(program: Program, developer: User) -> None:
    token = exchange(program).access_token
    report(program.secret)
    leak_reports.revoke(report=LeakReport.objects.get(), by=developer)
    assert not is_accepted(token)
