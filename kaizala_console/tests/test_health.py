"""What a load balancer and a container see."""

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import OperationalError
from django.test import Client

from kaizala_console import health

pytestmark = pytest.mark.django_db


def test_a_console_in_order_is_ready(client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"database": "ok", "migrations": "ok", "cache": "ok", "queue": "ok"}
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


def test_being_alive_needs_no_database(client: Client, django_assert_num_queries: object) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_for_reading_only_and_opens_no_session(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405
    assert client.get(path).cookies == {}
