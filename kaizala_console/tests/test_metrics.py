"""/metrics: for who bears the token; routes and never paths; what waits for the worker."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from accounts.admin.site import site as operators
from accounts.models import Notice, User
from connectors.tests.factories import Program, make_connector, make_program
from kaizala_console import metrics, queues
from kaizala_console.lib import clock

TOKEN = "a-metrics-token-of-the-tests-only-0123456789"


@pytest.fixture
def watched(settings: Settings, tmp_path: Path) -> None:
    """A console with METRICS_TOKEN."""
    settings.METRICS_TOKEN = TOKEN
    settings.METRICS_DIR = tmp_path


def read(token: str = TOKEN) -> str:
    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def test_without_the_setting_there_is_nothing(client: Client, db: None) -> None:
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404
    with pytest.raises(MiddlewareNotUsed):
        metrics.MetricsMiddleware(lambda request: HttpResponse())


@pytest.mark.usefixtures("watched", "db")
@pytest.mark.parametrize("header", ["", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \u00fc"])
def test_nobody_reads_them_without_the_token(client: Client, header: str) -> None:
    answer = client.get("/metrics", headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert b"kaizala_" not in answer.content


@pytest.mark.usefixtures("watched")
def test_a_call_is_counted_by_its_route_and_no_id_of_it_is_told(developer: User, group_admin: User) -> None:
    program: Program = make_program(make_connector(developer, "Shift Planner"), group_admin)
    browser = Client()
    browser.get("/v1/accessToken", headers=program.headers())
    browser.get(f"/v1/groups/{program.grant.pk}/members")
    browser.get("/nowhere/at-all")
    text = read()
    assert 'kaizala_requests_total{method="GET",route="v1/accessToken",status="200"}' in text
    assert 'route="v1/groups/<group_id>/members",status="401"' in text
    assert 'route="(no route)",status="404"' in text
    for secret in (program.secret, program.refresh_token, str(program.grant.pk), "at-all"):
        assert secret not in text


def counted(text: str, line: str) -> float:
    return sum(float(each.rpartition(" ")[2]) for each in text.splitlines() if each.startswith(line))


@pytest.mark.usefixtures("watched", "db")
def test_what_the_other_processes_wrote_is_added(tmp_path: Path) -> None:
    Client().get("/nowhere/at-all")
    metrics.write_snapshot(tmp_path)
    (own,) = tmp_path.iterdir()
    assert own.name == f"{os.getpid()}.prom"
    requests, seconds = 'kaizala_requests_total{method="GET",route="(no route)"', "kaizala_request_seconds_count{"
    alone = read()
    (tmp_path / "1.prom").write_bytes(own.read_bytes())
    (tmp_path / "2.prom").write_bytes(own.read_bytes())
    (tmp_path / "3.new").write_text("half a line, of a process that was kil")
    together = read()
    assert counted(together, requests) == 3 * counted(alone, requests) > 0
    assert counted(together, seconds) > 2 * counted(alone, seconds) > 0
    metrics.forget_snapshots()
    assert list(tmp_path.iterdir()) == []
    assert counted(read(), requests) == counted(alone, requests)


@pytest.mark.usefixtures("watched", "db")
def test_on_a_full_disk_nothing_is_lost_but_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics.write_snapshot(tmp_path)
    before = (tmp_path / f"{os.getpid()}.prom").read_bytes()

    def is_full(path: Path, data: bytes) -> int:
        path.open("wb").close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", is_full)
    Client().get("/healthz")
    with pytest.raises(OSError, match="No space left"):  # the buffer logs it, and tries again
        metrics.write_snapshot(tmp_path)
    assert (tmp_path / f"{os.getpid()}.prom").read_bytes() == before
    assert 'route="healthz"' in read()


@pytest.mark.usefixtures("watched")
def test_what_waits_and_since_when(developer: User) -> None:
    earlier = clock.now() - dt.timedelta(minutes=5)
    Notice.objects.create(user=developer, template="accounts/phone_added", key="k", next_attempt_at=earlier)
    text = read()
    assert 'kaizala_queue_waiting{queue="notices"} 1.0' in text
    late = next(line for line in text.splitlines() if line.startswith('kaizala_queue_late_seconds{queue="notices"}'))
    assert 299 < float(late.split()[-1]) < 360


def test_every_queue_is_read_in_two_statements(db: None, django_assert_num_queries: Callable[..., Any]) -> None:
    with django_assert_num_queries(2 * len(queues.list_queues())):
        queues.list_queues()


def test_a_method_that_nobody_knows_is_no_label_of_its_own(watched: None, db: None) -> None:
    def answer(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    metrics.MetricsMiddleware(answer)(RequestFactory().generic("BREW", "/"))
    assert "BREW" not in read()


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["developer", "organisation_admin"])
def test_only_operators_see_the_queues(
    who: str, request: pytest.FixtureRequest, browser_of: Callable[..., Client]
) -> None:
    answer = browser_of(request.getfixturevalue(who)).get("/operators/queues/")
    assert answer.status_code == 302
    assert "/operators/" in answer.headers["Location"]


@pytest.mark.journey
@pytest.mark.capability
def test_operators_see_what_waits(
    operator: User, open_page: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(operators), "has_permission", lambda site, request: True)
    page = open_page(user=operator)
    page.goto("/operators/")  # its second factor has tests of its own
    page.get_by_role("link", name="Queues and workers").click()
    page.get_by_role("rowheader", name="Mails and SMS").wait_for()
