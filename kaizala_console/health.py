"""`/healthz`: the process answers, and which version it is. `/readyz`: the console does its work, part by part.

`/readyz/web` leaves out what a load balancer cannot mend by asking another web process: workers, beat, mail and SMS.
"""

import secrets
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError

from kaizala_console import configuration, queues, static_files
from kaizala_console.celery import QUEUES, app

log = structlog.get_logger(__name__)


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers; a database in trouble must not get web processes restarted."""
    return HttpResponse(f"ok {settings.VERSION}\n", content_type="text/plain; charset=utf-8")


@require_safe
@never_cache
def readyz(request: HttpRequest, part: str = "") -> HttpResponse:
    """200 when everything is in order, else 503 with what is not. With the part "web", of web processes alone."""
    report = make_report(WEB_CHECKS if part else CHECKS)
    return JsonResponse(report, status=200 if set(report.values()) == {"ok"} else 503)


def make_report(checks: Mapping[str, Callable[[], bool]]) -> dict[str, str]:
    """Run the checks; "ok" or "down" for each."""
    return {name: "ok" if passes(name, check) else "down" for name, check in checks.items()}


def passes(name: str, check: Callable[[], bool]) -> bool:
    """Runs one check; any failure of it counts as down, and its kind goes to the log."""
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - each driver raises errors of its own; all of them mean "down"
        log.warning("readiness_check_failed", check=name, error=type(error).__name__)
        return False


def database_answers() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone() == (1,)


_migrated = False


def migrations_are_applied() -> bool:
    """Looks at the files until all are applied, then never again: a running process cannot get unmigrated code."""
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated


def cache_keeps() -> bool:
    """Two callers at the same moment must not disturb each other: each has its own key."""
    key, value = f"readyz:{secrets.token_hex(8)}", secrets.token_hex(8)
    cache.set(key, value, timeout=10)
    kept = bool(cache.get(key) == value)
    cache.delete(key)
    return kept


def queue_takes_messages() -> bool:
    """Reaches the broker; without Redis the queue is a folder, which must be there and be writable."""
    if not settings.REDIS_URL:
        folder = settings.DATA_DIR / "queue" / "messages"
        return folder.is_dir() and (folder.stat().st_mode & 0o300) == 0o300
    try:
        with app.connection_for_write(connect_timeout=2) as broker:
            broker.ensure_connection(max_retries=0)
    except (OperationalError, OSError):
        return False
    return True


def data_disk_has_room() -> bool:
    """A megabyte can be written; raises ImproperlyConfigured when not."""
    configuration.require_free_space(settings.DATA_DIR)
    return True


def database_disk_has_room() -> bool:
    """The database takes what is written. PostgreSQL sorts more than fits its memory, which it writes to its disk."""
    if connection.vendor == "sqlite":
        configuration.require_free_space(Path(connection.settings_dict["NAME"]).parent)
        return True
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = 64")
        cursor.execute("SELECT count(*), current_setting('transaction_read_only') FROM generate_series(1, 10000)")
        return cursor.fetchone() == (10_000, "off")


WEB_CHECKS: dict[str, Callable[[], bool]] = {
    "database": database_answers,
    "migrations": migrations_are_applied,
    "cache": cache_keeps,
    "queue": queue_takes_messages,
    "static files": static_files.are_collected,
    "data disk": data_disk_has_room,
    "database disk": database_disk_has_room,
}
CHECKS = WEB_CHECKS | {
    "beat": queues.beat_is_alive,
    **{f"worker {queue}": partial(queues.worker_is_alive, queue) for queue in QUEUES},
    "mail": queues.mails_leave,
    "sms": queues.sms_leave,
}
