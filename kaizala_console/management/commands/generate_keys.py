"""Prints fresh keys for an operator to copy into the configuration. Nothing is stored."""

import secrets
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand

from kaizala_console.lib.env import encode_key


class Command(BaseCommand):
    help = (
        "Print fresh values of SECRET_KEY, CREDENTIAL_PEPPERS, ACCESS_TOKEN_KEYS and ENCRYPTION_KEYS. "
        "Works before anything is configured."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        today = f"{datetime.now(tz=UTC):%Y%m%d}"
        self.stdout.write(f"SECRET_KEY={secrets.token_urlsafe(48)}")
        self.stdout.write(f"CREDENTIAL_PEPPERS={today}:{encode_key(secrets.token_bytes(32))}")
        self.stdout.write(f"ACCESS_TOKEN_KEYS={today}:{encode_key(secrets.token_bytes(32))}")
        self.stdout.write(f"ENCRYPTION_KEYS={encode_key(secrets.token_bytes(32))}")
        self.stderr.write(
            "To rotate a key, put the new one first and keep the old ones after it, with a space between. Without its "
            "pepper a credential is worthless, and without its key what was encrypted is lost. The key of access "
            "tokens is different: remove the old one when their hours are over, or at once when it leaked. "
            "Keep a copy where the database's backups are not."
        )
