"""The port of the metrics: for who bears the token; routes and never paths; what waits for the worker."""

from __future__ import annotations

import datetime as dt
import http.client
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from django.core.cache import cache
from django.core.exceptions import MiddlewareNotUsed
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from accounts.admin.site import site as operators
from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM, record
from accounts.models import Notice, User
from connectors.tests.factories import Program, make_connector, make_program
from kaizala_console import celery, health, metrics, queues
from kaizala_console import settings as production_settings
from kaizala_console.lib import clock
from kaizala_console.tests.ports import free_port
from kaizala_console.tests.serving import ROOT

TOKEN = "a-metrics-token-of-the-tests-only-0123456789"


@pytest.fixture
def watched(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A console that counts."""
    settings.METRICS_PORT = 9464
    monkeypatch.setenv(metrics.FOLDER, str(tmp_path))


def read() -> str:
    metrics.write_snapshot()
    return metrics.read_everything().decode()


@pytest.fixture
def port(watched: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A real one, without the threads' own connections to the database."""
    monkeypatch.setattr(metrics, "read_everything", lambda: b"kaizala_")
    monkeypatch.setattr(metrics, "_fork_between_answers", lambda: None)
    port = free_port()
    with metrics.listening("127.0.0.1", port):
        yield port


def ask(port: int, path: str, header: str = "") -> tuple[int, bytes]:
    call = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    call.request("GET", path, headers={"Authorization": header} if header else {})
    answer = call.getresponse()
    return answer.status, answer.read()


def test_without_the_port_nothing_is_counted() -> None:
    with pytest.raises(MiddlewareNotUsed):
        metrics.MetricsMiddleware(lambda request: HttpResponse())
    with metrics.listening("127.0.0.1", 0):
        assert metrics.FOLDER not in os.environ


@pytest.mark.parametrize("header", ["", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \u00fc"])
def test_where_there_is_a_token_nobody_reads_without_it(port: int, settings: Settings, header: str) -> None:
    assert ask(port, "/metrics", header) == (200, b"kaizala_")
    settings.METRICS_TOKEN = TOKEN
    status, body = ask(port, "/metrics", header)
    assert (status, b"kaizala_" in body) == (401, False)
    assert ask(port, "/metrics", f"Bearer {TOKEN}") == (200, b"kaizala_")


def test_what_hangs_holds_up_no_sign_of_life(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_READING_SECONDS", 0.1)
    with metrics._reading:
        assert ask(port, "/metrics")[0] == 503
        assert ask(port, "/healthz") == (200, f"ok {production_settings.VERSION}\n".encode())
    assert ask(port, "/console/")[0] == 404


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
def test_what_the_web_processes_wrote_is_added(tmp_path: Path) -> None:
    Client().get("/nowhere/at-all")
    requests, seconds = 'kaizala_requests_total{method="GET",route="(no route)"', "kaizala_request_seconds_count{"
    alone = read()
    (own,) = tmp_path.iterdir()
    (tmp_path / "1.prom").write_bytes(own.read_bytes())
    (tmp_path / "2.prom").write_bytes(own.read_bytes())
    (tmp_path / "3.new").write_text("half a line, of a process that was kil")
    together = read()
    assert counted(together, requests) == 3 * counted(alone, requests) > 0
    assert counted(together, seconds) == 3 * counted(alone, seconds) > 0


@pytest.mark.usefixtures("watched", "db")
def test_on_a_full_disk_nothing_is_lost_but_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read()

    def is_full(path: Path, data: bytes) -> int:
        path.open("wb").close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", is_full)
    Client().get("/nowhere/at-all")
    with pytest.raises(OSError, match="No space left"):  # the buffer logs it, and tries again
        metrics.write_snapshot()
    line = "kaizala_requests_total{"
    assert counted(metrics.read_everything().decode(), line) == counted(before, line)


@pytest.mark.usefixtures("watched")
def test_what_waits_and_since_when(developer: User) -> None:
    earlier = clock.now() - dt.timedelta(minutes=5)
    Notice.objects.create(user=developer, template="accounts/phone_added", key="k", next_attempt_at=earlier)
    text = read()
    assert 'kaizala_queue_waiting{queue="notices"} 1.0' in text
    late = next(line for line in text.splitlines() if line.startswith('kaizala_queue_late_seconds{queue="notices"}'))
    assert 299 < float(late.split()[-1]) < 360


@pytest.mark.usefixtures("watched")
def test_which_version_what_is_ready_what_failed_and_what_was_revoked(developer: User) -> None:
    Notice.objects.create(user=developer, template="x", key="k", next_attempt_at=None, gave_up_at=clock.now())
    record(EventType.GRANT_REVOKED, by=SYSTEM, subject=developer, organisation=developer.organisation)
    text = read()
    assert re.search(
        rf'^kaizala_build_info{{python="3[^"]*",version="{production_settings.VERSION}"}} 1.0$', text, re.M
    )
    for part in health.CHECKS:
        assert f'kaizala_ready{{part="{part}"}} ' in text
    assert 'kaizala_failed_last_hour{kind="mail"} 1.0' in text
    assert 'kaizala_failed_last_hour{kind="webhook"} 0.0' in text
    assert 'kaizala_revoked_last_hour{event="grant:access:revoked"} 1.0' in text


@pytest.mark.usefixtures("watched", "db")
def test_when_the_database_does_not_answer_the_rest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise OperationalError("could not connect to db.example.com as console")

    monkeypatch.setattr(queues, "list_queues", fails)
    monkeypatch.setitem(health.CHECKS, "database", fails)
    text = read()
    assert 'kaizala_ready{part="database"} 0.0' in text
    assert "kaizala_data_disk_free_bytes" in text
    assert "kaizala_queue_waiting" not in text


@pytest.mark.postgresql
@pytest.mark.usefixtures("watched", "db")
@pytest.mark.parametrize("name", ["prometheus-alerts.yml", "grafana-dashboard.json"])
def test_alerts_and_dashboard_ask_for_what_is_there(name: str) -> None:
    """Each expression in Prometheus' own grammar; each name and label among what is told."""
    Client().get("/v1/accessToken")
    celery.heartbeat(queue="mail")
    cache.set("beat:sent:heartbeat-mail", clock.now().timestamp())
    samples: dict[str, dict[str, set[str]]] = {"up": {"job": {"kaizala-console"}, "instance": set()}}
    for family in text_string_to_metric_families(read()):
        for sample in family.samples:
            for label, value in {**sample.labels, "instance": ""}.items():
                samples.setdefault(sample.name, {}).setdefault(label, set()).add(value)
    if connection.vendor == "sqlite":
        samples |= {f"kaizala_database_connections{end}": {} for end in ("", "_max")}
    deploy = yaml.safe_load((ROOT / "deploy" / name).read_text())
    rules = [rule for group in deploy.get("groups", ()) for rule in group["rules"]]
    targets = [target for panel in deploy.get("panels", ()) for target in panel["targets"]]
    expressions = [each["expr"] for each in (*rules, *targets)]
    assert len(expressions) > 10
    for expression in expressions:
        selectors: list[promql_parser.VectorSelector] = []
        promql_parser.walk(promql_parser.parse(expression), collect_into(selectors))
        assert selectors, expression
        for selector in selectors:
            assert selector.name in samples, expression
            labels = samples[selector.name]
            for wanted in re.findall(r"by \((?!le\))(.*?)\)", expression):
                assert wanted in labels, expression
            for matcher in selector.matchers.matchers:
                assert matcher.name in labels, expression
                assert matcher.op != promql_parser.MatchOp.Equal or matcher.value in labels[matcher.name], expression
    for rule in rules:
        assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= set(
            re.findall(r"by \((.*?)\)", rule["expr"]) or ["instance"]
        )


def collect_into(selectors: list[promql_parser.VectorSelector]) -> Callable[[promql_parser.Expr], None]:
    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            selectors.append(node)

    return visit


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


def test_the_operators_pages_name_the_version(
    operator: User, browser_of: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(operators), "has_permission", lambda site, request: True)
    page = browser_of(operator).get("/operators/").content.decode()
    assert f"Kaizala Console {production_settings.VERSION}</p>" in page


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
