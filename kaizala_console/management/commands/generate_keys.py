"""Makes fresh keys for an operator to put into the configuration."""

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kaizala_console.lib.env import encode_key


class Command(BaseCommand):
    help = (
        "Print fresh values of SECRET_KEY, CREDENTIAL_PEPPERS, ACCESS_TOKEN_KEYS and ENCRYPTION_KEYS, or write each "
        "into a file. Works before anything is configured."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--into", type=Path, metavar="FOLDER", help="write a file for each (secret_key …), and print nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        today = f"{datetime.now(tz=UTC):%Y%m%d}"
        keys = {
            "SECRET_KEY": secrets.token_urlsafe(48),
            "CREDENTIAL_PEPPERS": f"{today}:{encode_key(secrets.token_bytes(32))}",
            "ACCESS_TOKEN_KEYS": f"{today}:{encode_key(secrets.token_bytes(32))}",
            "ENCRYPTION_KEYS": encode_key(secrets.token_bytes(32)),
        }
        if options["into"]:
            write_files(options["into"], keys)
            return
        for name, value in keys.items():
            self.stdout.write(f"{name}={value}")
        self.stderr.write(
            "To rotate a key, put the new one first and keep the old ones after it, with a space between. Without its "
            "pepper a credential is worthless, and without its key what was encrypted is lost. The key of access "
            "tokens is different: remove the old one when their hours are over, or at once when it leaked. "
            "Keep a copy where the database's backups are not."
        )


def write_files(folder: Path, keys: dict[str, str]) -> None:
    """A file for each key, for its owner alone. Raises CommandError rather than replace one."""
    paths = {folder / name.lower(): value for name, value in keys.items()}
    if there := [path.name for path in paths if path.exists()]:
        raise CommandError(f"{folder} has {', '.join(there)} already: without an old key what it protects is lost.")
    try:
        for path, value in paths.items():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(f"{value}\n")
    except OSError as error:
        raise CommandError(f"The keys cannot be written: {error}") from error
