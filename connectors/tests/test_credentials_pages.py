"""The secrets of a connector: a second one beside the first, and the end of one."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors import token_format
from connectors.models import Connector, ConnectorSecret
from connectors.tests import factories
from connectors.tests.html_forms import Page, form_to, forms_of, text_of
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db

SECRET = re.compile(r"kzcs_[0-9A-Za-z]{65}")
Browser = Callable[..., Client]


def tab(connector: Connector) -> str:
    return f"/console/connectors/{connector.pk}/credentials/"


def add(client: Client, connector: Connector) -> Page:
    return form_to(client.get(tab(connector)), f"{tab(connector)}add/").send(client)


def secret_on(page: Page) -> str:
    return str(SECRET.findall(page.content.decode())[0])


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


@pytest.fixture
def connector(developer: User) -> Connector:
    connector = factories.make_connector(developer, "Shift Planner")
    factories.make_secret(connector)
    return connector


def test_a_second_secret_is_shown_once_beside_the_first(client: Client, connector: Connector) -> None:
    page = add(client, connector)
    parsed = token_format.parse(token_format.CredentialKind.SECRET, secret_on(page))
    stored = connector.secrets.get(slot=2)
    assert parsed is not None
    assert parsed.matches(stored.pepper_id, stored.digest)
    assert "no-store" in page["Cache-Control"]
    assert ConnectorSecret.objects.live(clock.now()).count() == 2


def test_a_double_click_adds_one_and_shows_the_same(client: Client, connector: Connector) -> None:
    form = form_to(client.get(tab(connector)), f"{tab(connector)}add/")
    assert secret_on(form.send(client)) == secret_on(form.send(client))
    assert connector.secrets.count() == 2


def test_with_two_live_secrets_a_third_is_neither_offered_nor_made(client: Client, connector: Connector) -> None:
    old_page = form_to(client.get(tab(connector)), f"{tab(connector)}add/")
    add(client, connector)
    page = client.get(tab(connector))
    assert not [form for form in forms_of(page) if form.action.endswith("/add/")]
    assert "Two secrets are live" in text_of(page)
    answer = old_page.send(client, {"idempotency_key": "n" * 32})
    assert answer["Location"] == tab(connector)
    assert "This connector already has two secrets. Revoke one first." in text_of(client.get(tab(connector)))
    assert connector.secrets.count() == 2


def test_adding_asks_for_a_fresh_confirmation_and_returns_to_the_tab(
    connector: Connector, developer: User, browser_of: Browser
) -> None:
    client = browser_of(developer, confirmed=False)
    answer = add(client, connector)
    assert answer["Location"].startswith(reverse("accounts:confirm"))
    assert tab(connector) in answer["Location"].replace("%2F", "/")
    assert connector.secrets.count() == 1


def test_a_get_adds_nothing(client: Client, connector: Connector) -> None:
    assert client.get(f"{tab(connector)}add/").status_code == 405


def test_the_tab_tells_of_each_secret_without_showing_it(client: Client, connector: Connector) -> None:
    secret = connector.secrets.get()
    ConnectorSecret.objects.update(last_used_at=clock.now(), last_used_from="203.0.113.9")
    text = text_of(client.get(tab(connector)))
    for told in ("Secret 1", f"kzcs_{secret.public_part}", "Live", "by Devika Rao", "203.0.113.9"):
        assert told in text


def test_a_look_at_revoking_changes_nothing_and_warns_about_the_last(client: Client, connector: Connector) -> None:
    secret = connector.secrets.get()
    url = f"{tab(connector)}{secret.pk}/revoke/"
    assert "This is the only live secret." in text_of(client.get(url))
    add(client, connector)
    assert "This is the only live secret." not in text_of(client.get(url))
    secret.refresh_from_db()
    assert secret.revoked_at is None


def test_revoking_twice_is_once(client: Client, connector: Connector) -> None:
    secret = connector.secrets.get()
    url = f"{tab(connector)}{secret.pk}/revoke/"
    form = form_to(client.get(url), url)
    assert form.send(client, {"typed": "shift planner"})["Location"] == tab(connector)
    secret.refresh_from_db()
    at = secret.revoked_at
    assert at is not None
    assert form.send(client, {"typed": "shift planner"})["Location"] == tab(connector)
    secret.refresh_from_db()
    assert secret.revoked_at == at
    assert client.get(url)["Location"] == tab(connector)
    page = client.get(tab(connector))
    assert "Revoked" in text_of(page)
    assert "This secret is already revoked." in text_of(page)


@pytest.mark.parametrize("typed", ["", "Shift", "yes"])
@pytest.mark.parametrize("is_last", [True, False])
def test_another_name_revokes_nothing(client: Client, connector: Connector, typed: str, is_last: bool) -> None:
    secret = connector.secrets.get()
    if not is_last:
        add(client, connector)
    page = client.post(f"{tab(connector)}{secret.pk}/revoke/", {"typed": typed})
    assert page.status_code == 400
    assert "Type the name exactly: “Shift Planner”." in text_of(page)
    assert ("This is the only live secret." in text_of(page)) is is_last
    secret.refresh_from_db()
    assert secret.revoked_at is None


def test_a_secret_revoked_while_it_is_on_the_screen_is_shown_no_more(client: Client, connector: Connector) -> None:
    form = form_to(client.get(tab(connector)), f"{tab(connector)}add/")
    shown = secret_on(form.send(client))
    second = connector.secrets.get(slot=2)
    client.post(f"{tab(connector)}{second.pk}/revoke/", {"typed": "Shift Planner", "why": "leaked"})
    page = form.send(client)
    assert shown not in page.content.decode()


@pytest.mark.parametrize(
    ("old", "new", "safe"),
    [
        (20, 0, True),
        (20, 6, True),
        (20, 15, False),  # neither is in use: a job of once a month may hold the old one
        (20, 30, False),  # the new one was tried once, and the program went back to the old one
        (7, 30, False),
        (6, 0, False),
    ],
)
def test_only_a_program_that_has_moved_on_needs_the_old_one_no_more(
    client: Client, connector: Connector, old: int, new: int, safe: bool
) -> None:
    add(client, connector)
    made = clock.now() - dt.timedelta(days=60)
    for slot, days in ((1, old), (2, new)):
        used = clock.now() - dt.timedelta(days=days)
        connector.secrets.filter(slot=slot).update(last_used_at=used, created_at=made + dt.timedelta(days=slot))
    text = text_of(client.get(tab(connector)))
    assert (f"Secret 1 was not used for {old} days" in text) is safe


def test_an_expired_secret_is_ended_and_leaves_room(client: Client, connector: Connector) -> None:
    ConnectorSecret.objects.update(
        created_at=clock.now() - dt.timedelta(days=9), expires_at=clock.now() - dt.timedelta(days=1)
    )
    assert "Ended" in text_of(client.get(tab(connector)))
    assert secret_on(add(client, connector))


def test_an_end_date_may_be_chosen_and_is_shown(client: Client, connector: Connector) -> None:
    chosen = (clock.now() + dt.timedelta(days=20)).date()
    form = form_to(client.get(tab(connector)), f"{tab(connector)}add/")
    assert secret_on(form.send(client, {"end_date": chosen.isoformat()}))
    secret = connector.secrets.get(slot=2)
    assert secret.expires_at == dt.datetime.combine(chosen + dt.timedelta(days=1), dt.time.min, dt.UTC)
    text = text_of(client.get(tab(connector)))
    assert "no end date" in text
    assert "Ends in 2" in text


@pytest.mark.parametrize("chosen", ["2020-01-01", "tomorrow", "9999-12-31", "2030-13-01\0"])
def test_an_end_date_that_cannot_be_is_refused_beside_its_field(
    client: Client, connector: Connector, chosen: str
) -> None:
    form = form_to(client.get(tab(connector)), f"{tab(connector)}add/")
    page = form.send(client, {"end_date": chosen})
    assert page.status_code == 400
    assert b"id_end_date_error" in page.content
    assert connector.secrets.count() == 1


def test_more_secrets_cost_no_more_queries(
    client: Client, connector: Connector, django_assert_max_num_queries: Any
) -> None:
    def cost() -> int:
        with django_assert_max_num_queries(40) as seen:
            client.get(tab(connector))
        return len(seen.captured_queries)

    few = cost()
    for _ in range(5):
        connector.secrets.filter(revoked_at=None).update(revoked_at=clock.now())
        factories.make_secret(connector)
    assert cost() == few


@pytest.mark.parametrize(("old_days", "new_days", "safe"), [(20, 0, True), (3, 0, False), (20, None, False)])
def test_an_old_secret_that_fell_silent_is_said_to_be_safe_to_remove(
    client: Client, connector: Connector, old_days: int, new_days: int | None, safe: bool
) -> None:
    now = clock.now()
    ConnectorSecret.objects.update(
        created_at=now - dt.timedelta(days=90), last_used_at=now - dt.timedelta(days=old_days)
    )
    second, _text = factories.make_secret(connector, slot=2)
    if new_days is not None:
        ConnectorSecret.objects.filter(pk=second.pk).update(last_used_at=now)
    text = text_of(client.get(tab(connector)))
    assert ("Secret 1 was not used for 20 days" in text) is safe
