"""Measures the Token Service beside django-oauth-toolkit, in one run: as a ratio, since figures are a machine's own.

    python -m bench peer            fetches the peer from the package index, into a folder that is deleted afterwards

Both trade a refresh token for an access token, and answer one call that needs it; both run on SQLite with the same
settings and the same server, with as many processes and threads, asked by the same client in turns. The peer writes
each access token into a table, and the console signs it; the peer keeps client secrets under a slow hash as it ships,
and in clear when it is told so.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bench.__main__ import ROOT, Call, calls, console, free_port, measure

PINS = ["django-oauth-toolkit==3.4.1", "oauthlib==3.3.1"]  # what it needs besides is in requirements-dev.txt
LINE = "{call:<44} {ours:>9,.0f} /s {peer:>9,.0f} /s {ratio:>8.1f} ×"


@contextmanager
def peer(port: int) -> Iterator[dict[str, str]]:
    """The peer, ready; yields its clients."""
    with tempfile.TemporaryDirectory(prefix="console-peer-", ignore_cleanup_errors=True) as folder:
        packages = Path(folder) / "packages"
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(packages), *PINS]
        subprocess.run(install, check=True)
        environment = os.environ | {
            "PYTHONPATH": f"{packages}{os.pathsep}{ROOT}",
            "PEER_DATABASE": str(Path(folder) / "peer.sqlite3"),
        }
        command = [sys.executable, "-m", "bench.peer_project"]
        made = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        # As in kaizala_console/processes.py.
        serve = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
        serve += ["--workers", "2", "--blocking-threads", "4", "--no-ws", "--log-level", "warning"]
        process = subprocess.Popen([*serve, "bench.peer_project:application"], cwd=ROOT, env=environment)
        try:
            _wait_for(f"http://127.0.0.1:{port}/me")
            yield json.loads(made.stdout)
        finally:
            process.terminate()
            process.wait()


def _wait_for(address: str) -> None:
    for _number in range(150):
        try:
            urllib.request.urlopen(address, timeout=1)
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("The peer did not start.")


def _exchanges(facts: dict[str, str], kind: str, clients: int) -> list[Call]:
    """One for each of our clients, with a refresh token of its own."""
    head = {"Content-Type": "application/x-www-form-urlencoded"}
    forms = [
        {
            "grant_type": "refresh_token",
            "refresh_token": f"refresh-{kind}-{number}",
            "client_id": facts[f"{kind}_id"],
            "client_secret": facts[f"{kind}_secret"],
        }
        for number in range(clients)
    ]
    return [Call("POST /token/", "POST", "/token/", head, urlencode(form)) for form in forms]


def run(seconds: float, clients: int, rounds: int) -> list[dict[str, Any]]:
    """Every pair, in turns, so that a busy moment of the machine meets both."""
    ours, theirs = free_port(), free_port()
    with console(ours) as environment, peer(theirs) as facts:
        command = [sys.executable, "manage.py", "demo", "--json"]
        made = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        by_name = {call.name: call for call in calls(ours, json.loads(made.stdout))}
        exchange, call = [by_name["GET /v1/accessToken"]], [by_name["GET /v1/users/me"]]
        guarded = [Call("GET /me", "GET", "/me", {"Authorization": "Bearer access-call-0"})]
        pairs = [
            ("exchange; the peer's secrets hashed", exchange, _exchanges(facts, "hashed", clients)),
            ("exchange; the peer's secrets in clear", exchange, _exchanges(facts, "clear", clients)),
            ("a call with an access token", call, guarded),
        ]
        return [_compared(name, (one, ours), (other, theirs), seconds, clients, rounds) for name, one, other in pairs]


def _compared(
    name: str, ours: tuple[list[Call], int], peers: tuple[list[Call], int], seconds: float, clients: int, rounds: int
) -> dict[str, Any]:
    rates: dict[str, list[float]] = {"ours": [], "peer": []}
    for number in range(rounds + 1):
        for key, (call, port) in (("ours", ours), ("peer", peers)):
            result = measure(call, port, seconds if number else 0.5, clients)  # the first is to warm up
            if result.wrong:
                raise SystemExit(f"{result.name} answered {result.wrong}.")
            if number:
                rates[key].append(len(result.times) / result.seconds)
    one, other = statistics.median(rates["ours"]), statistics.median(rates["peer"])
    return {"call": name, "ours": round(one, 1), "peer": round(other, 1), "ratio": round(one / other, 2)}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench peer", description="Measures beside django-oauth-toolkit.")
    parser.add_argument("--seconds", type=float, default=3, help="for each round (3)")
    parser.add_argument("--clients", type=int, default=4, help="at once (4)")
    parser.add_argument("--rounds", type=int, default=3, help="of each pair; the median counts (3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if "DATABASE_URL" in os.environ:
        raise SystemExit("The peer runs on SQLite: unset DATABASE_URL.")
    lines = run(options.seconds, options.clients, options.rounds)
    if options.json:
        print(json.dumps({"peer": PINS[0], "calls": lines}))
        return
    print(f"{'':<44} {'console':>9}    {PINS[0].split('=')[0]:>9}")
    for line in lines:
        print(LINE.format_map(line))


if __name__ == "__main__":
    main()
