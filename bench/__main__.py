"""Measures the wire of a real console: web, worker and timetable are started for it, and stopped afterwards.

    make bench                                  embedded: SQLite, database cache
    DATABASE_URL=… REDIS_URL=… make bench       PostgreSQL and Redis (a database for trials: demo data goes into it)
    python -m bench pages                       what the pages weigh in a browser (bench/pages.py)
    python -m bench peer                        the Token Service beside django-oauth-toolkit (bench/peer.py)

BENCH_DATABASE is a SQLite database whose migrations are applied: with it, a console on SQLite begins with a copy of it.

The client runs on the same machine and takes its share of the processors: compare runs with each other, on one
machine, and not with figures from elsewhere. Throttles are lifted; nothing else differs from an installation.
"""

import argparse
import http.client
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from itertools import count, islice
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_ports = count(os.getpid() * 8)  # that go on where the last one was free


@dataclass(frozen=True)
class Call:
    """One request, as programs send it."""

    name: str
    method: str
    path: str
    headers: dict[str, str]
    body: str = ""


@dataclass
class Result:
    """What one call came to; times in milliseconds."""

    name: str
    seconds: float
    times: list[float] = field(default_factory=list)
    wrong: dict[int, int] = field(default_factory=dict)

    def line(self) -> dict[str, object]:
        """Requests a second, and how long they took."""
        ordered = sorted(self.times)
        return {
            "call": self.name,
            "requests_per_second": round(len(ordered) / self.seconds, 1),
            "median_ms": round(statistics.median(ordered), 2) if ordered else None,
            "p99_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 2) if ordered else None,
            "not_as_expected": self.wrong,
        }


def free_port() -> int:
    """One that nobody listens on, below those that the system gives to others while the console starts.

    Another benchmark that runs at the same time begins elsewhere.
    """
    for number in islice(_ports, 8_000):
        port = 12_000 + number % 8_000
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise SystemExit("Every port is taken.")


def begin_with_what_is_given(folder: Path) -> None:
    """The migrations of a new database take longer than a short benchmark."""
    if "BENCH_DATABASE" in os.environ:
        shutil.copyfile(os.environ["BENCH_DATABASE"], folder / "console.sqlite3")


@contextmanager
def console(port: int) -> Iterator[dict[str, str]]:
    """A console of its own, ready; yields the environment that its commands need."""
    with tempfile.TemporaryDirectory(prefix="console-bench-", ignore_cleanup_errors=True) as folder:
        environment = {name: os.environ[name] for name in ("PATH", "DATABASE_URL", "REDIS_URL") if name in os.environ}
        environment |= {
            "CONSOLE_DATA_DIR": folder,
            "CONSOLE_PORT": str(port),
            "LOG_LEVEL": "error",  # refusals are warnings
            "SANDBOX_ON_POSTGRESQL": "1",
            "THROTTLE_CONNECTOR_PER_MINUTE": "100000000",
            "THROTTLE_TENANT_PER_MINUTE": "100000000",
        }
        begin_with_what_is_given(Path(folder))
        command = [sys.executable, "manage.py", "up"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if "is ready" in line:
                    break
            else:
                raise SystemExit(f"The console did not start (exit status {process.wait()}); its reason stands above.")
            yield environment
        finally:
            process.terminate()
            process.communicate()


def ask(connection: http.client.HTTPConnection, call: Call) -> tuple[int, bytes]:
    connection.request(call.method, call.path, body=call.body or None, headers=call.headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def measure(call: Call | list[Call], port: int, seconds: float, clients: int) -> Result:
    """Sends the call over and over, by so many clients at once, each on one connection; of several each its own."""
    own = call if isinstance(call, list) else [call]
    result = Result(own[0].name, seconds)
    lock = threading.Lock()
    until = time.perf_counter() + seconds

    def client(call: Call) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        times: list[float] = []
        wrong: dict[int, int] = {}
        while not times or time.perf_counter() < until:  # once, however late it comes to its turn
            began = time.perf_counter()
            status, _ = ask(connection, call)
            times.append((time.perf_counter() - began) * 1000)
            if not 200 <= status < 300:
                wrong[status] = wrong.get(status, 0) + 1
        connection.close()
        with lock:
            result.times += times
            for status, number in wrong.items():
                result.wrong[status] = result.wrong.get(status, 0) + number

    threads = [threading.Thread(target=client, args=(own[number % len(own)],)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return result


def calls(port: int, demo: dict[str, str]) -> list[Call]:
    """Step 4 of the setup, call by call."""
    credentials = {
        "applicationId": demo["connectorId"],
        "applicationSecret": demo["connectorSecret"],
        "refreshToken": demo["refreshToken"],
    }
    exchange = Call("GET /v1/accessToken", "GET", "/v1/accessToken", credentials)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    status, body = ask(connection, exchange)
    connection.close()
    if status != 200:
        raise SystemExit(f"GET /v1/accessToken answered {status}.")
    token = {"accessToken": json.loads(body)["accessToken"]}
    message = json.dumps({"message": "The truck has left."})
    group = f"/v1/groups/{demo['groupId']}"
    return [
        Call("GET /healthz", "GET", "/healthz", {}),
        exchange,
        Call("GET /v1/users/me", "GET", "/v1/users/me", token),
        Call("GET /v1/groups", "GET", "/v1/groups", token),
        Call("GET /v1/groups/{id}/members", "GET", f"{group}/members", token),
        Call(
            "POST /v1/groups/{id}/messages",
            "POST",
            f"{group}/messages",
            token | {"Content-Type": "application/json"},
            message,
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the wire of a real console.")
    parser.add_argument("--seconds", type=float, default=5, help="for each call (5)")
    parser.add_argument("--clients", type=int, default=4, help="at once (4)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    port = free_port()
    with console(port) as environment:
        made = subprocess.run(
            [sys.executable, "manage.py", "demo", "--json"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        lines = []
        for call in calls(port, json.loads(made.stdout)):
            measure(call, port, 0.5, options.clients)  # to warm up
            lines.append(measure(call, port, options.seconds, options.clients).line())
            if not options.json:
                print("{requests_per_second:>9} /s  {median_ms:>8} ms  {p99_ms:>8} ms  {call}".format_map(lines[-1]))
                if lines[-1]["not_as_expected"]:
                    print(f"{'':>9}     answers that were not as expected: {lines[-1]['not_as_expected']}")
    where = {
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "database": "PostgreSQL" if "DATABASE_URL" in os.environ else "SQLite",
        "cache": "Redis" if "REDIS_URL" in os.environ else "database",
        "clients": options.clients,
    }
    if options.json:
        print(json.dumps({"where": where, "calls": lines}))
    else:
        print(", ".join(f"{name} {value}" for name, value in where.items()))
    if any(line["not_as_expected"] for line in lines):
        sys.exit(1)


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in ("pages", "peer"):
        import_module(f"bench.{sys.argv[1]}").main(sys.argv[2:])
    else:
        main()
