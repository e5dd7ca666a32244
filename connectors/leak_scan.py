"""Finds our credentials in files, without asking anybody: by their prefix, and by their checksum. Pure: knows no model.

A find is a text of the right form whose checksum is right; whether it is still accepted, only the console knows.
Compressed and encrypted files are not looked into.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors import token_format
from connectors.token_format import Kind

NAMES: Final = {Kind.SECRET: "connector secret", Kind.REFRESH: "refresh token", Kind.ACCESS: "access token"}
CHUNK_BYTES: Final = 16 * 1024 * 1024
LONGEST_CREDENTIAL: Final = 200
GIT_SECONDS: Final = 120

_CANDIDATE: Final = re.compile(token_format.PATTERN.pattern.encode("ascii"))
_MARKS: Final = (b"kzcs_", b"kzrt_", b"kzat_")
_WIDE_MARK: Final = b"k\0z\0"  # in UTF-16, as PowerShell writes it


@dataclass(frozen=True, slots=True)
class Find:
    """One credential in one line of one file. The secret part is not kept."""

    path: Path
    line: int
    kind: Kind
    public_part: str

    def __str__(self) -> str:
        name = str(self.path)
        shown = name if name.isprintable() else name.encode("unicode_escape", "surrogateescape").decode("ascii")
        return f"{shown}:{self.line}: {NAMES[self.kind]} {self.kind.value}{self.public_part}…"


def _fail(error: OSError) -> None:
    raise error


def files_under(root: Path, *, ignored: bool = False, cannot: Callable[[OSError], None] = _fail) -> Iterator[Path]:
    """Every regular file under `root`: in a git work tree, what git tracks or would add; elsewhere all of them.

    With `ignored` the files that git ignores as well; whoever names a folder that git ignores wants them too. Links are
    not followed. Raises OSError for no such path; `cannot` is told of folders that cannot be read, and raises too
    unless it is given.
    """
    if not root.is_dir():
        root.stat()
        yield root
        return
    listed = None if ignored else _listed_by_git(root)
    if listed is None:
        yield from _walked(root, cannot)
        return
    for name in listed:
        path = root / os.fsdecode(name)
        if path.is_symlink():
            continue
        if path.is_dir():  # a submodule, or a repository of its own; one that was not fetched is an empty folder
            is_own = (path / ".git").exists()
            yield from files_under(path, cannot=cannot) if is_own else _walked(path, cannot)
        elif path.is_file():
            yield path


def scan(path: Path) -> Iterator[Find]:
    """The credentials in one file, in order. Raises OSError when it cannot be read."""
    line, carried = 1, b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            more = len(chunk) == CHUNK_BYTES
            data = carried + chunk
            # What the next chunk may continue is looked at then.
            end = len(data) - LONGEST_CREDENTIAL * 2 if more else len(data)
            for offset, kind, public_part in _found_in(data, before=end):
                yield Find(path, line + data.count(b"\n", 0, offset), kind, public_part)
            line += data.count(b"\n", 0, end)
            carried = data[end:]


def _found_in(data: bytes, *, before: int) -> Iterator[tuple[int, Kind, str]]:
    if any(mark in data for mark in _MARKS):
        for match in _CANDIDATE.finditer(data):
            found = _checked(match.group())
            if found is not None and match.start() < before:
                yield match.start(), *found
    if _WIDE_MARK in data:
        for match in re.finditer(rb"(?:[\x20-\x7e]\0){70,}", data):
            for inner in _CANDIDATE.finditer(match.group().replace(b"\0", b"")):
                found = _checked(inner.group())
                at = match.start() + 2 * inner.start()
                if found is not None and at < before:
                    yield at, *found


def _checked(text: bytes) -> tuple[Kind, str] | None:
    parsed = token_format.begins(text.decode("ascii"))
    return None if parsed is None else (parsed.kind, parsed.public_part)


def _listed_by_git(root: Path) -> list[bytes] | None:
    """What git tracks or would add, relative to `root`; None where git cannot tell (no work tree) or ignores it all."""
    try:
        if _git(root, "check-ignore", "--quiet", "--no-index", ".").returncode == 0:
            return None
        listing = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    except (OSError, subprocess.SubprocessError):
        return None
    if listing.returncode or b"could not open directory" in listing.stderr:
        return None
    return sorted(set(filter(None, listing.stdout.split(b"\0"))))


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    # A repository's own configuration must not run anything here; and in a hook git's variables name another one.
    command = ["git", "-c", "core.fsmonitor=false", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {"LC_ALL": "C"}
    return subprocess.run(  # noqa: S603 - git with our own words; no shell
        command, cwd=folder, env=environment, capture_output=True, check=False, timeout=GIT_SECONDS
    )


def _walked(root: Path, cannot: Callable[[OSError], None]) -> Iterator[Path]:
    for folder, folders, names in os.walk(root, onerror=cannot):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path
