"""A credential on a screen: the same form shows it again for some minutes, and nobody else ever."""

from __future__ import annotations

import datetime as dt
import json
import re
import shlex
from collections.abc import Callable

import pytest
from django.conf import settings as console_settings
from django.db import connection
from django.test import Client
from pytest_django import Settings

from accounts.models import AuditEvent, User
from connectors import tasks
from connectors.models import Connector, Handoff, OneTimeSecret
from connectors.services import connectors, handoffs, one_time_secrets
from connectors.services.one_time_secrets import new_form_key
from connectors.tests import factories
from connectors.tests.html_forms import Page, text_of
from connectors.views import one_time_secrets as views_one_time_secrets
from kaizala_console.lib import ids
from kaizala_console.lib.errors import RuleBroken

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
Travel = Callable[..., dt.datetime]
TOKEN = "kzrt_just-for-this-test"
KEY = "k" * 32
CREDENTIAL = re.compile(r"kz(?:cs|rt)_[0-9A-Za-z]{65}")


@pytest.fixture
def idempotency_key(developer: User, connector: Connector) -> str:
    """A form of the developer's that has shown a token."""
    key = new_form_key()
    one_time_secrets.remember(user=developer, idempotency_key=key, subject=connector, token=TOKEN)
    return key


def test_the_same_form_of_the_same_person_shows_it(developer: User, stranger: User, idempotency_key: str) -> None:
    assert one_time_secrets.recall(user=developer, idempotency_key=idempotency_key) == TOKEN
    assert one_time_secrets.recall(user=stranger, idempotency_key=idempotency_key) is None
    for key in (new_form_key(), "", "x", "x" * 500, "ü" * 30):
        assert one_time_secrets.recall(user=developer, idempotency_key=key) is None


def test_done_forgets_it(developer: User, stranger: User, idempotency_key: str) -> None:
    one_time_secrets.done(user=stranger, idempotency_key=idempotency_key)
    assert one_time_secrets.recall(user=developer, idempotency_key=idempotency_key) == TOKEN
    one_time_secrets.done(user=developer, idempotency_key=idempotency_key)
    assert not OneTimeSecret.objects.exists()
    one_time_secrets.done(user=developer, idempotency_key="")


def test_after_ten_minutes_it_is_gone_whether_or_not_the_worker_runs(
    developer: User, connector: Connector, travel: Travel, idempotency_key: str
) -> None:
    """Shown while the clock stands still already: its ten minutes are the test's to the second."""
    travel(seconds=599)
    tasks.sweep_one_time_secrets()
    assert one_time_secrets.recall(user=developer, idempotency_key=idempotency_key) == TOKEN
    travel(seconds=1)
    assert one_time_secrets.recall(user=developer, idempotency_key=idempotency_key) is None
    assert OneTimeSecret.objects.exists()
    one_time_secrets.remember(user=developer, idempotency_key=idempotency_key, subject=connector, token="another")
    assert one_time_secrets.recall(user=developer, idempotency_key=idempotency_key) == "another"
    travel(seconds=600)
    for _twice in range(2):
        tasks.sweep_one_time_secrets()
        assert not OneTimeSecret.objects.exists()


def test_the_row_alone_opens_nothing(developer: User, idempotency_key: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM connectors_shownsecret")
        row = " ".join(str(bytes(value) if isinstance(value, memoryview) else value) for value in cursor.fetchone())
    assert TOKEN not in row
    assert idempotency_key not in row
    shown = OneTimeSecret.objects.get()
    assert one_time_secrets.open_stored(shown, new_form_key()) is None


def test_after_a_change_of_the_servers_key_nothing_breaks(
    developer: User, idempotency_key: str, settings: Settings
) -> None:
    settings.ENCRYPTION_KEYS = [b"k" * 32]
    assert one_time_secrets.recall(user=developer, idempotency_key=idempotency_key) is None


@pytest.mark.parametrize("key", ["", "short", "x" * 129, "ü" * 40])
def test_what_cannot_be_a_form_key_keeps_nothing(developer: User, connector: Connector, key: str) -> None:
    with pytest.raises(RuleBroken):
        one_time_secrets.remember(user=developer, idempotency_key=key, subject=connector, token=TOKEN)
    assert not OneTimeSecret.objects.exists()


# The buttons under it ------------------------------------------------------------------------------------------------


class Shown:
    """A credential on somebody's screen, and the addresses of its buttons."""

    def __init__(self, base: str, after: str, token: str) -> None:
        self.base, self.after, self.token = base, after, token

    def download(self, client: Client, kind: str = "env", idempotency_key: str = KEY) -> Page:
        return client.post(f"{self.base}download/", {"idempotency_key": idempotency_key, "kind": kind})

    def done(self, client: Client) -> Page:
        return client.post(f"{self.base}done/", {"idempotency_key": KEY, "stored": "1"})


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


def test_the_env_file_can_be_read_by_a_shell_and_the_json_file_says_the_same(shown: Shown, owner: Client) -> None:
    answer = shown.download(owner)
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="shift-planner(-pune-depot)?\.env"', answer["Content-Disposition"])
    assert "no-store" in answer["Cache-Control"]
    lines = dict(part.split("=", 1) for part in shlex.split(answer.content.decode()))
    assert lines["CONNECTOR_ID"] == str(Connector.objects.get().pk)
    assert lines["CONSOLE_URL"] == console_settings.CONSOLE_BASE_URL
    assert lines["REFRESH_TOKEN" if shown.token.startswith("kzrt_") else "CONNECTOR_SECRET"] == shown.token
    answer = shown.download(owner, "json")
    assert answer["Content-Type"] == "application/json"
    assert answer["Content-Disposition"].endswith('.json"')
    assert json.loads(answer.content) == lines


def test_every_further_look_at_a_secret_is_an_event(shown: Shown, developer: User, owner: Client) -> None:
    looks = AuditEvent.objects.filter(tag="connector:secret:viewed", actor_id=str(developer.pk))
    shown.download(owner)
    shown.download(owner, "json")
    owner.post(f"{shown.base}done/", {"idempotency_key": KEY})
    seen = 0 if "/handoffs/" in shown.base else 3  # a claimed token is told by its handoff
    assert looks.count() == seen
    shown.done(owner)
    shown.download(owner)
    assert looks.count() == seen, "nothing was shown any more"
    for event in looks:
        assert (event.subject_kind, event.after["public_part"]) == ("connectorsecret", shown.token[5:21])
        assert event.after["connector"] == "Shift Planner"
        assert event.connector_id is not None


def test_done_wipes_it_and_leads_on_to_where_nothing_can_be_downloaded(shown: Shown, owner: Client) -> None:
    assert [shown.done(owner)["Location"] for _twice in range(2)] == [shown.after, shown.after]
    assert not OneTimeSecret.objects.exists()
    assert not Handoff.objects.filter(claimed_at=None).exists()
    page = owner.get(shown.after).content.decode()
    assert page.count('class="message ') == 1
    assert not CREDENTIAL.search(page)
    assert shown.download(owner)["Location"] == shown.after
    assert "not shown again" in text_of(owner.get(shown.after))


def test_done_without_the_tick_asks_for_it_and_loses_nothing(shown: Shown, owner: Client) -> None:
    page = owner.post(f"{shown.base}done/", {"idempotency_key": KEY})
    assert "Store it first" in text_of(page)
    assert shown.token in page.content.decode()
    assert OneTimeSecret.objects.exists()


def test_a_form_key_opens_no_other(developer: User, group_admin: User, connector: Connector, owner: Client) -> None:
    one, other = (factories.let_in(connector, group_admin, target_name=name).handoff for name in ("One", "Other"))
    handoffs.claim(handoff=one, by=developer, idempotency_key=KEY, address=None)
    answer = owner.post(f"/console/handoffs/{other.pk}/download/", {"idempotency_key": KEY, "kind": "env"})
    assert answer.status_code == 409
    assert not CREDENTIAL.search(answer.content.decode())
    answer = owner.post(f"/console/handoffs/{one.pk}/download/", {"idempotency_key": "z" * 32, "kind": "env"})
    assert answer.status_code == 302
    assert not CREDENTIAL.search(answer.content.decode())


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
        assert not CREDENTIAL.search(answers[0].content.decode())
    assert OneTimeSecret.objects.exists()


@pytest.mark.parametrize("button", ["download/", "done/"])
def test_a_get_shows_and_ends_nothing(shown: Shown, button: str, owner: Client) -> None:
    assert owner.get(f"{shown.base}{button}").status_code == 405
    assert OneTimeSecret.objects.exists()


def test_who_was_signed_out_meanwhile_signs_in_and_loses_nothing(shown: Shown) -> None:
    answer = shown.done(Client())
    assert "/accounts/login" in answer["Location"]
    assert KEY not in answer["Location"]
    assert OneTimeSecret.objects.exists()


def test_a_name_never_becomes_a_command_and_no_representation_shows_a_value() -> None:
    value = views_one_time_secrets.SnippetValue("CONNECTOR_SECRET", "", '$(rm -rf ~) `id` "quoted" \\')
    assert "rm -rf" not in repr(value)
    text = views_one_time_secrets.to_env([value])
    assert shlex.split(text.replace(r"\$", "$").replace(r"\`", "`"))[0] == (
        'CONNECTOR_SECRET=$(rm -rf ~) `id` "quoted" \\'
    )
    assert r"\$(rm" in text
    assert r"\`id\`" in text
    assert views_one_time_secrets.get_file_name('../../etc/"passwd"\r\n') == "etcpasswd"
    assert views_one_time_secrets.get_file_name("会議") == "connector"
