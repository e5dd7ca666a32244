"""Adding a connector when something comes between: a second click, a lost session, an old confirmation."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from accounts.pages import kept_forms
from accounts.services import confirmations
from accounts.tests import factories as accounts_factories
from connectors.models import Connector
from connectors.tests.add_connector import (
    DETAILS,
    FIRST,
    PERMITTED,
    SECOND,
    SECRET,
    second_screen,
    secret_on,
)
from connectors.tests.html_forms import Page, form_to, text_of

pytestmark = pytest.mark.django_db

Browser = Callable[..., Client]


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


# Twice ---------------------------------------------------------------------------------------------------------------


def test_a_double_click_on_continue_shows_the_same_screen(client: Client) -> None:
    first = form_to(client.get(FIRST), FIRST)
    pages = [form_to(first.send(client, DETAILS), SECOND) for _ in range(2)]
    assert pages[0].fields["form_key"] == pages[1].fields["form_key"] == first.fields["form_key"]


def test_a_double_click_on_create_makes_one_connector_and_shows_the_same_secret(client: Client) -> None:
    second = form_to(second_screen(client), SECOND)
    pages = [second.send(client, {"permissions": PERMITTED}) for _ in range(2)]
    assert secret_on(pages[0]) == secret_on(pages[1])
    assert Connector.objects.count() == 1
    assert AuditEvent.objects.filter(tag="connector:account:created").count() == 1


def test_a_reload_shows_the_secret_again_even_when_the_confirmation_has_aged(
    client: Client, travel: Callable[..., Any], settings: Any
) -> None:
    settings.SHOWN_SECRET_SECONDS = settings.STEP_UP_SECONDS + 120
    second = form_to(second_screen(client), SECOND)
    shown = secret_on(second.send(client, {"permissions": PERMITTED}))
    travel(seconds=settings.STEP_UP_SECONDS + 60)
    assert secret_on(second.send(client, {"permissions": PERMITTED})) == shown


def test_the_same_form_later_than_ten_minutes_shows_no_secret(
    client: Client, travel: Callable[..., Any], settings: Any
) -> None:
    second = form_to(second_screen(client), SECOND)
    second.send(client, {"permissions": PERMITTED})
    travel(seconds=settings.SHOWN_SECRET_SECONDS + 1)
    page = second.send(client, {"permissions": PERMITTED})
    assert not SECRET.search(page.content.decode())
    assert "You have a connector named" in text_of(page)


def test_somebody_elses_form_key_shows_nothing_of_theirs(client: Client, stranger: User, browser_of: Browser) -> None:
    second = form_to(second_screen(client), SECOND)
    shown = secret_on(second.send(client, {"permissions": PERMITTED}))
    page = second.send(browser_of(stranger), {"permissions": PERMITTED})
    assert secret_on(page) != shown


# A lost session, a missing phone, an old confirmation -----------------------------------------------------------------


def follow_back(client: Client, user: User, response: Page) -> Page:
    """Signs in and goes on to where the sign-in leads."""
    assert response.status_code == 302
    back = re.search(r"next=([^&]+)", response["Location"])
    assert back is not None
    client.force_login(user)
    session = client.session
    confirmations.remember(session, user)
    session.save()
    return client.get(unquote(back.group(1)))


def test_a_session_lost_on_the_first_screen_loses_nothing_that_was_typed(client: Client, developer: User) -> None:
    first = form_to(client.get(FIRST), FIRST)
    client.cookies.clear()
    page = follow_back(client, developer, first.send(client, DETAILS))
    form = form_to(page, FIRST)
    assert {name: form.fields[name][0] for name in DETAILS} == DETAILS
    assert "Nothing was lost" in text_of(page)
    assert "Continue" in text_of(page)


def test_a_session_lost_on_the_second_screen_loses_neither_screen(client: Client, developer: User) -> None:
    second = form_to(second_screen(client), SECOND)
    client.cookies.clear()
    page = follow_back(client, developer, second.send(client, {"permissions": PERMITTED}))
    form = form_to(page, SECOND)
    assert {name: form.fields[name][0] for name in DETAILS} == DETAILS
    assert form.fields["permissions"] == PERMITTED
    assert not Connector.objects.exists()
    assert secret_on(form.send(client))


def test_creating_asks_for_a_fresh_confirmation_and_keeps_the_form_but_not_its_key(
    developer: User, browser_of: Browser
) -> None:
    client = browser_of(developer, confirmed=False)
    second = form_to(second_screen(client), SECOND)
    answer = second.send(client, {"permissions": PERMITTED})
    assert answer["Location"].startswith(reverse("accounts:confirm"))
    assert not Connector.objects.exists()
    kept = json.dumps(client.session[kept_forms.SESSION_KEY])
    assert "Shift+Planner" in kept
    assert second.fields["form_key"][0] not in kept
    form = form_to(follow_back(client, developer, answer), SECOND)
    assert form.fields["permissions"] == PERMITTED
    assert secret_on(form.send(client))


def test_bad_input_is_told_before_a_pin_is_asked_for(developer: User, browser_of: Browser) -> None:
    client = browser_of(developer, confirmed=False)
    page = form_to(second_screen(client), SECOND).send(client, {"permissions": []})
    assert "Choose at least one permission" in text_of(page)


def test_without_a_verified_phone_one_adds_it_first(developer: User, browser_of: Browser) -> None:
    newcomer = accounts_factories.make_user("Nadia Haddad", developer.organisation, number=None)
    client = browser_of(newcomer, confirmed=False)
    assert client.get(FIRST)["Location"].startswith(reverse("accounts:home"))
    assert client.post(SECOND, DETAILS)["Location"].startswith(reverse("accounts:home"))


def test_a_form_from_elsewhere_creates_nothing(developer: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(developer)
    assert client.post(SECOND, {**DETAILS, "permissions": PERMITTED}).status_code == 403
    assert not Connector.objects.exists()
