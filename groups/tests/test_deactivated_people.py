"""What acts as a person stops with the next request after the person is deactivated; what a group was given goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.audit.record import SYSTEM
from accounts.models import User
from accounts.services import users
from connectors import authentication
from connectors.models import CachedToken, Connector, Grant
from connectors.services import bots, token_cache
from connectors.tests import oauth_app
from connectors.tests.oauth_app import App
from connectors.tests.pin_program import PinProgram, number_of
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program
from kaizala_console.api.errors import TokenInvalid
from kaizala_console.lib.errors import NotFound

BrowserOf = Callable[..., Client]


@pytest.fixture
def pin_program(connector: Connector, phones: Any) -> PinProgram:
    return PinProgram(connector, phones)


def test_user_tokens_and_bots_of_a_deactivated_person_are_refused_until_they_are_back(
    wire: Wire, pin_program: PinProgram, member: User
) -> None:
    refresh_token = pin_program.token(number_of(member))
    access_token = pin_program.exchange(refresh_token).json()["accessToken"]
    caller = authentication.get_access_context(access_token)
    bot = bots.create(connector=pin_program.connector, name="Helper", picture_url="", by=caller)
    bot_token = bots.access_token(bot_id=str(bot.pk), by=caller).access_token
    users.deactivate(user=member, by=SYSTEM)
    assert "deactivated" in refused(pin_program.exchange(refresh_token), 401, "InvalidToken")
    for token in (access_token, bot_token):
        refused(wire.get("/v1/groups", token), 401, "InvalidToken")
    pin_program.ask(number_of(member))
    refused(pin_program.login(number_of(member)), 403, "Unauthorized")
    users.activate(user=member, by=SYSTEM)
    assert pin_program.exchange(refresh_token).status_code == 200
    assert wire.get("/v1/groups", access_token).status_code == 200


def test_a_sign_in_code_of_a_deactivated_person_gives_nothing(
    connector: Connector, member: User, browser_of: BrowserOf, pin_program: PinProgram
) -> None:
    Connector.objects.update(redirect_urls=[oauth_app.BACK])
    connector.refresh_from_db()
    app = App(connector, pin_program.secret, browser_of(member))
    code = app.code(member)
    users.deactivate(user=member, by=SYSTEM)
    oauth_app.refused(app.redeem(code), 400, "invalid_grant")
    assert not Grant.objects.exists()


def test_the_token_cache_gives_nothing_for_a_deactivated_person_and_forgets_nothing(
    pin_program: PinProgram, member: User, developer: User
) -> None:
    refresh_token = pin_program.token(number_of(member))
    cached = token_cache.enable(
        grant=Grant.objects.get(), by=developer, secret=pin_program.secret, refresh_token=refresh_token
    )
    users.deactivate(user=member, by=SYSTEM)
    with pytest.raises(NotFound, match="No access token is kept"):
        token_cache.get_token(connector_id=str(pin_program.connector.pk), secret=pin_program.secret, grant_id="")
    assert token_cache.fetch(cached_token_id=cached.pk) is False
    assert CachedToken.objects.get().refused_at is None


def test_what_a_deactivated_admin_gave_for_a_group_stays_the_groups(
    wire: Wire, program: Program, group_admin: User
) -> None:
    users.deactivate(user=group_admin, by=SYSTEM)
    assert wire.get("/v1/groups", program).status_code == 200


def test_sessions_from_before_stay_closed_after_the_person_is_back(member: User, browser_of: BrowserOf) -> None:
    browser = browser_of(member)
    users.deactivate(user=member, by=SYSTEM)
    assert browser.get("/console/").status_code == 302
    users.activate(user=member, by=SYSTEM)
    assert browser.get("/console/").status_code == 302


def test_deciding_about_an_access_token_of_a_person_is_one_select(
    pin_program: PinProgram, member: User, django_assert_num_queries: Any
) -> None:
    token = pin_program.exchange(pin_program.token(number_of(member))).json()["accessToken"]
    with django_assert_num_queries(1):
        authentication.get_access_context(token)
    users.deactivate(user=member, by=SYSTEM)
    with django_assert_num_queries(1), pytest.raises(TokenInvalid):
        authentication.get_access_context(token)
