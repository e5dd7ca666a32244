"""A credential on a screen: the same form shows it again for some minutes, and nobody else ever."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.db import connection
from pytest_django import Settings

from accounts.models import User
from connectors import tasks
from connectors.models import Connector, OneTimeSecret
from connectors.services import one_time_secrets
from connectors.services.one_time_secrets import new_form_key
from connectors.tests import factories
from kaizala_console.lib.errors import Conflict, RuleBroken

TOKEN = "kzrt_just-for-this-test"


@pytest.fixture
def idempotency_key(developer: User, connector: Connector) -> str:
    """A form of the developer's that has shown a token."""
    key = new_form_key()
    one_time_secrets.remember(user=developer, idempotency_key=key, subject=connector, token=TOKEN)
    return key


def test_the_same_form_shows_it_again(developer: User, idempotency_key: str) -> None:
    assert one_time_secrets.recall(user=developer, idempotency_key=idempotency_key) == TOKEN


def test_another_form_or_another_person_gets_nothing(developer: User, stranger: User, idempotency_key: str) -> None:
    assert one_time_secrets.recall(user=developer, idempotency_key=new_form_key()) is None
    assert one_time_secrets.recall(user=stranger, idempotency_key=idempotency_key) is None
    for key in ("", "x", "x" * 500, "ü" * 30):
        assert one_time_secrets.recall(user=developer, idempotency_key=key) is None


def test_a_form_does_not_show_one_thing_for_another(
    developer: User, connector: Connector, idempotency_key: str
) -> None:
    assert one_time_secrets.recall(user=developer, idempotency_key=idempotency_key, subject=connector) == TOKEN
    with pytest.raises(Conflict):
        one_time_secrets.recall(
            user=developer, idempotency_key=idempotency_key, subject=factories.make_connector(developer)
        )


def test_done_forgets_it(developer: User, stranger: User, idempotency_key: str) -> None:
    one_time_secrets.done(user=stranger, idempotency_key=idempotency_key)
    assert one_time_secrets.recall(user=developer, idempotency_key=idempotency_key) == TOKEN
    one_time_secrets.done(user=developer, idempotency_key=idempotency_key)
    assert one_time_secrets.recall(user=developer, idempotency_key=idempotency_key) is None
    assert not OneTimeSecret.objects.exists()
    one_time_secrets.done(user=developer, idempotency_key="")


def test_after_ten_minutes_it_is_gone_whether_or_not_the_worker_runs(
    developer: User, travel: Callable[..., dt.datetime], idempotency_key: str
) -> None:
    """Shown while the clock stands still already: its ten minutes are the test's to the second."""
    travel(seconds=599)
    assert one_time_secrets.recall(user=developer, idempotency_key=idempotency_key) == TOKEN
    tasks.sweep_one_time_secrets()
    assert OneTimeSecret.objects.exists()
    travel(seconds=1)
    assert one_time_secrets.recall(user=developer, idempotency_key=idempotency_key) is None
    assert OneTimeSecret.objects.exists()
    tasks.sweep_one_time_secrets()
    assert not OneTimeSecret.objects.exists()
    tasks.sweep_one_time_secrets()


def test_an_overdue_one_makes_way_for_the_next_of_its_form(
    developer: User, connector: Connector, idempotency_key: str, travel: Callable[..., dt.datetime]
) -> None:
    travel(seconds=601)
    one_time_secrets.remember(user=developer, idempotency_key=idempotency_key, subject=connector, token="another")
    assert one_time_secrets.recall(user=developer, idempotency_key=idempotency_key) == "another"


def test_the_row_alone_opens_nothing(developer: User, idempotency_key: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM connectors_shownsecret")
        row = " ".join(str(bytes(value) if isinstance(value, memoryview) else value) for value in cursor.fetchone())
    assert TOKEN not in row
    assert idempotency_key not in row
    shown = OneTimeSecret.objects.get()
    assert one_time_secrets.opened(shown, user=developer, idempotency_key=new_form_key()) is None


def test_after_a_change_of_the_servers_key_it_is_not_shown_but_nothing_breaks(
    developer: User, idempotency_key: str, settings: Settings
) -> None:
    settings.ENCRYPTION_KEYS = [b"k" * 32]
    assert one_time_secrets.recall(user=developer, idempotency_key=idempotency_key) is None


@pytest.mark.parametrize("key", ["", "short", "x" * 129, "ü" * 40])
def test_what_cannot_be_a_form_key_is_refused_before_anything_is_kept(
    developer: User, connector: Connector, key: str
) -> None:
    with pytest.raises(RuleBroken):
        one_time_secrets.remember(user=developer, idempotency_key=key, subject=connector, token=TOKEN)
    assert not OneTimeSecret.objects.exists()
