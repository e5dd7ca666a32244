"""Copies the database, the files and the keys of a console that runs without PostgreSQL."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from kaizala_console import backups


class Command(BaseCommand):
    help = "Copy database and files into one new folder and the keys into another, while the console runs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="for the database and the files")
        parser.add_argument("--keys", type=Path, required=True, metavar="FOLDER", help="for the keys, elsewhere")

    def handle(self, *args: Any, **options: Any) -> None:
        manifest = backups.write(options["folder"], options["keys"])
        self.stdout.write(f"Backed up the database and {len(manifest['files']) - 1} files. Keep the keys elsewhere.")
