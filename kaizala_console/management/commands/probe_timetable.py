"""Tells whether the timetable (Celery beat) is alive, for a container's health check."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Max
from django_celery_beat.models import PeriodicTask

from kaizala_console.lib import clock


class Command(BaseCommand):
    help = "Exit with 0 when the timetable has started something lately, else with 1 and a message."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        # Beat notes what it has started every three minutes.
        parser.add_argument("--within", type=int, default=600, metavar="SECONDS", help="how lately (600)")

    def handle(self, *args: Any, **options: Any) -> None:
        last = PeriodicTask.objects.filter(enabled=True).aggregate(last=Max("last_run_at"))["last"]
        if last is None:
            raise CommandError("The timetable has not started anything yet.")
        if clock.now() - last > timedelta(seconds=options["within"]):
            raise CommandError(
                f"The timetable has started nothing since {last:%Y-%m-%d %H:%M:%S} UTC: is beat running?"
            )
        self.stdout.write("ok")
