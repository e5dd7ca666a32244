"""What a load balancer and a container see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.utils.module_loading import import_string

from accounts.models import Notice, SmsMessage, User
from kaizala_console import celery, health, queues, static_files
from kaizala_console import settings as production_settings
from kaizala_console.celery import QUEUES
from kaizala_console.lib import clock

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]


@pytest.fixture(autouse=True)
def everything_runs() -> None:
    """A beat and workers that were at work just now."""
    celery.app.finalize()
    for queue in QUEUES:
        celery.heartbeat(queue=queue)
    cache.set(f"beat:sent:heartbeat-{QUEUES[0]}", clock.now().timestamp())


def down(path: str = "/readyz") -> list[str]:
    answer = Client().get(path)
    found = [part for part, state in answer.json().items() if state != "ok"]
    assert answer.status_code == (503 if found else 200)
    return found


def test_a_console_in_order_is_ready(client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    web = ["database", "migrations", "cache", "queue", "static files", "data disk", "database disk"]
    assert list(answer.json()) == [*web, "beat", *(f"worker {queue}" for queue in QUEUES), "mail", "sms"]
    assert list(client.get("/readyz/web").json()) == web
    assert "no-store" in answer.headers["Cache-Control"]


def test_a_broken_part_is_named_without_any_detail(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> bool:
        raise OperationalError("could not connect to db.example.com as console")

    monkeypatch.setitem(health.CHECKS, "database", fails)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["database"] == "down"
    assert b"example" not in answer.content


def test_a_queue_that_is_gone_is_down(client: Client, settings: LazySettings, tmp_path: Path) -> None:
    settings.REDIS_URL = ""
    settings.DATA_DIR = tmp_path
    assert client.get("/readyz").json()["queue"] == "down"


def test_a_silent_worker_and_a_silent_beat_are_named(travel: Callable[..., dt.datetime]) -> None:
    travel(seconds=queues.BEAT_SILENT_SECONDS + 1)
    assert down() == ["beat"]
    travel(seconds=queues.WORKER_SILENT_SECONDS - queues.BEAT_SILENT_SECONDS)
    celery.heartbeat(queue="sms")
    assert down() == ["beat", *(f"worker {queue}" for queue in QUEUES if queue != "sms")]
    assert down("/readyz/web") == [], "another web process could do no more"


def test_workers_and_a_beat_that_never_ran_are_down() -> None:
    cache.delete_many([f"worker:seen:{queue}" for queue in QUEUES])
    cache.delete_many([f"beat:sent:{entry.name}" for entry in queues.list_beat_schedule()])
    assert down() == ["beat", *(f"worker {queue}" for queue in QUEUES)]


def test_migrations_that_wait_are_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_migrated", False)
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda executor, targets: ["one"])
    assert down() == ["migrations"]


def test_a_full_data_disk_is_down(settings: LazySettings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "gone"  # cannot be written, as on a full disk
    assert "data disk" in down("/readyz/web")


def test_a_full_disk_of_the_database_is_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if connection.vendor == "sqlite":
        monkeypatch.setitem(connection.settings_dict, "NAME", str(tmp_path / "gone" / "console.sqlite3"))
    else:
        with connection.cursor() as cursor:
            cursor.execute("SET temp_file_limit = 0")
    try:
        assert down("/readyz/web") == ["database disk"]
    finally:
        if connection.vendor != "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("RESET temp_file_limit")


def test_mails_that_are_given_up_are_down_until_one_is_sent(
    developer: User, travel: Callable[..., dt.datetime]
) -> None:
    def notice(**facts: object) -> None:
        Notice.objects.create(user=developer, template="x", key=str(facts), next_attempt_at=None, **facts)

    notice(gave_up_at=clock.now(), attempts=1)
    assert down() == [], "there was no address to send it to"
    notice(gave_up_at=clock.now(), attempts=9)
    assert down() == ["mail"]
    notice(gave_up_at=clock.now(), attempts=9, number="+919820000001")
    assert down() == ["mail", "sms"]
    notice(sent_at=clock.now() + dt.timedelta(seconds=1))
    assert down() == ["sms"]


def test_pins_that_the_gateway_does_not_take_are_down_until_one_is_sent(travel: Callable[..., dt.datetime]) -> None:
    def pin(**facts: str) -> None:
        SmsMessage.objects.create(masked_number="…", number_tag="t", country_prefix="91", purpose="verify", **facts)

    pin(status="failed", error="number_refused")
    assert down() == []
    pin(status="failed", error="sms_down")
    assert down() == ["sms"]
    pin(status="sent")
    assert down() == []
    pin(status="failed", error="sms_down")
    travel(hours=2)
    assert "sms" not in down()


def test_static_files_that_were_never_collected_are_down(
    settings: LazySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STATIC_ROOT = tmp_path
    storage = import_string("whitenoise.storage.CompressedManifestStaticFilesStorage")  # production's
    monkeypatch.setattr(static_files, "staticfiles_storage", storage())
    assert down() == ["static files"]


def test_being_alive_needs_no_database(client: Client, django_assert_num_queries: object) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        answer = client.get("/healthz")
    assert (answer.status_code, answer.content.decode()) == (200, f"ok {production_settings.VERSION}\n")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/readyz/web"])
def test_health_is_for_reading_only_and_opens_no_session(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405
    assert client.get(path).cookies == {}
