"""Measures the console's own web server beside granian, in front of the same console, in one run: as a ratio.

    python -m bench servers                                 SQLite, database cache
    DATABASE_URL=… REDIS_URL=… python -m bench servers      PostgreSQL and Redis (for trials: demo data goes into it)

Both have as many processes and threads, and are asked by the same client in turns. The microseconds are what the
processes of each compute for one request, application included: they say something on a busy machine too. Memory is
what they hold in the end, shared pages in parts (PSS). What the own server is for and granian cannot do: docs/adr/0068.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.__main__ import ROOT, Call, calls, console, free_port, measure

SERVERS = {
    "console": ["kaizala_console.server", "--workers", "2"],
    "granian": [
        *("granian", "--interface", "wsgi", "--no-ws", "--workers", "2", "--blocking-threads", "4"),
        *("--log-level", "warning", "kaizala_console.wsgi:application"),
    ],
}
LINE = (
    "{call:<24} {console:>9,.0f} /s {granian:>9,.0f} /s {ratio:>6.2f} × {console_us:>9,.0f} µs {granian_us:>9,.0f} µs"
)


@contextmanager
def serving(name: str, environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    """The server, ready, in front of the console that `environment` is about; yields its port and process."""
    port = free_port()
    command = [sys.executable, "-m", *SERVERS[name], "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment | {"CONSOLE_THREADS": "4"}, start_new_session=True)
    try:
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int) -> None:
    for _number in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("A server did not start.")


def _trivial() -> Call:
    return Call("GET /healthz", "GET", "/healthz", {})


def run(seconds: float, clients: int, rounds: int) -> dict[str, Any]:
    """Every call in turns, so that a busy moment of the machine meets both."""
    port = free_port()
    with (
        console(port) as environment,
        serving("console", environment) as (ours, our_pid),
        serving("granian", environment) as (theirs, their_pid),
    ):
        command = [sys.executable, "manage.py", "demo", "--json"]
        made = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        demo = json.loads(made.stdout)
        by_name = {call.name: call for call in calls(port, demo)}
        token = by_name["GET /v1/users/me"].headers
        measured = [
            by_name["GET /v1/accessToken"],
            Call("GET /v1/groups/{id}", "GET", f"/v1/groups/{demo['groupId']}", token),
            _trivial(),
        ]
        for one in (ours, theirs):
            _wait_for(one)
        servers = {"console": (ours, our_pid), "granian": (theirs, their_pid)}
        lines = [_compared(call, servers, seconds, clients, rounds) for call in measured]
        return {"calls": lines, "memory_mb": {"console": memory_of(our_pid), "granian": memory_of(their_pid)}}


def _compared(
    call: Call, servers: dict[str, tuple[int, int]], seconds: float, clients: int, rounds: int
) -> dict[str, Any]:
    rates: dict[str, list[float]] = {name: [] for name in servers}
    costs: dict[str, list[float]] = {name: [] for name in servers}
    for number in range(rounds + 1):
        for name, (port, pid) in servers.items():
            computed = seconds_of(pid)
            result = measure(call, port, seconds if number else 0.5, clients)  # the first is to warm up
            if result.wrong or not result.times:
                raise SystemExit(f"{result.name} was answered {result.wrong} by {name}.")
            if number:
                rates[name].append(len(result.times) / result.seconds)
                costs[name].append((seconds_of(pid) - computed) * 1_000_000 / len(result.times))
    medians = {name: round(statistics.median(found), 1) for name, found in rates.items()}
    computing = {f"{name}_us": round(statistics.median(found), 1) for name, found in costs.items()}
    ratio = round(medians["console"] / medians["granian"], 2)
    return {"call": call.name, **medians, "ratio": ratio, **computing}


def family_of(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in family_of(int(child)))]


def seconds_of(pid: int) -> float:
    """What a process and all that descend from it have computed so far."""
    ticks = 0
    for member in family_of(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> int:
    """Megabytes of a process and all that descend from it."""
    kilobytes = 0
    for member in family_of(pid):
        lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()
        kilobytes += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes // 1024


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench servers", description="Measures our web server by granian.")
    parser.add_argument("--seconds", type=float, default=3, help="for each round (3)")
    parser.add_argument("--clients", type=int, default=4, help="at once (4)")
    parser.add_argument("--rounds", type=int, default=5, help="of each call; the median counts (5)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    figures = run(options.seconds, options.clients, options.rounds)
    figures["where"] = {"processors": os.cpu_count(), "clients": options.clients}
    if options.json:
        print(json.dumps(figures))
        return
    print(f"{'':<22} {'console':>9}    {'granian':>9}    {'':>8} {'console':>9}    {'granian':>9}")
    for line in figures["calls"]:
        print(LINE.format_map(line))
    print("{:<22} {console:>9} MB {granian:>9} MB".format("memory", **figures["memory_mb"]))


if __name__ == "__main__":
    main()
