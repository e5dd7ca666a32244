"""Demo data, in three sizes: an organisation to look around in, a connector to try, a database full of rows."""

from __future__ import annotations

import json
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.sandbox import ORGANISATION_NAME
from kaizala_console.demo import connector, organisation
from kaizala_console.demo.bulk import TrialData, TrialSizes
from kaizala_console.lib.errors import ConsoleError

SIZES = ("groups", "members", "connectors", "messages")
TRIAL = "--yes-this-is-a-trial-database"


class Command(BaseCommand):
    help = (
        "Make demo data. --json prints a fresh connector with its tokens as one JSON object; --first-run loads the "
        "demo organisation unless it is there; --groups, --members, --connectors and --messages fill the database."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """One of the three; the sizes go together."""
        parser.add_argument(
            "--json", action="store_true", help="make a demo connector and print what its program needs"
        )
        parser.add_argument("--first-run", action="store_true", help="load the demo organisation, once")
        for size in SIZES:
            parser.add_argument(f"--{size}", type=int, default=0, metavar="N", help=f"add so many {size}")
        parser.add_argument(
            TRIAL,
            action="store_true",
            dest="is_trial",
            help="needed outside of a sandbox, where demo data does not belong",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError for wrong sizes, for nothing to do, and outside of a sandbox without the word for it."""
        if not settings.SANDBOX and not options["is_trial"]:
            raise CommandError(
                "This console is not in sandbox mode: demo people, tokens and trial rows do not belong into it. "
                f"If this database is for trials and will be thrown away, say so: {TRIAL}"
            )
        sizes = {size: options[size] for size in SIZES}
        if any(number < 0 for number in sizes.values()):
            raise CommandError("A number of rows cannot be negative.")
        if options["first_run"]:
            self._first_run()
        if any(sizes.values()):
            self._fill(sizes)
        if options["json"]:
            self._connector()
        if not (options["json"] or options["first_run"] or any(sizes.values())):
            raise CommandError(f"Say what to make: --json, --first-run, or some of --{', --'.join(SIZES)}.")

    def _first_run(self) -> None:
        if organisation.load():
            self.stderr.write(f"Loaded the demo organisation “{ORGANISATION_NAME}”.")

    def _connector(self) -> None:
        try:
            given = connector.make()
        except ConsoleError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(given))

    def _fill(self, sizes: dict[str, int]) -> None:
        began = time.monotonic()
        written = TrialData(TrialSizes(**sizes)).run()
        made = ", ".join(f"{number:,} {size}" for size, number in written.items() if number)
        self.stderr.write(f"Made {made} in {time.monotonic() - began:.0f} seconds.")
