"""`/metrics`, in the format of Prometheus, for whoever has `METRICS_TOKEN`. Without that setting there is nothing.

Requests are counted by the route that they took, never by the path: no id and no token becomes a label. Each web
process counts in memory and every few seconds writes what it has to a file of its own; the answer adds the files up.
Not by prometheus_client's own files for several processes: those are mapped into memory, where a full disk kills.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from kaizala_console import queues
from kaizala_console.api.routing import ROUTE
from kaizala_console.lib import clock
from kaizala_console.lib.write_behind import WriteBehind

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
        if not settings.METRICS_TOKEN:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = self.get_response(request)
        count_request(_get_route(request), request.method or "", response.status_code, time.perf_counter() - began)
        return response


def count_request(route: str, method: str, status: int, seconds: float) -> None:
    """Count one answer of this process."""
    REQUESTS.labels(route, method if method in _METHODS else "other", str(status)).inc()
    SECONDS.labels(route).observe(seconds)
    _snapshots.add("snapshot", None)


def _get_route(request: HttpRequest) -> str:
    route = request.META.get(ROUTE) or (request.resolver_match.route if request.resolver_match else "")
    return str(route) or _NOWHERE


class StateCollector(Collector):
    """What stands in the tables now: the same for every process, so no process counts it."""

    def collect(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily("kaizala_queue_waiting", "Rows that wait for the worker.", labels=["queue"])
        due = GaugeMetricFamily("kaizala_queue_due", "Of these, the ones that could be done now.", labels=["queue"])
        late = GaugeMetricFamily("kaizala_queue_late_seconds", "How long the oldest of those waits.", labels=["queue"])
        for queue in queues.list_queues():
            waiting.add_metric([queue.name], queue.waiting)
            due.add_metric([queue.name], queue.due)
            late.add_metric([queue.name], queue.late_seconds)
        yield from (waiting, due, late)
        messages = queues.count_broker_messages()
        if messages is not None:
            yield GaugeMetricFamily("kaizala_broker_messages", "Messages that no worker has taken.", value=messages)
        sent = [task.last_run_at for task in queues.list_beat_schedule() if task.last_run_at]
        if sent:
            silent = max(0.0, (clock.now() - max(sent)).total_seconds())
            yield GaugeMetricFamily("kaizala_timetable_silent_seconds", "Since beat last sent.", value=silent)
        seen = GaugeMetricFamily(
            "kaizala_worker_silent_seconds", "Since a worker took a heartbeat from the queue.", labels=["queue"]
        )
        for worker in queues.list_workers():
            if worker["at"] is not None:
                seen.add_metric([worker["queue"]], max(0.0, (clock.now() - worker["at"]).total_seconds()))
        yield seen


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Everything, as text. 404 without `METRICS_TOKEN`, 401 for who does not bear it."""
    wanted = settings.METRICS_TOKEN
    if not wanted:
        raise Http404
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secrets.compare_digest(token.strip().encode(), wanted.encode()):
        return HttpResponse(
            "Send METRICS_TOKEN as a bearer token.\n",
            status=401,
            content_type="text/plain; charset=utf-8",
            headers={"WWW-Authenticate": 'Bearer realm="metrics"'},
        )
    everything = CollectorRegistry()
    everything.register(StateCollector())
    everything.register(SumCollector())
    return HttpResponse(generate_latest(everything), content_type=CONTENT_TYPE_LATEST)


def write_snapshot(folder: Path) -> None:
    """Write what this process has counted to its file, all or nothing. Raises OSError."""
    draft = folder / f"{os.getpid()}.new"
    draft.write_bytes(generate_latest(COUNTED))
    draft.replace(draft.with_suffix(".prom"))


def forget_snapshots() -> None:
    """At a start: processes that are gone have left theirs behind."""
    for file in settings.METRICS_DIR.glob("*"):
        file.unlink()


# A write that fails is logged and tried again; meanwhile the counts stand in memory.
_snapshots: WriteBehind[str, None] = WriteBehind(
    "metrics",
    write=lambda _: write_snapshot(settings.METRICS_DIR),
    merge=lambda old, new: None,
    seconds=lambda: settings.USAGE_FLUSH_SECONDS,
)


class SumCollector(Collector):
    """What this process has counted, and what the others last wrote, added up."""

    def collect(self) -> Iterator[Metric]:
        own = f"{os.getpid()}.prom"
        texts = [file.read_text() for file in settings.METRICS_DIR.glob("*.prom") if file.name != own]
        families: dict[str, Metric] = {}
        sums: dict[str, _Sums] = {}
        for text in (generate_latest(COUNTED).decode(), *texts):
            for family in text_string_to_metric_families(text):
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
