"""Measures the wire side by side with peers, in one run: ratios first, since figures are a machine's own.

    make bench                      the table of docs/performance.md; needs PostgreSQL, Redis and wrk
    python -m bench pages           what the pages weigh in a browser (bench/pages.py)
    python -m bench.revocation, bench.webhooks, bench.bulk_upload     see each

PostgreSQL and Redis are those of DATABASE_URL and REDIS_URL, else what answers on the default local ports. Peers come
from the package index (and npm's, where there is node) into folders that are deleted afterwards. Every server has two
processes and is asked over 16 connections, in turns: a busy moment meets all. Throttles of the console are lifted;
nothing else differs from an installation. "1" is a bare Django view: one indexed SELECT by the ORM, one HMAC and a JSON
answer (for messages: one INSERT in a transaction), under gunicorn's ordinary worker. Processor time is that of the
server's processes and of PostgreSQL's for it, from /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from bench import servers
from bench.servers import Call, Server

CONNECTIONS = 16
# What is measured against what; the last is the call of the bare view that is 1.
ROWS = [
    ("A refresh token for an access token", "exchange", "read"),
    ("A call with an access token", "check", "read"),
    ("GET /v1/groups/{id}", "group", "read"),
    ("GET /v1/groups", "groups", "read"),
    ("GET /v1/groups/{id}/members", "members", "read"),
    ("POST /v1/groups/{id}/messages", "message", "write"),
]
SCRIPT = """
local calls, place = %s, 0
request = function()
  place = place %% #calls + 1
  return wrk.format(%s, nil, nil, calls[place])
end
"""


@dataclass
class Measured:
    """The rounds of one call of one server: answers a second, and microseconds of processor time for one answer."""

    per_second: list[float] = field(default_factory=list)
    own_us: list[float] = field(default_factory=list)
    database_us: list[float] = field(default_factory=list)


def load(server: Server, call: Call, seconds: float) -> tuple[float, float, float]:
    """Ask for so many seconds; answers a second, and the processor time of server and database for one, in µs."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s"]
    for name, value in call.headers.items():
        command += ["-H", f"{name}: {value}"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if call.method != "GET":
            bodies = "{" + ", ".join(json.dumps(body, ensure_ascii=False) for body in call.bodies) + "}"
            script.write(SCRIPT % (bodies, json.dumps(call.method)))
            script.flush()
            command += ["-s", script.name]
        before = _processor_seconds(server)
        said = subprocess.run(
            [*command, f"http://127.0.0.1:{server.port}{call.path}"], stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        spent = [after - earlier for after, earlier in zip(_processor_seconds(server), before, strict=True)]
    if "Non-2xx" in said:
        raise SystemExit(f"{server.name}, {call.name}: not all answers were as expected.\n{said}")
    found = re.search(r"(\d+) requests in ([\d.]+)s", said)
    assert found is not None, said
    answers = int(found[1])
    return answers / float(found[2]), spent[0] / answers * 1e6, spent[1] / answers * 1e6


def _processor_seconds(server: Server) -> tuple[float, float]:
    """What the server's processes, and PostgreSQL's for its database, have computed so far."""
    own = database = 0.0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_text()
        except OSError:
            continue  # it has just ended
        seconds = (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
        if int(after_name[3]) == server.process.pid:  # its session
            own += seconds
        elif server.database and command.startswith("postgres:") and f" {server.database} " in command:
            database += seconds
    return own, database


def run(seconds: float, rounds: int) -> dict[tuple[str, str], Measured]:
    """Every call of every server, in turns; by server and call."""
    import_servers = import_module("scripts.test")
    url, redis_url = import_servers.postgresql(), import_servers.redis_server()
    if url is None or redis_url is None:
        raise SystemExit("Start PostgreSQL and Redis, or set DATABASE_URL and REDIS_URL.")
    if not shutil.which("wrk"):
        import_servers.install("wrk, which sends the requests", "wrk")
    if not shutil.which("wrk"):
        raise SystemExit("Install wrk (in Debian a package of that name): it sends the requests.")
    with ExitStack() as stack:
        packages = stack.enter_context(servers.peer_packages())
        running = [
            stack.enter_context(servers.measured_console(url, redis_url)),
            *stack.enter_context(servers.django_peer(packages, url)),
            stack.enter_context(servers.authlib_peer(packages, url)),
        ]
        if shutil.which("npm"):
            running.append(stack.enter_context(servers.node_peer()))
        measured: dict[tuple[str, str], Measured] = {}
        for number in range(rounds + 1):  # the first is to warm up
            for server in running:
                for key, call in server.calls.items():
                    figures = load(server, call, seconds if number else 1)
                    if number:
                        found = measured.setdefault((server.name, key), Measured())
                        found.per_second.append(figures[0])
                        found.own_us.append(figures[1])
                        found.database_us.append(figures[2])
        return measured


def table(measured: dict[tuple[str, str], Measured]) -> list[str]:
    """In Markdown: what it is a multiple of, answers a second, processor time of server and database."""
    lines = ["| call | server | × bare Django | a second | processor, server + PostgreSQL |", "|---|---|--:|--:|--:|"]
    names = dict.fromkeys(name for name, _call in measured)
    for title, key, bare in ROWS:
        one = statistics.median(measured["bare Django", bare].per_second)
        rows = [("bare Django", bare)] + [(name, key) for name in names if (name, key) in measured]
        for row in rows:
            found = measured[row]
            rate, own, database = map(statistics.median, (found.per_second, found.own_us, found.database_us))
            name = f"**{row[0]}**" if row[0] == "console" else row[0]
            lines.append(f"| {title} | {name} | {rate / one:.2f} | {rate:,.0f} | {own:,.0f} + {database:,.0f} µs |")
            title = ""
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the wire beside its peers.")
    parser.add_argument("--seconds", type=float, default=5, help="for each call and round (5)")
    parser.add_argument("--rounds", type=int, default=3, help="of all calls in turns; the median counts (3)")
    options = parser.parse_args()
    lines = table(run(options.seconds, options.rounds))
    print("\n".join(lines))
    print(f"\nPython {platform.python_version()}, {os.cpu_count()} processors, {options.rounds} rounds.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["pages"]:
        import_module("bench.pages").main(sys.argv[2:])
    else:
        main()
