"""`/metrics`, in the format of Prometheus, and `/healthz`, on a port of their own (`METRICS_PORT`); 0 is none.

Both are answered by threads of the main process of `manage.py serve`, so whatever holds up the web processes. Requests
are counted by the route that they took, never by the path: no id and no token becomes a label. Each web process counts
in memory and every few seconds writes what it has to a file of its own, in a folder of this `serve` alone; the answer
adds the files up. Not by prometheus_client's own files: those are mapped into memory, where a full disk kills.
"""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import connection, connections
from django.http import HttpRequest, HttpResponseBase
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from kaizala_console import health, queues
from kaizala_console.api.routing import ROUTE
from kaizala_console.celery import QUEUES
from kaizala_console.lib.write_behind import WriteBehind

log = structlog.get_logger(__name__)
FOLDER = "CONSOLE_METRICS_FOLDER"  # in the environment: set by `listening`, for the web processes
_NOWHERE = "(no route)"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
COUNTED = CollectorRegistry()
REQUESTS = Counter(
    "kaizala_requests", "Requests, by route and status.", ["route", "method", "status"], registry=COUNTED
)
SECONDS = Histogram(
    "kaizala_request_seconds", "How long they took, in seconds.", ["route"], buckets=_BUCKETS, registry=COUNTED
)
_Sums = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class MetricsMiddleware:
    """Counts what the web process answers, the wire and the pages alike."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.METRICS_PORT:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = self.get_response(request)
        count_request(_get_route(request), request.method or "", response.status_code, time.perf_counter() - began)
        return response


def count_request(route: str, method: str, status: int, seconds: float) -> None:
    """Count one answer of this process."""
    requests, duration = _series(route, method if method in _METHODS else "other", status)
    requests.inc()
    duration.observe(seconds)
    _snapshots.add("snapshot", None)


@cache
def _series(route: str, method: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(route, method, str(status)), SECONDS.labels(route)


def _get_route(request: HttpRequest) -> str:
    route = request.META.get(ROUTE) or (request.resolver_match.route if request.resolver_match else "")
    return str(route) or _NOWHERE


class StateCollector(Collector):
    """What stands in the tables and in the cache now: the same for every process, so no process counts it.

    What cannot be read is left out: `kaizala_ready` says why.
    """

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily(
            "kaizala_build", "The console.", value={"version": settings.VERSION, "python": platform.python_version()}
        )
        ready = GaugeMetricFamily("kaizala_ready", "What /readyz says of each part: 1 is ok.", labels=["part"])
        for part, state in health.make_report(health.CHECKS).items():
            ready.add_metric([part], state == "ok")
        yield ready
        for read in (_read_tables, _read_processes, _read_disk, _read_connections):
            try:
                families = list(read())
            except Exception as error:  # noqa: BLE001 - each driver raises errors of its own
                log.warning("metrics.not_read", part=read.__name__, error=type(error).__name__)
            else:
                yield from families


def _read_tables() -> Iterator[Metric]:
    waiting = GaugeMetricFamily("kaizala_queue_waiting", "Rows that wait for the worker.", labels=["queue"])
    due = GaugeMetricFamily("kaizala_queue_due", "Of these, the ones that could be done now.", labels=["queue"])
    late = GaugeMetricFamily("kaizala_queue_late_seconds", "How long the oldest of those waits.", labels=["queue"])
    for queue in queues.list_queues():
        waiting.add_metric([queue.name], queue.waiting)
        due.add_metric([queue.name], queue.due)
        late.add_metric([queue.name], queue.late_seconds)
    yield from (waiting, due, late)
    failed = GaugeMetricFamily("kaizala_failed_last_hour", "Given up within the last hour.", labels=["kind"])
    for kind, number in queues.count_failures().items():
        failed.add_metric([kind], number)
    yield failed
    revoked = GaugeMetricFamily("kaizala_revoked_last_hour", "Access ended within the last hour.", labels=["event"])
    for event, number in queues.count_revocations().items():
        revoked.add_metric([event], number)
    yield revoked


def _read_processes() -> Iterator[Metric]:
    messages = queues.count_broker_messages()
    if messages is not None:
        yield GaugeMetricFamily("kaizala_broker_messages", "Messages that no worker has taken.", value=messages)
    silent = queues.beat_silent_seconds()
    if silent is not None:
        yield GaugeMetricFamily("kaizala_timetable_silent_seconds", "Since beat last sent.", value=silent)
    seen = GaugeMetricFamily(
        "kaizala_worker_silent_seconds", "Since a worker took a heartbeat from the queue.", labels=["queue"]
    )
    for queue in QUEUES:
        silent = queues.worker_silent_seconds(queue)
        if silent is not None:
            seen.add_metric([queue], silent)
    yield seen


def _read_disk() -> Iterator[Metric]:
    disk = shutil.disk_usage(settings.DATA_DIR)
    yield GaugeMetricFamily("kaizala_data_disk_free_bytes", "Free where the data folder is.", value=disk.free)
    yield GaugeMetricFamily("kaizala_data_disk_bytes", "The size of that disk.", value=disk.total)


def _read_connections() -> Iterator[Metric]:
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), current_setting('max_connections')::int FROM pg_stat_activity WHERE datname IS NOT NULL"
        )
        number, most = cursor.fetchone()
    yield GaugeMetricFamily("kaizala_database_connections", "Open on the server of the database.", value=number)
    yield GaugeMetricFamily("kaizala_database_connections_max", "As many it takes.", value=most)


def write_snapshot() -> None:
    """Write what this process has counted to its file, all or nothing. Raises OSError."""
    if folder := os.environ.get(FOLDER):
        draft = Path(folder, f"{os.getpid()}.new")
        draft.write_bytes(generate_latest(COUNTED))
        draft.replace(draft.with_suffix(".prom"))


# A write that fails is logged and tried again; meanwhile the counts stand in memory.
_snapshots: WriteBehind[str, None] = WriteBehind(
    "metrics",
    write=lambda _: write_snapshot(),
    merge=lambda old, new: None,
    seconds=lambda: settings.USAGE_FLUSH_SECONDS,
)


class SumCollector(Collector):
    """What the web processes last wrote, added up. One that was replaced still counts."""

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        sums: dict[str, _Sums] = {}
        for file in Path(os.environ[FOLDER]).glob("*.prom"):
            for family in text_string_to_metric_families(file.read_text()):
                families.setdefault(family.name, family)
                found = sums.setdefault(family.name, {})
                for sample in family.samples:
                    if not sample.name.endswith("_created"):
                        key = sample.name, tuple(sample.labels.items())
                        found[key] = found.get(key, 0.0) + sample.value
        for name, family in families.items():
            total = Metric(name, family.documentation, family.type)
            for (sample_name, labels), value in sums[name].items():
                total.add_sample(sample_name, dict(labels), value)
            yield total


# The port -----------------------------------------------------------------------------------------------------------

_reading = threading.Lock()  # one answer at a time
_READING_SECONDS = 8  # less than Prometheus waits


class Answer(BaseHTTPRequestHandler):
    """`/healthz` at once; `/metrics`, for who bears METRICS_TOKEN if there is one."""

    timeout = 10

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/healthz":
            self.say(200, f"ok {settings.VERSION}\n".encode())
        elif path != "/metrics":
            self.say(404, b"Here are /healthz and /metrics.\n")
        elif not self.bears_token():
            self.say(401, b"Send METRICS_TOKEN as a bearer token.\n")
        elif not _reading.acquire(timeout=_READING_SECONDS):
            self.say(503, b"The database or the cache does not answer.\n")
        else:
            try:
                self.say(200, read_everything(), CONTENT_TYPE_LATEST)
            finally:
                connections.close_all()
                _reading.release()

    def bears_token(self) -> bool:
        scheme, _space, token = self.headers.get("Authorization", "").partition(" ")
        wanted = settings.METRICS_TOKEN
        return not wanted or (
            scheme.lower() == "bearer" and secrets.compare_digest(token.strip().encode(), wanted.encode())
        )

    def say(self, status: int, body: bytes, content_type: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Bearer realm="metrics"')
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing: the default writes each request to standard error."""


class Server6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


def read_everything() -> bytes:
    everything = CollectorRegistry()
    everything.register(StateCollector())
    everything.register(SumCollector())
    return generate_latest(everything)


@contextmanager
def listening(host: str, port: int) -> Iterator[None]:
    """Answer on the port while the block runs; with 0 count nothing. Raises OSError when the port cannot be had."""
    if not port:
        yield
        return
    with TemporaryDirectory(prefix="console-metrics-") as folder:
        os.environ[FOLDER] = folder
        _fork_between_answers()
        with Server6((host, port), Answer) if ":" in host else ThreadingHTTPServer((host, port), Answer) as server:
            threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
            try:
                yield
            finally:
                server.shutdown()


def _fork_between_answers() -> None:
    """A web process that is started anew must not inherit a lock that a thread of ours holds at that moment."""
    held: list[bool] = []

    def release() -> None:
        if held.pop():
            _reading.release()

    os.register_at_fork(
        before=lambda: held.append(_reading.acquire(timeout=_READING_SECONDS)),
        after_in_parent=release,
        after_in_child=release,
    )
