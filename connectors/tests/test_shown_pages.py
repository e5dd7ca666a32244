"""The buttons under a credential that is shown once: downloads, and "Done"."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import AuditEvent, User
from connectors.models import Connector, Handoff, OneTimeSecret
from connectors.services import connectors, handoffs, one_time_secrets
from connectors.tests import factories
from connectors.tests.html_forms import Page, text_of
from connectors.views import one_time_secrets as views_one_time_secrets
from kaizala_console.lib import ids

pytestmark = pytest.mark.django_db

KEY = "k" * 32
TOKEN = re.compile(r"kz(?:cs|rt)_[0-9A-Za-z]{65}")

Browser = Callable[..., Client]


class Shown:
    """A credential on somebody's screen, and the addresses of its buttons."""

    def __init__(self, base: str, after: str, token: str) -> None:
        self.base, self.after, self.token = base, after, token

    def download(self, client: Client, kind: str = "env", idempotency_key: str = KEY) -> Page:
        return client.post(f"{self.base}download/", {"idempotency_key": idempotency_key, "kind": kind})

    def done(self, client: Client, **fields: str) -> Page:
        return client.post(f"{self.base}done/", {"idempotency_key": KEY, "stored": "1", **fields})


@pytest.fixture(params=["connector", "secret", "handoff"])
def shown(request: pytest.FixtureRequest, developer: User, group_admin: User) -> Shown:
    """Each of the three kinds of credential that a page shows."""
    if request.param == "connector":
        made, token = connectors.create(
            owner=developer, by=developer, name="Shift Planner", permissions=["textmessage"], idempotency_key=KEY
        )
        return Shown(f"/console/connectors/{made.pk}/secret/", f"/console/connectors/{made.pk}/", token)
    connector = factories.make_connector(developer, "Shift Planner")
    if request.param == "secret":
        secret, token = factories.make_secret(connector)
        one_time_secrets.remember(user=developer, idempotency_key=KEY, subject=secret, token=token)
        base = f"/console/connectors/{connector.pk}/credentials/"
        return Shown(f"{base}{secret.pk}/", base, token)
    handoff = factories.let_in(connector, group_admin, target_name="Pune depot").handoff
    token = handoffs.claim(handoff=handoff, by=developer, idempotency_key=KEY, address=None)
    return Shown(f"/console/handoffs/{handoff.pk}/", f"/console/handoffs/{handoff.pk}/", token)


def test_the_env_file_can_be_read_by_a_shell(shown: Shown, developer: User, browser_of: Browser) -> None:
    answer = shown.download(browser_of(developer))
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="shift-planner(-pune-depot)?\.env"', answer["Content-Disposition"])
    assert "no-store" in answer["Cache-Control"]
    lines = dict(part.split("=", 1) for part in shlex.split(answer.content.decode()))
    assert lines["CONNECTOR_ID"] == str(Connector.objects.get().pk)
    assert lines["CONSOLE_URL"] == settings.CONSOLE_BASE_URL
    assert lines["REFRESH_TOKEN" if shown.token.startswith("kzrt_") else "CONNECTOR_SECRET"] == shown.token


def test_every_further_look_at_a_secret_is_an_event(shown: Shown, developer: User, browser_of: Browser) -> None:
    client = browser_of(developer)
    looks = AuditEvent.objects.filter(tag="connector:secret:viewed", actor_id=str(developer.pk))
    shown.download(client)
    shown.download(client, "json")
    client.post(f"{shown.base}done/", {"idempotency_key": KEY})
    seen = 0 if "/handoffs/" in shown.base else 3  # a claimed token is told by its handoff
    assert looks.count() == seen
    shown.done(client)
    shown.download(client)
    assert looks.count() == seen, "nothing was shown any more"
    for event in looks:
        assert (event.subject_kind, event.after["public_part"]) == ("connectorsecret", shown.token[5:21])
        assert event.after["connector"] == "Shift Planner"
        assert event.connector_id is not None


def test_done_wipes_and_leads_on(shown: Shown, developer: User, browser_of: Browser) -> None:
    client = browser_of(developer)
    answer = shown.done(client)
    assert answer["Location"] == shown.after
    assert not OneTimeSecret.objects.exists()
    page = client.get(shown.after)
    assert "not shown again" in text_of(page) or "Saved? We’ve deleted our copy of the refresh token for" in text_of(
        page
    )
    assert not TOKEN.search(page.content.decode())


def test_done_pressed_twice_leads_to_the_same_page(shown: Shown, developer: User, browser_of: Browser) -> None:
    client = browser_of(developer)
    answers = [shown.done(client) for _ in range(2)]
    assert [answer["Location"] for answer in answers] == [shown.after, shown.after]
    assert client.get(shown.after).content.decode().count('class="message ') == 1


def test_done_without_the_tick_asks_for_it_and_loses_nothing(
    shown: Shown, developer: User, browser_of: Browser
) -> None:
    client = browser_of(developer)
    page = client.post(f"{shown.base}done/", {"idempotency_key": KEY})
    assert "Store it first, then select “I have stored it”." in text_of(page)
    assert shown.token in page.content.decode()
    assert OneTimeSecret.objects.exists()


def test_after_done_there_is_nothing_to_download(shown: Shown, developer: User, browser_of: Browser) -> None:
    client = browser_of(developer)
    shown.done(client)
    answer = shown.download(client)
    assert answer["Location"] == shown.after
    assert "not shown again" in text_of(client.get(shown.after))


def test_after_ten_minutes_there_is_nothing_to_download(
    shown: Shown, developer: User, browser_of: Browser, travel: Callable[..., Any]
) -> None:
    client = browser_of(developer)
    travel(seconds=settings.SHOWN_SECRET_SECONDS + 1)
    assert shown.download(client)["Location"] == shown.after


@pytest.mark.parametrize("idempotency_key", ["", "short", "z" * 32, "é" * 40, "k" * 4000])
def test_a_wrong_form_key_opens_nothing(
    shown: Shown, developer: User, browser_of: Browser, idempotency_key: str
) -> None:
    answer = shown.download(browser_of(developer), idempotency_key=idempotency_key)
    assert answer.status_code == 302
    assert not TOKEN.search(answer.content.decode())


def test_the_form_key_of_one_credential_does_not_open_another(
    developer: User, group_admin: User, browser_of: Browser
) -> None:
    connector = factories.make_connector(developer)
    one, other = (factories.let_in(connector, group_admin, target_name=name).handoff for name in ("One", "Other"))
    handoffs.claim(handoff=one, by=developer, idempotency_key=KEY, address=None)
    answer = browser_of(developer).post(
        f"/console/handoffs/{other.pk}/download/", {"idempotency_key": KEY, "kind": "env"}
    )
    assert answer.status_code == 409
    assert not TOKEN.search(answer.content.decode())


@pytest.mark.parametrize("button", ["download/", "done/"])
def test_somebody_else_with_the_form_key_gets_the_same_as_for_what_is_not_there(
    shown: Shown, button: str, stranger: User, group_admin: User, outsider: User, browser_of: Browser
) -> None:
    missing = re.sub(r"[0-9a-f-]{36}", str(ids.new_id()), shown.base)
    for user in (stranger, group_admin, outsider):
        client = browser_of(user)
        answers = [
            client.post(f"{base}{button}", {"idempotency_key": KEY, "kind": "env"}) for base in (shown.base, missing)
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert text_of(answers[0]) == text_of(answers[1])
        assert not TOKEN.search(answers[0].content.decode())
    assert OneTimeSecret.objects.exists()


@pytest.mark.parametrize("button", ["download/", "done/"])
def test_a_get_shows_and_ends_nothing(shown: Shown, button: str, developer: User, browser_of: Browser) -> None:
    assert browser_of(developer).get(f"{shown.base}{button}").status_code == 405
    assert OneTimeSecret.objects.exists()


def test_a_name_never_becomes_a_command(developer: User) -> None:
    values = [views_one_time_secrets.SnippetValue("CONNECTOR_SECRET", "", '$(rm -rf ~) `id` "quoted" \\')]
    assert shlex.split(views_one_time_secrets.to_env(values).replace(r"\$", "$").replace(r"\`", "`"))[0] == (
        'CONNECTOR_SECRET=$(rm -rf ~) `id` "quoted" \\'
    )
    assert r"\$(rm" in views_one_time_secrets.to_env(values)
    assert r"\`id\`" in views_one_time_secrets.to_env(values)
    assert views_one_time_secrets.get_file_name('../../etc/"passwd"\r\n') == "etcpasswd"
    assert views_one_time_secrets.get_file_name("会議") == "connector"


def test_a_handoff_past_its_screen_stays_claimed(developer: User, group_admin: User, browser_of: Browser) -> None:
    handoff = factories.let_in(factories.make_connector(developer), group_admin).handoff
    handoffs.claim(handoff=handoff, by=developer, idempotency_key=KEY, address=None)
    browser_of(developer).post(f"/console/handoffs/{handoff.pk}/done/", {"idempotency_key": KEY, "stored": "1"})
    row = Handoff.objects.get(pk=handoff.pk)
    assert row.claimed_by == developer
    assert row.sealed is None


def test_the_json_file_says_the_same(shown: Shown, developer: User, browser_of: Browser) -> None:
    client = browser_of(developer)
    answer = shown.download(client, "json")
    assert answer["Content-Type"] == "application/json"
    assert answer["Content-Disposition"].endswith('.json"')
    env = dict(part.split("=", 1) for part in shlex.split(shown.download(client).content.decode()))
    assert json.loads(answer.content) == env


def test_who_was_signed_out_meanwhile_signs_in_and_finds_the_page_behind(shown: Shown) -> None:
    answer = shown.done(Client())
    assert "/accounts/login" in answer["Location"]
    assert KEY not in answer["Location"]
    assert OneTimeSecret.objects.exists()


def test_the_representation_of_a_value_hides_it() -> None:
    assert "kzrt_x" not in repr(views_one_time_secrets.SnippetValue("REFRESH_TOKEN", "Refresh token", "kzrt_x"))
