"""Measures whether the console's lists keep their speed as their tables grow: the same pages, small and large.

    python -m bench lists [--rows 1000 1000000]     a database of its own: SQLite in a folder that is deleted afterwards
    DATABASE_URL=… python -m bench lists            PostgreSQL (a database for trials: demo data goes into it)

Every list is opened by somebody who sees all of it: the first page, and by its own link the page after. Times are the
server's alone (no network, no browser), the median of several; queries are counted. `ratio` is large over small: what
pages by key and the right indexes make about 1. Groups, connectors and what stands on them stop at 100,000.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

REPEATS = 9
NEXT = re.compile(r'href="([^"]*)"[^>]*rel="next"|rel="next"[^>]*href="([^"]*)"')
LINE = (
    "{name:<34} {small_ms:>8.1f} ms {large_ms:>8.1f} ms  {ratio:>5.2f} ×   {small_queries:>3} → {large_queries} queries"
)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench lists", description="Measures lists, small and large.")
    parser.add_argument("--rows", type=int, nargs=2, default=[1_000, 1_000_000], metavar=("SMALL", "LARGE"))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="console-lists-", ignore_cleanup_errors=True) as folder:
        os.environ |= {
            "CONSOLE_DATA_DIR": folder,
            "SANDBOX_ON_POSTGRESQL": "1",
            "LOG_LEVEL": "error",
            "DJANGO_SETTINGS_MODULE": "kaizala_console.settings",
        }
        import django

        django.setup()
        from django.conf import settings
        from django.core.management import call_command

        settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
        call_command("collectstatic", verbosity=0, interactive=False)
        call_command("migrate", verbosity=0)
        lines = _measure(*options.rows, say=not options.json)
    if options.json:
        print(json.dumps({"rows": options.rows, "lists": lines}))


def _measure(small: int, large: int, *, say: bool) -> list[dict[str, Any]]:
    from bench.lists_world import World

    world = World()
    world.grow(small)
    before = [_timed(world, *each) for each in world.lists()]
    began = time.perf_counter()
    world.grow(large)
    if say:
        print(f"{large:,} rows a table, made in {time.perf_counter() - began:.0f} s")
    lines = []
    for (name, _user, _path), (small_ms, small_queries), each in zip(world.lists(), before, world.lists(), strict=True):
        large_ms, large_queries = _timed(world, *each)
        line = {"name": name, "small_ms": round(small_ms, 1), "large_ms": round(large_ms, 1)}
        line |= {"ratio": round(large_ms / small_ms, 2), "small_queries": small_queries, "large_queries": large_queries}
        lines.append(line)
        if say:
            print(LINE.format_map(line))
    return lines


def _timed(world: Any, name: str, user: Any, path: str) -> tuple[float, int]:
    """The median of milliseconds that the server takes, and the queries of one answer."""
    from django.db import connection

    client = world.browser_of(user)
    if path.startswith("next:"):
        path = path.removeprefix("next:")
        first = client.get(path)
        found = NEXT.search(first.content.decode())
        assert found, f"{name}: there is no next page"
        path = urljoin(path, html.unescape(found[1] or found[2]))
    queries: list[str] = []

    def counted(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        queries.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(counted):
        answer = client.get(path)
    assert answer.status_code == 200, f"{name}: {answer.status_code} {answer.headers}"
    times = []
    for _number in range(REPEATS):
        began = time.perf_counter()
        client.get(path)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times), len(queries)


if __name__ == "__main__":
    main()
