"""Says whether Celery beat is alive, for a container's health check."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kaizala_console import queues
from kaizala_console.lib import clock


class Command(BaseCommand):
    help = "Exit with 0 when beat has sent something lately, else with 1 and a message."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--within", type=int, default=queues.BEAT_SILENT_SECONDS, metavar="SECONDS", help="how lately (300)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        sent = [entry.last_run_at for entry in queues.list_beat_schedule() if entry.last_run_at]
        if not sent:
            raise CommandError("Beat has not sent anything yet.")
        if clock.now() - max(sent) > timedelta(seconds=options["within"]):
            raise CommandError(f"Beat has sent nothing since {max(sent):%Y-%m-%d %H:%M:%S} UTC: is it running?")
        self.stdout.write("ok")
