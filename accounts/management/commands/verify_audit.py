"""Looks through the whole audit trail, or an exported file, for anything that was changed behind the console's back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.audit import canonical, verify
from accounts.models import AuditEvent


class Command(BaseCommand):
    help = "Verify the audit trail: finds rows that were changed, removed, moved or added. Exits with 1 when it does."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--file", type=Path, help="verify an export in JSON Lines instead")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["file"]:
            faults, unchained = self._read_file(options["file"])
        else:
            faults, unchained = [fault.says for fault in verify.verify()], verify.describe_unchained()
        for says in faults:
            self.stdout.write(says)
        if unchained:
            self.stdout.write(self.style.WARNING(unchained))
        if faults:
            raise CommandError("The audit trail is NOT intact.")
        chained = AuditEvent.objects.filter(position__isnull=False)
        count = "" if options["file"] else f" of {chained.count()} chained events"
        self.stdout.write(f"Intact: the trail{count} is as the console wrote it.")

    def _read_file(self, path: Path) -> canonical.Verdict:
        try:
            with path.open(encoding="utf-8") as file:
                return canonical.verify_lines(file)
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"The file cannot be read: {error}") from error
