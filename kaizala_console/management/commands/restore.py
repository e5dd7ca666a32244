"""Puts what `manage.py backup` wrote into an empty data folder."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from kaizala_console import backups
from kaizala_console.management.commands.up import single_instance


class Command(BaseCommand):
    help = "Check a backup and put it into the data folder, which must have no database yet."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="with the database and the files")
        parser.add_argument("--keys", type=Path, required=True, metavar="FOLDER", help="with the keys")

    def handle(self, *args: Any, **options: Any) -> None:
        with single_instance(settings.DATA_DIR / "up.lock"):
            manifest = backups.restore(options["folder"], options["keys"])
        self.stdout.write(
            f"Restored the console of {backups.describe_moment(manifest)}. Run `manage.py migrate`, and start it."
        )
