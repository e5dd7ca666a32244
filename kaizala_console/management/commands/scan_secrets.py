"""Looks for secrets and tokens in files: before a commit, in a build, on a disk. Asks nobody, sends nothing."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from connectors import leak_scan

FOUND, NOT_ALL_READ = 1, 2


class Command(BaseCommand):
    help = (
        "Look for credentials of this console in files, and print where they stand: file, line, kind and public part, "
        "never the secret. In a git work tree the files that git ignores are left out. Exit status: 0 nothing found, "
        "1 something found, 2 not everything could be read."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file or a folder")
        parser.add_argument("--all", action="store_true", help="also the files that git ignores")

    def handle(self, *args: Any, **options: Any) -> None:
        files = found = 0
        unread: list[tuple[Any, OSError]] = []

        def cannot(problem: OSError) -> None:
            unread.append((problem.filename, problem))

        for root in options["paths"]:
            try:
                for path in leak_scan.files_under(root, ignored=options["all"], cannot=cannot):
                    files += 1
                    try:
                        for find in leak_scan.scan(path):
                            found += 1
                            self.stdout.write(str(find))
                    except OSError as error:
                        unread.append((path, error))
            except OSError as error:
                unread.append((root, error))
        for where, problem in unread:
            self.stderr.write(f"{where}: {problem.strerror}")
        self.stderr.write(f"{found} found in {files} files." + (f" {len(unread)} could not be read." if unread else ""))
        if found:
            self.stderr.write(
                "Revoke them, or report them at /console/report-leak/: a leaked credential stays leaked when its line "
                "is deleted."
            )
        if found or unread:
            sys.exit(FOUND if found else NOT_ALL_READ)
