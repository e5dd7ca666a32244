"""Says whether a worker takes tasks from a queue, for a container's health check.

A worker whose processes all hang still answers `celery inspect ping`; it does no heartbeat.
"""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kaizala_console import celery, queues
from kaizala_console.celery import QUEUES
from kaizala_console.lib import clock


class Command(BaseCommand):
    help = "Exit with 0 when a worker has lately done a heartbeat from the queue, else with 1 and a message."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("queue", choices=QUEUES)
        parser.add_argument(
            "--within", type=int, default=queues.WORKER_SILENT_SECONDS, metavar="SECONDS", help="how lately (420)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        queue = options["queue"]
        at = celery.get_worker_heartbeat(queue)
        if at is None:
            raise CommandError(f"No worker has taken a heartbeat from the queue {queue} yet.")
        if clock.now() - at > timedelta(seconds=options["within"]):
            raise CommandError(f"No worker has taken a task from the queue {queue} since {at:%Y-%m-%d %H:%M:%S} UTC.")
        self.stdout.write("ok")
