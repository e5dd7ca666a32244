"""Deletes what is older than the settings keep it, without waiting for beat."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.audit import retention as audit
from connectors.services import usage
from connectors.webhooks import management as webhooks
from groups.services import messages

PARTS = {
    "messages and actions (MESSAGE_DAYS)": (messages.list_expired, messages.prune),
    "audit events (AUDIT_DAYS)": (lambda: [audit.list_expired()], audit.prune),
    "counts of calls (USAGE_DAYS)": (usage.list_expired, usage.sweep),
    "events of webhooks (WEBHOOK_DAYS)": (lambda: [webhooks.list_expired()], webhooks.sweep),
}


class Command(BaseCommand):
    help = "Delete what is older than the settings keep it: messages, audit events, usage, deliveries of webhooks."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count, and delete nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        for name, (list_expired, prune) in PARTS.items():
            if options["dry_run"]:
                self.stdout.write(f"Would delete {sum(rows.count() for rows in list_expired()):,} {name}.")
            else:
                self.stdout.write(f"Deleted {prune():,} {name}.")
