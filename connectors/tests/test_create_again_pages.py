"""Adding a connector when something comes between: a second click, a lost session, an old confirmation."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from accounts.services import reauthentication
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
from connectors.tests.html_forms import form_to, text_of

pytestmark = pytest.mark.django_db

Browser = Callable[..., Client]


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


# Twice ---------------------------------------------------------------------------------------------------------------


def test_a_double_click_on_continue_shows_the_same_screen(client: Client) -> None:
    first = form_to(client.get(FIRST), FIRST)
    pages = [form_to(first.send(client, DETAILS), SECOND) for _ in range(2)]
    assert pages[0].fields["idempotency_key"] == pages[1].fields["idempotency_key"] == first.fields["idempotency_key"]


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
    assert "You already have a connector named" in text_of(page)


def test_somebody_elses_form_key_shows_nothing_of_theirs(client: Client, stranger: User, browser_of: Browser) -> None:
    second = form_to(second_screen(client), SECOND)
    shown = secret_on(second.send(client, {"permissions": PERMITTED}))
    page = second.send(browser_of(stranger), {"permissions": PERMITTED})
    assert secret_on(page) != shown


# A lost session, a missing phone, an old confirmation -----------------------------------------------------------------


def test_creating_asks_for_a_fresh_confirmation_and_is_then_done_by_itself(
    developer: User, browser_of: Browser
) -> None:
    client = browser_of(developer, confirmed=False)
    second = form_to(second_screen(client), SECOND)
    confirm = second.send(client, {"permissions": PERMITTED})["Location"]
    assert confirm.startswith(reverse("accounts:confirm"))
    assert not Connector.objects.exists()
    assert second.fields["idempotency_key"][0] not in json.dumps(dict(client.session))
    form = {"pending_form": client.get(confirm).context["pending"].id}
    session = client.session
    reauthentication.remember_confirmation(session, developer)
    session.save()
    shown = secret_on(client.post(confirm, form, follow=True))
    assert secret_on(client.post(SECOND, form)) == shown, "the answer may have been lost"
    assert Connector.objects.count() == 1


def test_bad_input_is_told_before_a_pin_is_asked_for(developer: User, browser_of: Browser) -> None:
    client = browser_of(developer, confirmed=False)
    page = form_to(second_screen(client), SECOND).send(client, {"permissions": []})
    assert "Choose at least one permission" in text_of(page)


def test_without_a_verified_phone_one_adds_it_first(developer: User, browser_of: Browser) -> None:
    newcomer = accounts_factories.make_user("Nadia Haddad", developer.organisation, number=None)
    client = browser_of(newcomer, confirmed=False)
    assert client.get(FIRST)["Location"].startswith(reverse("home"))
    assert client.post(SECOND, DETAILS)["Location"].startswith(reverse("home"))


def test_a_form_from_elsewhere_creates_nothing(developer: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(developer)
    assert client.post(SECOND, {**DETAILS, "permissions": PERMITTED}).status_code == 403
    assert not Connector.objects.exists()
