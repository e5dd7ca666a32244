"""`/healthz`: the process answers, and which version it is. `/readyz`: it can do its work, each part "ok" or "down"."""

import secrets
from collections.abc import Callable

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError

from kaizala_console import static_files
from kaizala_console.celery import app

log = structlog.get_logger(__name__)


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers; a database in trouble must not get web processes restarted."""
    return HttpResponse(f"ok {settings.VERSION}\n", content_type="text/plain; charset=utf-8")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when database, migrations, cache, queue and static files are in order, else 503 with what is not."""
    report = {name: "ok" if passes(name, check) else "down" for name, check in CHECKS.items()}
    return JsonResponse(report, status=200 if set(report.values()) == {"ok"} else 503)


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


CHECKS: dict[str, Callable[[], bool]] = {
    "database": database_answers,
    "migrations": migrations_are_applied,
    "cache": cache_keeps,
    "queue": queue_takes_messages,
    "static files": static_files.are_collected,
}
