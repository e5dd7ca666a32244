"""Looks for secrets and tokens in files: before a commit, in a build, on a disk. Asks nobody, sends nothing.

docs/gitleaks.toml is the same for gitleaks, which also reads a repository's history; only here the checksum is checked.
"""

import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from connectors import token_format
from connectors.token_format import CredentialKind

FOUND, NOT_ALL_READ = 1, 2
NAMES = {
    CredentialKind.SECRET: "connector secret",
    CredentialKind.REFRESH: "refresh token",
    CredentialKind.ACCESS: "access token",
}


def list_files(root: Path, *, ignored: bool = False) -> Iterator[Path]:
    """Every regular file: in a git work tree what git tracks or would add, elsewhere or with `ignored` all."""
    if not root.is_dir():
        root.stat()
        yield root
        return
    # A hook's variables name another repository, and a repository's own configuration must not run anything here.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "core.fsmonitor=false", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, cwd=root, env=environment, capture_output=True, check=True).stdout  # noqa: S603 - our own words
    except (OSError, subprocess.CalledProcessError):
        listing = b""  # no work tree
    paths = (root / os.fsdecode(name) for name in sorted(set(listing.split(b"\0"))) if name)
    for path in paths if listing and not ignored else sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def find_credentials(data: bytes) -> Iterator[tuple[int, CredentialKind, str]]:
    """The line, kind and public part of each credential: of the right form, and with the right checksum."""
    text = data.replace(b"\0", b"").decode("latin-1")  # without NUL, UTF-16 reads as ASCII does: PowerShell writes it
    for match in token_format.PATTERN.finditer(text):
        parsed = token_format.begins(match.group())
        if parsed is not None:
            yield text.count("\n", 0, match.start()) + 1, parsed.kind, parsed.public_part


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
        files = found = unread = 0
        for root in options["paths"]:
            try:
                for path in list_files(root, ignored=options["all"]):
                    files += 1
                    for line, kind, public_part in find_credentials(path.read_bytes()):
                        found += 1
                        self.stdout.write(f"{_shown(path)}:{line}: {NAMES[kind]} {kind.value}{public_part}…")
            except OSError as problem:
                unread += 1
                self.stderr.write(f"{problem.filename}: {problem.strerror}")
        self.stderr.write(f"{found} found in {files} files." + (f" {unread} could not be read." if unread else ""))
        if found:
            self.stderr.write(
                "Revoke them, or report them at /console/report-leak/: a leaked credential stays leaked when its line "
                "is deleted."
            )
        if found or unread:
            sys.exit(FOUND if found else NOT_ALL_READ)


def _shown(path: Path) -> str:
    name = str(path)
    return name if name.isprintable() else name.encode("unicode_escape", "surrogateescape").decode("ascii")
