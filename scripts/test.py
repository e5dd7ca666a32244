"""Runs the suite on SQLite without any server, then on PostgreSQL and Redis what these could answer differently.

What is marked `long` waits for `--all`, which also runs on both everything that uses a database, and tries property
tests on more examples. Without the servers there is no second run.
Servers are those of DATABASE_URL and REDIS_URL, else whatever answers on the default local ports. Arguments go to
pytest. The last lines are pytest's own summary, so what ran where is said before.
"""

import getpass
import os
import secrets
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
import redis

ROOT = Path(__file__).resolve().parent.parent
# The first is Chromium without windows: the same engine, for two thirds of the processor time.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MONO = (
    "mono-mcs",
    "mono-runtime",
    "libmono-system-net-http4.0-cil",
    "libmono-system-runtime-serialization4.0-cil",
)
MOST_MINUTES = 40  # for each run; a test that hangs fails after five (pyproject.toml)
LOCAL_REDIS = "redis://127.0.0.1:6379/15"


def say(text: str) -> None:
    print(text, flush=True)


@cache
def may_install() -> bool:
    """Whether Debian's packages can be installed, as root can. Looks first at what there is."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    apt_get("update")  # when it fails, the list of yesterday may do
    return True


def apt_get(*arguments: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", arguments[0], "-qq", *arguments[1:]]
    if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode:
        say(f"apt-get {arguments[0]} failed.")


def install(what: str, *packages: str) -> None:
    """When it can be done; tests that need them say so themselves when not."""
    if may_install():
        say(f"Installing {what}")
        apt_get("install", "-y", "--no-install-recommends", *packages)


def chromium() -> str | None:
    """The system's own Chromium, installed when there is none and it can be; older Debians have only the second."""

    def found() -> str | None:
        return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)

    for package in BROWSERS[:2]:
        if not found():
            install("Chromium for the browser journeys", package)
    return found()


def csharp() -> bool:
    """Whether there is what runs C#: the SDK of .NET, or Mono, which is small and installed when it can be."""

    def found() -> bool:
        return bool(shutil.which("dotnet") or (shutil.which("mcs") and shutil.which("mono")))

    if not found():
        install("Mono for programs in C#", *MONO)
    return found()


def php() -> bool:
    if not shutil.which("php"):
        install("PHP for programs in it", "php-cli", "php-curl")
    return shutil.which("php") is not None


def postgresql() -> str | None:
    """The address of a PostgreSQL whose user may create databases, or None."""
    given = os.environ.get("DATABASE_URL")
    names = dict.fromkeys(filter(None, [os.environ.get("PGUSER"), "postgres", getpass.getuser()]))
    words = dict.fromkeys([os.environ.get("PGPASSWORD", ""), "", "postgres"])
    local = [
        f"postgresql://{quote(n)}{':' + quote(w, safe='') if w else ''}@127.0.0.1:5432/postgres"
        for n in names
        for w in words
    ]
    for url in [given] if given else local:
        if may_create_databases(url):
            return url
    if given:
        raise SystemExit(
            "DATABASE_URL is set, but does not answer, or its user may not create databases (ALTER ROLE … CREATEDB)."
        )
    return None


def may_create_databases(url: str) -> bool:
    try:
        # The database itself need not be there: tests make their own.
        with psycopg.connect(urlsplit(url)._replace(path="/postgres").geturl(), connect_timeout=2) as connection:
            row = connection.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user")
            return row.fetchone() == (True,)
    except psycopg.Error:
        return False


def redis_server() -> str | None:
    given = os.environ.get("REDIS_URL")
    try:
        redis.Redis.from_url(given or LOCAL_REDIS, socket_connect_timeout=2).ping()
    except redis.RedisError:
        if given:
            raise SystemExit("REDIS_URL is set, but nothing answers there.") from None
        return None
    return given or LOCAL_REDIS


def run(arguments: list[str], **variables: str) -> int:
    # Python keeps what it has compiled: the tests start hundreds of processes, and the second run all of it anew.
    left_out = {"DATABASE_URL", "REDIS_URL", "PYTHONDONTWRITEBYTECODE"}
    environment = {k: v for k, v in os.environ.items() if k not in left_out} | variables
    # One more than there are processors: a test often waits for a browser, a process or a server of its own.
    processes = os.environ.get("TEST_PROCESSES") or str((os.cpu_count() or 1) + 1)
    command = [sys.executable, "-m", "pytest", "-n", processes, "--dist", "worksteal", *arguments]
    try:
        return subprocess.run(command, cwd=ROOT, env=environment, check=False, timeout=MOST_MINUTES * 60).returncode
    except subprocess.TimeoutExpired:
        say(f"The run did not end within {MOST_MINUTES} minutes and was killed.")
        return 1


def forget(redis_url: str, run_id: str) -> None:
    """Takes this run's keys out of Redis, and no other."""
    client = redis.Redis.from_url(redis_url)
    for key in client.scan_iter(match=f"*{run_id}*", count=1000):
        client.delete(key)


def main() -> int:
    everything = "--all" in sys.argv[1:]
    given = [argument for argument in sys.argv[1:] if argument != "--all"]
    browser = chromium()
    variables = {"CHROMIUM": browser} if browser else {}
    database, queue = postgresql(), redis_server()
    say(f"Browser journeys: {browser or 'SKIPPED. Install Chromium, or name it: CHROMIUM=/path/to/chromium make test'}")
    if everything:
        for language, is_there in (("C#", csharp()), ("PHP", php()), ("Java", bool(shutil.which("java")))):
            if not is_there:
                say(f"Programs in {language}: SKIPPED. Install what runs them.")
    say(f"First run:  SQLite, no server{'' if everything else ', without what is marked long (make test-all)'}")
    if database and queue:
        say(f"Second run: PostgreSQL and Redis{'' if everything else ', what they could answer differently'}")
    else:
        missing = " and ".join(name for name, found in (("PostgreSQL", database), ("Redis", queue)) if not found)
        say(f"Second run: NONE, for want of {missing}. Start them, or set DATABASE_URL and REDIS_URL.")
    say("== SQLite, no server")
    # pytest's 5 is "nothing was collected", which is fine when a selection is given by hand.
    if everything:
        variables["CONSOLE_TEST_LONG"] = "1"
    first = run(["-m", "not services" if everything else "not services and not long", *given], **variables)
    if first == 2 or not (database and queue):  # 2: somebody stopped it
        return first
    say("== PostgreSQL and Redis")
    run_id = secrets.token_hex(4)
    try:
        # Also after a failure in the first: whoever mends that knows of all of them.
        second = run(
            ["-m", "not once" if everything else "postgresql and not once and not long", *given],
            DATABASE_URL=database,
            REDIS_URL=queue,
            CONSOLE_TEST_RUN=run_id,
            **variables,
        )
    finally:
        forget(queue, run_id)
    return second if first in {0, 5} else first


if __name__ == "__main__":
    sys.exit(main())
