"""What a load balancer and a container see."""

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import OperationalError
from django.test import Client
from django.utils.module_loading import import_string

from kaizala_console import health, static_files
from kaizala_console import settings as production_settings

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]


def test_a_console_in_order_is_ready(client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"database": "ok", "migrations": "ok", "cache": "ok", "queue": "ok", "static files": "ok"}
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


def test_static_files_that_were_never_collected_are_down(
    client: Client, settings: LazySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STATIC_ROOT = tmp_path
    storage = import_string("whitenoise.storage.CompressedManifestStaticFilesStorage")  # production's
    monkeypatch.setattr(static_files, "staticfiles_storage", storage())
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {**dict.fromkeys(answer.json(), "ok"), "static files": "down"}


def test_being_alive_needs_no_database(client: Client, django_assert_num_queries: object) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        answer = client.get("/healthz")
    assert (answer.status_code, answer.content.decode()) == (200, f"ok {production_settings.VERSION}\n")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_for_reading_only_and_opens_no_session(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405
    assert client.get(path).cookies == {}
