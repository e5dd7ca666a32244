"""Measures whether the console's lists keep their speed as their tables grow: the same pages, small and large.

    python -m bench lists [--rows 1000 1000000]     a database of its own: SQLite in a folder that is deleted afterwards
    DATABASE_URL=… python -m bench lists            PostgreSQL (an empty database for trials: demo data goes into it)

Every list is opened by somebody who sees all of it: the first page, and by its own link the page after. Times are the
server's alone (no network, no browser), the shortest of several: in these, other work on the machine shows least.
Statements are counted. `ratio` is large over small: what pages by key and the right indexes make about 1. Groups,
connectors and what stands on them stop at 100,000.

A database that has rows of an earlier run is measured as it is: then name the sizes from there on. For SQLite,
`BENCH_LISTS_FOLDER` is a folder that keeps them. `--only` measures the lists with these words in their names, and
`--part 2/3` the second third of them.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import re
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from bench.__main__ import begin_with_what_is_given

REPEATS = 9
LONG_ENOUGH = 2.0  # seconds: a slow list is not asked for nine times
Listed = tuple[str, Any, str]  # its name, who looks, the address
Opened = dict[tuple[int, str], tuple[Any, str]]  # by who looks, and the address: their browser, and what they saw
NEXT = re.compile(r'href="([^"]*)"[^>]*rel="next"|rel="next"[^>]*href="([^"]*)"')


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench lists", description="Measures lists, small and large.")
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 1_000_000], metavar="ROWS")
    parser.add_argument("--only", default="", help="lists with this in their name")
    parser.add_argument("--part", type=_part, default=(1, 1), metavar="K/N", help="the K-th of N parts of the lists")
    parser.add_argument("--repeats", type=int, default=REPEATS, help=f"of each ({REPEATS}; 0: count alone)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="console-lists-", ignore_cleanup_errors=True) as folder:
        os.environ |= {
            "CONSOLE_DATA_DIR": os.environ.get("BENCH_LISTS_FOLDER", folder),
            "SANDBOX_ON_POSTGRESQL": "1",
            "LOG_LEVEL": "error",
            "DJANGO_SETTINGS_MODULE": "kaizala_console.settings",
        }
        import django

        if "BENCH_LISTS_FOLDER" not in os.environ:
            begin_with_what_is_given(Path(folder))
        django.setup()
        from django.conf import settings
        from django.core.management import call_command

        settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
        call_command("collectstatic", verbosity=0, interactive=False)
        call_command("migrate", verbosity=0)
        chosen = partial(_chosen, only=options.only.lower(), part=options.part)
        lines = _measure(sorted(options.rows), options.repeats, chosen, say=not options.json)
    if options.json:
        print(json.dumps({"rows": sorted(options.rows), "lists": lines}))


def _part(text: str) -> tuple[int, int]:
    number, count = map(int, text.split("/"))
    if not 1 <= number <= count:
        raise ValueError(text)
    return number, count


def _chosen(lists: list[Listed], *, only: str, part: tuple[int, int]) -> list[Listed]:
    found = [one for one in lists if only in one[0].lower()]
    number, count = part
    return found[len(found) * (number - 1) // count : len(found) * number // count]


def _measure(
    sizes: list[int], repeats: int, chosen: Callable[[list[Listed]], list[Listed]], *, say: bool
) -> list[dict[str, Any]]:
    from bench import lists_pages
    from bench.lists_world import World

    def said(text: str) -> None:
        if say:
            print(text, flush=True)

    world = World()
    lines: dict[str, dict[str, Any]] = {}
    for rows in sizes:
        began = time.perf_counter()
        world.grow(rows, lambda what, seconds: said(f"  {seconds:>6.1f} s  {what}"))
        said(f"{rows:,} rows a table, made in {time.perf_counter() - began:.0f} s")
        began = time.perf_counter()
        opened: Opened = {}
        for name, user, path in chosen(lists_pages.lists(world)):
            milliseconds, statements = _timed(world, name, user, path, repeats, opened)
            line = lines.setdefault(name, {"name": name, "ms": [], "statements": []})
            line["ms"].append(round(milliseconds, 1))
            line["statements"].append(statements)
            line["ratio"] = round(line["ms"][-1] / (line["ms"][0] or 1), 2)
            if rows == sizes[-1]:
                said(_spelled(line))
        said(f"measured in {time.perf_counter() - began:.0f} s")
    return list(lines.values())


def _spelled(line: dict[str, Any]) -> str:
    times = " ".join(f"{each:>8.1f} ms" for each in line["ms"])
    return (
        f"{line['name']:<46} {times}  {line['ratio']:>6.2f} ×   {' → '.join(map(str, line['statements']))} statements"
    )


def _timed(world: Any, name: str, user: Any, path: str, repeats: int, opened: Opened) -> tuple[float, int]:
    """The fewest milliseconds that the server takes, and the statements of one answer.

    Whoever has opened the first page goes on from there to the next.
    """
    from django.db import connection

    client, first = opened.get((user.pk, path.removeprefix("next:")), (None, ""))
    client = client or world.browser_of(user)
    if path.startswith("next:"):
        path = path.removeprefix("next:")
        found = NEXT.search(first or client.get(path).content.decode())
        assert found, f"{name}: there is no next page"
        path = urljoin(path, html.unescape(found[1] or found[2]))
    statements: list[str] = []

    def counted(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(counted):
        answer = client.get(path)
    assert answer.status_code == 200, f"{name}: {answer.status_code} {answer.headers}"
    opened.setdefault((user.pk, path), (client, answer.content.decode()))
    times: list[float] = []
    while len(times) < repeats and sum(times) < LONG_ENOUGH * 1000:
        began = time.perf_counter()
        client.get(path)
        times.append((time.perf_counter() - began) * 1000)
    return min(times, default=0.0), len(statements)


if __name__ == "__main__":
    main()
