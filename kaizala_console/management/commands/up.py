"""The whole console by one command: prepares, starts web, workers and beat, and stops them together."""

import fcntl
import http.client
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from accounts.sandbox import IDENTITIES
from kaizala_console import static_files
from kaizala_console.celery import QUEUES
from kaizala_console.management.commands.serve import refuse_a_busy_port
from kaizala_console.processes import ManagedProgram, Processes

START_SECONDS = 60


class Command(BaseCommand):
    help = "Start the console: migrate, then web server, Celery workers and beat. Ctrl-C or SIGTERM stops all of them."

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = settings.CONSOLE_HOST, settings.CONSOLE_PORT
        refuse_a_busy_port(host, port)
        with single_instance(settings.DATA_DIR / "up.lock"):
            self.prepare()
            processes = Processes(say=self.stderr.write)
            processes.listen()
            try:
                web, *others = programs()
                processes.start(web)  # alone, as whoever started it waits for its first answer
                if processes.wait(until=lambda: answers(host, port), timeout=START_SECONDS):
                    for program in others:
                        processes.start(program)
                    self.stdout.write(welcome())
                    self.stdout.flush()
                    processes.wait()
                reason = get_exit_reason(processes)
            finally:
                if processes.stop_asked:
                    self.stdout.write("\nStopping …")
                processes.stop()
        if reason:
            raise CommandError(reason)
        self.stdout.write("Stopped.")

    def prepare(self) -> None:
        """Database, cache table, static files, and in a sandbox the demo organisation on the first run."""
        self.stdout.write("Preparing the database")
        call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable", verbosity=0)
        static_files.collect_if_changed()
        if settings.SANDBOX:
            call_command("demo", first_run=True)


def programs() -> list[ManagedProgram]:
    """The command lines of web server, workers and beat, in the order of their start."""
    celery = "celery --app kaizala_console --quiet"
    return [
        # `up` has just made the checks of the system.
        ManagedProgram("web", (sys.executable, str(settings.BASE_DIR / "manage.py"), "serve", "--skip-checks")),
        *workers(celery),
        python_program("beat", f"{celery} beat --pidfile="),
    ]


def workers(celery: str) -> list[ManagedProgram]:
    """A worker for each queue, so that none waits for another; in a sandbox, which sends little, one for all."""
    options = "--pool prefork --without-gossip --without-mingle --without-heartbeat"
    if settings.SANDBOX:
        line = f"{celery} worker --queues {','.join(QUEUES)} --concurrency 3 {options}"
        return [python_program("worker", line)]
    processes = {"celery": 2, "mail": 2, "sms": 2, "webhooks": 1}  # one sends many webhooks at once, by threads
    return [
        python_program(
            f"worker-{queue}",
            f"{celery} worker --queues {queue} --concurrency {processes[queue]} --hostname {queue}@%h {options}",
        )
        for queue in QUEUES
    ]


def python_program(name: str, module_and_arguments: str) -> ManagedProgram:
    """`python -m …` with this very interpreter."""
    # Celery warns of root at length; a sandbox in a container often is root, and holds nothing.
    quiet = ("-W", "ignore:You're running the worker with superuser") if settings.SANDBOX else ()
    return ManagedProgram(name, (sys.executable, *quiet, "-m", *module_and_arguments.split()))


@contextmanager
def single_instance(path: Path) -> Iterator[None]:
    """Two consoles on one data folder would send the same beat schedule twice."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(
                f"A console already runs on {path.parent}. Stop it, or give this one its own folder: CONSOLE_DATA_DIR=…"
            ) from error
        yield


def answers(host: str, port: int) -> bool:
    """Whether the web processes say that they can do their work."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    call = http.client.HTTPConnection(reachable, port, timeout=5)
    try:
        call.request("GET", "/readyz/web")
        return call.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        call.close()


def get_exit_reason(processes: Processes) -> str:
    """A sentence for the exit, or nothing when somebody asked for it."""
    if processes.stop_asked:
        return ""
    dead = processes.dead()
    if dead:
        return f"The {dead} process ended by itself, so everything was stopped. Its reason stands above."
    return f"The console did not get ready within {START_SECONDS} seconds, so everything was stopped."


def welcome() -> str:
    """Where it is, who one may be, and where the SMS go."""
    base = settings.CONSOLE_BASE_URL
    lines = ["", f"  Kaizala Console is ready:  {base}/", ""]
    if settings.SANDBOX:
        lines += ["  Sandbox: sign in as one of these, or as anyone else.", ""]
        width = max(len(identity.name) for identity in IDENTITIES)
        lines += [f"    {identity.name:<{width}}  {identity.number}  {identity.role}" for identity in IDENTITIES]
        lines += ["", f"  SMS inbox:  {base}/sandbox/sms", f"  Mails:      {settings.EMAIL_FILE_PATH}"]
    lines += ["", "  Ctrl-C stops everything.", ""]
    return "\n".join(lines)
