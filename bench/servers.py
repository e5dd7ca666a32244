"""The servers that the benchmarks measure: a real console, and its peers, each with a database of its own."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psycopg

ROOT = Path(__file__).resolve().parent.parent
PROCESSES = 2  # of each server
TOKENS = 16  # that a peer has; one connection each
PEER_PACKAGES = [
    "Django==5.2.19",
    "django-oauth-toolkit==3.4.1",
    "oauthlib==3.3.1",
    "Authlib==1.9.10",
    "Flask==3.1.3",
    "Flask-SQLAlchemy==3.1.1",
    "psycopg[binary]==3.3.9",
    "gunicorn==27.0.1",
]
OIDC_PROVIDER = "oidc-provider@9.13.3"
_ports = count(os.getpid() * 8)  # that go on where the last one was free


@dataclass(frozen=True)
class Call:
    """One request, as programs send it; of several bodies or headers each connection takes the next."""

    name: str
    method: str
    path: str
    headers: dict[str, str]
    bodies: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class Server:
    """What answers at a port: its first process, the name of its database ("" is none), and what it is asked."""

    name: str
    port: int
    process: subprocess.Popen[str]
    database: str
    calls: dict[str, Call]


def free_port() -> int:
    """One that nobody listens on, below those that the system gives to others while a server starts.

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


def ask(port: int, call: Call) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(call.method, call.path, body=call.bodies[0] or None, headers=call.headers)
    answer = connection.getresponse()
    status, body = answer.status, answer.read()
    connection.close()
    return status, body


@contextmanager
def console(port: int, **settings: str) -> Iterator[dict[str, str]]:
    """A console of its own, ready; yields the environment that its commands need.

    BENCH_DATABASE is a SQLite database whose migrations are applied: with it, a console on SQLite begins with a copy.
    """
    with tempfile.TemporaryDirectory(prefix="console-bench-", ignore_cleanup_errors=True) as folder:
        environment = {name: os.environ[name] for name in ("PATH", "DATABASE_URL", "REDIS_URL") if name in os.environ}
        environment |= {
            "CONSOLE_DATA_DIR": folder,
            "CONSOLE_PORT": str(port),
            "LOG_LEVEL": "error",  # refusals are warnings
            "SANDBOX_ON_POSTGRESQL": "1",
            "THROTTLE_CONNECTOR_PER_MINUTE": "100000000",
            "THROTTLE_TENANT_PER_MINUTE": "100000000",
        } | settings
        if "BENCH_DATABASE" in os.environ:
            shutil.copyfile(os.environ["BENCH_DATABASE"], Path(folder) / "console.sqlite3")
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


def make_demo(environment: dict[str, str]) -> dict[str, str]:
    """A connector in a group, with its secrets, from `manage.py demo`."""
    made = subprocess.run(
        [sys.executable, "manage.py", "demo", "--json"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    demo: dict[str, str] = json.loads(made.stdout)
    return demo


@contextmanager
def database(url: str, name: str) -> Iterator[str]:
    """A database of this name and process on the server of `url`, empty; it is gone afterwards."""
    whole = f"bench_{name}_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {whole}")
        try:
            yield urlsplit(url)._replace(path=f"/{whole}").geturl()
        finally:
            connection.execute(f"DROP DATABASE {whole} WITH (FORCE)")


@contextmanager
def measured_console(url: str, redis_url: str) -> Iterator[Server]:
    """The web processes of a console, as in production: PostgreSQL, Redis, one thread a process. Nothing else runs."""
    port = free_port()
    with database(url, "console") as own, tempfile.TemporaryDirectory(prefix="console-bench-") as folder:
        environment = {"PATH": os.environ["PATH"], "DATABASE_URL": own, "REDIS_URL": redis_url}
        environment |= {
            "CONSOLE_DATA_DIR": folder,
            "CONSOLE_PORT": str(port),
            "CONSOLE_WORKERS": str(PROCESSES),
            "CONSOLE_THREADS": "1",
            "LOG_LEVEL": "error",
            "SANDBOX_ON_POSTGRESQL": "1",
            "THROTTLE_CONNECTOR_PER_MINUTE": "100000000",
            "THROTTLE_TENANT_PER_MINUTE": "100000000",
        }

        def manage(*arguments: str) -> None:
            subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, check=True)

        manage("migrate", "--verbosity", "0")
        demo = make_demo(environment)
        manage("recount_groups")  # which the worker does
        with _running([sys.executable, "manage.py", "serve"], ROOT, environment, port) as process:
            yield Server("console", port, process, urlsplit(own).path[1:], _calls(port, demo))


def _calls(port: int, demo: dict[str, str]) -> dict[str, Call]:
    credentials = {
        "applicationId": demo["connectorId"],
        "applicationSecret": demo["connectorSecret"],
        "refreshToken": demo["refreshToken"],
    }
    exchange = Call("GET /v1/accessToken", "GET", "/v1/accessToken", credentials)
    status, body = ask(port, exchange)
    if status != 200:
        raise SystemExit(f"GET /v1/accessToken answered {status}.")
    token = {"accessToken": json.loads(body)["accessToken"]}
    group = f"/v1/groups/{demo['groupId']}"
    message = json.dumps({"message": "The truck has left."})
    return {
        "exchange": exchange,
        "check": Call("GET /v1/users/me", "GET", "/v1/users/me", token),
        "group": Call("GET /v1/groups/{id}", "GET", group, token),
        "groups": Call("GET /v1/groups", "GET", "/v1/groups", token),
        "members": Call("GET …/members", "GET", f"{group}/members", token),
        "message": Call(
            "POST …/messages", "POST", f"{group}/messages", token | {"Content-Type": "application/json"}, (message,)
        ),
    }


@contextmanager
def peer_packages() -> Iterator[str]:
    """A folder with the peers' packages, fetched from the package index; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="console-peers-", ignore_cleanup_errors=True) as folder:
        install = [sys.executable, "-m", "pip", "install", "-qq", "--target", folder, *PEER_PACKAGES]
        subprocess.run(install, check=True)
        yield folder


@contextmanager
def django_peer(packages: str, url: str) -> Iterator[list[Server]]:
    """The bare Django views and django-oauth-toolkit, under gunicorn's ordinary worker."""
    port = free_port()
    with database(url, "django") as own:
        parts = urlsplit(own)
        settings = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": parts.path[1:],
            "USER": parts.username or "",
            "PASSWORD": parts.password or "",
            "HOST": parts.hostname or "",
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": None,
        }
        environment = _peer_environment(packages) | {"PEER_DATABASE": json.dumps(settings)}
        facts = _prepare("peer_django", environment)
        command = [*_gunicorn(port), "bench.peer_django:application"]
        with _running(command, ROOT, environment, port) as process:
            message = json.dumps({"message": "The truck has left."})
            bare = {
                "read": Call("one SELECT", "GET", "/read", {"X-Token": facts["token"]}),
                "write": Call("one INSERT", "POST", "/write", {"Content-Type": "application/json"}, (message,)),
            }
            bearer = {"Authorization": f"Bearer access-{TOKENS}"}
            toolkit = {
                "exchange": _refresh("/token/", facts, "refresh-{}"),
                "check": Call("GET /me", "GET", "/me", bearer),
            }
            name = parts.path[1:]
            yield [
                Server("bare Django", port, process, name, bare),
                Server("django-oauth-toolkit", port, process, name, toolkit),
            ]


@contextmanager
def authlib_peer(packages: str, url: str) -> Iterator[Server]:
    port = free_port()
    with database(url, "authlib") as own:
        address = urlsplit(own)._replace(scheme="postgresql+psycopg").geturl()
        environment = _peer_environment(packages) | {"PEER_DATABASE_URL": address}
        facts = _prepare("peer_authlib", environment)
        command = [*_gunicorn(port), "bench.peer_authlib:application"]
        with _running(command, ROOT, environment, port) as process:
            calls = {
                "exchange": _refresh("/token", facts, "refresh-{}"),
                "check": Call("GET /me", "GET", "/me", {"Authorization": "Bearer access-0"}),
            }
            yield Server("Authlib on Flask", port, process, urlsplit(own).path[1:], calls)


@contextmanager
def node_peer() -> Iterator[Server]:
    """Needs node and npm."""
    port = free_port()
    facts = {"client_id": "bench", "client_secret": "bench-secret"}
    with tempfile.TemporaryDirectory(prefix="console-node-", ignore_cleanup_errors=True) as folder:
        subprocess.run(["npm", "install", "--silent", "--no-save", OIDC_PROVIDER], cwd=folder, check=True)
        shutil.copyfile(ROOT / "bench" / "peer_oidc.mjs", Path(folder) / "peer_oidc.mjs")
        environment = {"PATH": os.environ["PATH"], "PORT": str(port), "NODE_ENV": "production"}
        with _running(["node", "peer_oidc.mjs"], Path(folder), environment, port) as process:
            introspected = urlencode(facts | {"token": "0" * 43})
            calls = {
                "exchange": _refresh("/token", facts, "{:0>43}"),
                "check": Call("introspection", "POST", "/token/introspection", dict(_FORM_HEADERS), (introspected,)),
            }
            yield Server("node oidc-provider", port, process, "", calls)


_FORM_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


def _refresh(path: str, facts: dict[str, str], token: str) -> Call:
    form = {"grant_type": "refresh_token"} | {name: facts[name] for name in ("client_id", "client_secret")}
    bodies = tuple(urlencode(form | {"refresh_token": token.format(number)}) for number in range(TOKENS))
    return Call(f"POST {path}", "POST", path, dict(_FORM_HEADERS), bodies)


def _peer_environment(packages: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": f"{packages}{os.pathsep}{ROOT}"}


def _gunicorn(port: int) -> list[str]:
    command = [sys.executable, "-m", "gunicorn", "--workers", str(PROCESSES), "--bind", f"127.0.0.1:{port}"]
    return [*command, "--log-level", "error"]


def _prepare(module: str, environment: dict[str, str]) -> dict[str, str]:
    command = [sys.executable, "-m", f"bench.{module}"]
    made = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    facts: dict[str, str] = json.loads(made.stdout)
    return facts


@contextmanager
def _running(
    command: list[str], folder: Path, environment: dict[str, str], port: int
) -> Iterator[subprocess.Popen[str]]:
    """The command, once something listens at the port; with all its processes it is gone afterwards."""
    process = subprocess.Popen(command, cwd=folder, env=environment, text=True, start_new_session=True)
    try:
        for _number in range(300):
            if process.poll() is not None:
                raise SystemExit(f"{' '.join(command)} ended with {process.returncode}.")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        else:
            raise SystemExit(f"{' '.join(command)} did not start.")
        yield process
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()
