"""A console is backed up and restored into an empty one by the commands of docs/operating/backup.md."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from django.conf import settings as configured
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from pytest_django import Settings

from kaizala_console import backups
from kaizala_console.configuration import get_or_create_key
from kaizala_console.tests import migrated
from kaizala_console.tests.serving import ROOT, serving
from kaizala_console.tests.test_operating import blocks

pytestmark = pytest.mark.django_db
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301010018dd8db0"
    "0000000049454e44ae426082"
)
UNCLAIMED = (  # the demo connector, whose refresh tokens nobody has claimed yet
    "import json; from kaizala_console.demo import connector as c; c._claimed = lambda handoff, by: ''; "
    "print(json.dumps(c.make()))"
)
Run = Callable[[Path, str], str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs lines of a page, with `manage.py` on the path and one of two consoles around it."""
    shim = tmp_path / "bin" / "manage.py"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/manage.py "$@"\n')
    shim.chmod(0o755)

    def run(data: Path, lines: str) -> str:
        environment = {"PATH": f"{shim.parent}:{os.environ['PATH']}", "CONSOLE_DATA_DIR": str(data)} | variables(data)
        result = subprocess.run(
            ["sh", "-euc", lines],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    return run


def variables(data: Path) -> dict[str, str]:
    """Where that console has its database: in its folder, or one of its name beside that of the run."""
    if connection.vendor == "sqlite":
        return {}
    name, database = f"drill_{data.name}_{os.getpid()}", configured.DATABASES["default"]
    host, port = database["HOST"], str(database["PORT"] or 5432)
    user, password = database["USER"], database["PASSWORD"]
    return {
        "PGHOST": host,
        "PGPORT": port,
        "PGUSER": user,
        "PGPASSWORD": password,
        "PGDATABASE": name,
        "DATABASE_URL": f"postgresql://{user}:{password}@{host}:{port}/{name}",
        "SANDBOX_ON_POSTGRESQL": "1",
    }


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """The data folders of a console that is there and of one that is not yet."""
    old, new = tmp_path / "old", tmp_path / "new"
    migrated.put_into(old)
    if connection.vendor == "sqlite":
        yield old, new
        return
    parameters = {name.removeprefix("PG").lower(): value for name, value in variables(old).items() if name[:2] == "PG"}
    with psycopg.connect(
        host=parameters["host"],
        port=parameters["port"],
        user=parameters["user"],
        password=parameters["password"],
        dbname="postgres",
        autocommit=True,
    ) as server:
        server.execute(f'CREATE DATABASE "{variables(old)["PGDATABASE"]}"')
        try:
            yield old, new
        finally:
            for folder in (old, new):
                server.execute(f'DROP DATABASE IF EXISTS "{variables(folder)["PGDATABASE"]}" WITH (FORCE)')


def exchange(base: str, given: dict[str, Any], refresh_token: str) -> str:
    headers = {"applicationId": given["connectorId"], "applicationSecret": given["connectorSecret"]}
    answer = requests.get(f"{base}/v1/accessToken", headers=headers | {"refreshToken": refresh_token}, timeout=20)
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["accessToken"]
    return token


@pytest.mark.postgresql
def test_a_restored_console_goes_on_with_the_old_credentials(folders: tuple[Path, Path], run: Run) -> None:
    if connection.vendor == "postgresql" and shutil.which("pg_dump") is None:
        pytest.skip("pg_dump is not installed here")
    old, new = folders
    run(old, "manage.py migrate --verbosity 0")
    given = json.loads(run(old, "manage.py demo --json"))
    waiting = json.loads(run(old, f'manage.py shell --no-imports --command "{UNCLAIMED}"'))
    with serving(old, **variables(old)) as console:
        base = f"http://127.0.0.1:{console.port}"
        access_token = exchange(base, given, given["refreshToken"])
        files = {"file": ("plan.png", PNG, "image/png")}
        posted = requests.post(f"{base}/v1/media", files=files, headers={"accessToken": access_token}, timeout=20)
        assert posted.status_code == 200, posted.text
    page = blocks(ROOT / "docs" / "operating" / "backup.md")
    back_up, restore = [lines for kind, lines in page if kind == f"sh run {connection.vendor}"]

    run(old, back_up)
    if connection.vendor == "postgresql":  # the other command writes the keys, and puts them back
        shutil.copytree(old / "keys", new / "keys")
    assert "Intact" in run(new, restore)
    assert [path.read_bytes() for path in (new / "media").rglob("*") if path.is_file()] == [PNG]

    with serving(new, **variables(new)) as console:
        base = f"http://127.0.0.1:{console.port}"
        for token in (access_token, exchange(base, given, given["refreshToken"])):
            groups = requests.get(f"{base}/v1/groups", headers={"accessToken": token}, timeout=20)
            assert given["groupId"] in groups.text
        claimed = requests.post(
            f"{base}/v1/handoffs/claim",
            headers={"applicationId": waiting["connectorId"], "applicationSecret": waiting["connectorSecret"]},
            timeout=20,
        )
        assert exchange(base, waiting, claimed.json()["refreshToken"])
        assert requests.get(f"{base}/accounts/login/", timeout=20).status_code == 200
    another = json.loads(run(new, "manage.py demo --json"))  # registers, grants and claims by the same services
    assert another["connectorId"] != given["connectorId"]


# What the commands refuse ---------------------------------------------------------------------------------------------


@pytest.fixture
def console(tmp_path: Path, settings: Settings) -> Path:
    """A folder with `old`, the data of a console with a file in it, which is that of the run, and `new`, empty."""
    if connection.vendor != "sqlite":
        pytest.skip("a console without PostgreSQL")
    for name in ("old", "new"):
        for key in backups.KEYS:
            get_or_create_key(tmp_path / name, key)
    migrated.put_into(tmp_path / "old")
    (tmp_path / "old" / "bulk").mkdir()
    (tmp_path / "old" / "bulk" / "job").write_text("+919820000001")
    settings.DATA_DIR = tmp_path / "old"
    return tmp_path


def test_a_backup_holds_no_key_and_both_folders_are_for_their_owner_alone(console: Path) -> None:
    call_command("backup", console / "b", keys=console / "k", stdout=StringIO())
    key = (console / "old" / "keys" / "encryption_key").read_bytes().strip()
    assert not [path for path in (console / "b").rglob("*") if path.is_file() and key in path.read_bytes()]
    for folder in (console / "b", console / "k"):
        assert not [path for path in (folder, *folder.rglob("*")) if path.stat().st_mode & 0o077]


@pytest.mark.parametrize(("backup", "keys"), [("b", "b"), ("b", "b/k"), ("k/b", "k")])
def test_keys_are_kept_apart(console: Path, backup: str, keys: str) -> None:
    with pytest.raises(CommandError, match="Keep the keys apart"):
        call_command("backup", console / backup, keys=console / keys)


def damage(console: Path) -> None:
    (console / "b" / "bulk" / "job").write_text("+919820000002")


def lose(console: Path) -> None:
    (console / "b" / "bulk" / "job").unlink()


def exchange_keys(console: Path) -> None:
    shutil.copy(console / "new" / "keys" / "credential_pepper", console / "k")


def come_from_the_future(console: Path) -> None:
    database, manifest = console / "b" / backups.DATABASE, console / "b" / backups.MANIFEST
    with closing(sqlite3.connect(database)) as copy, copy:
        copy.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('groups', '9999_later', '2030-01-01')")
    said = json.loads(manifest.read_text())
    said["files"][backups.DATABASE] = backups.get_digest(database)
    manifest.write_text(json.dumps(said))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (damage, "changed or is damaged: bulk/job"),
        (lose, "no whole backup"),
        (exchange_keys, "not those of this backup"),
        (come_from_the_future, "of a newer version"),
    ],
)
def test_a_backup_that_cannot_work_is_not_restored(
    console: Path, settings: Settings, spoil: Callable[[Path], None], reason: str
) -> None:
    call_command("backup", console / "b", keys=console / "k", stdout=StringIO())
    spoil(console)
    settings.DATA_DIR = console / "new"
    with pytest.raises(CommandError, match=reason):
        call_command("restore", console / "b", keys=console / "k")
    assert not (console / "new" / "console.sqlite3").exists()
    assert not (console / "new" / "bulk").exists()


def test_nothing_is_overwritten(console: Path) -> None:
    call_command("backup", console / "b", keys=console / "k", stdout=StringIO())
    with pytest.raises(CommandError, match="is not empty"):
        call_command("backup", console / "b", keys=console / "other")
    with pytest.raises(CommandError, match="There is a database"):
        call_command("restore", console / "b", keys=console / "k")


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_console_on_postgresql_is_sent_to_its_page(settings: Settings, tmp_path: Path, command: str) -> None:
    settings.DATABASE_URL, settings.DATA_DIR = "postgresql://db.example.com/console", tmp_path
    with pytest.raises(CommandError, match=r"docs/operating/backup\.md"):
        call_command(command, tmp_path / "b", keys=tmp_path / "k")
