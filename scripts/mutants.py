"""Breaks the rules of mutants.toml, one after the other in a copy, and fails when a rule's own tests do not notice.

`make mutants`; arguments are words of the rules to be broken, else all are. Each breach must be found in its file
exactly once: when the code has changed, the table must change with it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
AT_ONCE = int(os.environ.get("TEST_PROCESSES", "2"))
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "var", "__pycache__", ".*_cache", "test-results", ".hypothesis")


class Mutant(NamedTuple):
    """One rule, broken."""

    file: str
    rule: str
    old: str
    new: str
    tests: list[str]


def table() -> list[Mutant]:
    rows = tomllib.loads((ROOT / "scripts" / "mutants.toml").read_text())
    return [
        Mutant(file, rule, old, new, tests.split()) for file, ones in rows.items() for rule, old, new, tests in ones
    ]


def copy(number: int, folder: Path) -> Path:
    """The tree, where it may be broken; with a database that its runs keep."""
    there = folder / f"copy{number}"
    shutil.copytree(ROOT, there, ignore=NOT_COPIED)
    (there / ".venv").symlink_to((ROOT / ".venv").resolve())
    return there


def outcome(there: Path, tests: list[str]) -> int:
    """pytest's exit status: 0 when all pass, 1 when a test fails, else something that is no answer."""
    environment = os.environ | {"CONSOLE_TEST_DATA_DIR": str(there / "data")}
    command = [
        ".venv/bin/python",
        "-m",
        "pytest",
        "-q",
        "-x",
        "--reuse-db",
        "-m",
        "not journey and not services",
        *tests,
    ]
    environment.pop("DATABASE_URL", None), environment.pop("REDIS_URL", None)
    return subprocess.run(
        command, cwd=there, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    ).returncode


def verdict(mutant: Mutant, there: Path) -> str:
    """What is wrong; "" when the breach was noticed."""
    source, original = there / mutant.file, (ROOT / mutant.file).read_text()
    if original.count(mutant.old) != 1:
        return f"stands {original.count(mutant.old)} times in {mutant.file}"
    source.write_text(original.replace(mutant.old, mutant.new))
    status = outcome(there, mutant.tests)
    source.write_text(original)
    return {0: "SURVIVED: no test noticed", 1: ""}.get(status, f"pytest ended with {status}")


def main() -> int:
    chosen = [one for one in table() if not sys.argv[1:] or any(word in one.rule for word in sys.argv[1:])]
    missing = {name for one in chosen for name in one.tests if not (ROOT / name.partition("::")[0]).exists()}
    if missing:
        print("These tests are gone:", *sorted(missing), sep="\n  ")
        return 1
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(AT_ONCE) as threads:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(AT_ONCE):
            copies.put(copy(number, Path(folder)))
        unbroken = copies.get()
        if outcome(unbroken, sorted({name for one in chosen for name in one.tests})) != 0:
            print("Some of these tests fail although nothing is broken: run make test first.")
            return 1
        copies.put(unbroken)

        def look(mutant: Mutant) -> tuple[Mutant, str]:
            there = copies.get()
            try:
                return mutant, verdict(mutant, there)
            finally:
                copies.put(there)

        for mutant, problem in threads.map(look, chosen):
            print(f"{problem or 'noticed':<28} {mutant.file}: {mutant.rule}", flush=True)
            wrong += bool(problem)
    print(f"{len(chosen) - wrong} of {len(chosen)} breaches were noticed.")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
