"""docs/operating and deploy/: every command is run here or says why not, and every file is read by its own program."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kaizala_console.tests import migrated

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted((ROOT / "docs" / "operating").glob("*.md"))
FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
UNITS = ("web", "worker@mail", "beat", "migrate")

pytestmark = pytest.mark.once


def blocks(page: Path) -> list[tuple[str, str]]:
    """What stands behind ``` and the lines of each block."""
    return FENCE.findall(page.read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_is_run_or_says_why_not(page: Path) -> None:
    for kind, _lines in blocks(page):
        assert re.fullmatch(r"sh run|sh run (sqlite|postgresql)|sh not run: needs .+|nginx", kind), kind
    assert not re.findall(r"^ {4}\S.*", FENCE.sub("", page.read_text()), re.MULTILINE), "commands stand in fences"


def test_pages_lead_to_what_is_there() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


RUN = [
    pytest.param(lines, id=page.stem)
    for page in PAGES
    if (lines := "".join(lines for kind, lines in blocks(page) if kind == "sh run"))
]


@pytest.mark.django_db  # or there is no database to begin with (migrated.py)
@pytest.mark.parametrize("lines", RUN)
def test_the_commands_run(lines: str, tmp_path: Path) -> None:
    """In a folder of their own, with a console that has been migrated and nothing else."""
    data = tmp_path / "data"
    migrated.put_into(data)
    shim = tmp_path / "bin" / "manage.py"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/manage.py "$@"\n')
    shim.chmod(0o755)
    (tmp_path / "company-ca.pem").write_text("")
    result = subprocess.run(
        ["sh", "-eux", "-c", lines],
        cwd=tmp_path,
        env={"PATH": f"{shim.parent}:{os.environ['PATH']}", "CONSOLE_DATA_DIR": str(data), "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stdout


# deploy/ ----------------------------------------------------------------------------------------------------------


def analyze(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", f"--root={root}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The root of a machine on which systemd.md was followed."""
    installed = tmp_path / "etc" / "systemd" / "system"
    shutil.copytree(ROOT / "deploy" / "systemd", installed)
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr" / "lib" / "systemd" / "system", symlinks=True)
    programs = tmp_path / "opt" / "kaizala-console" / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "celery"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    return tmp_path


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
@pytest.mark.parametrize("unit", UNITS)
def test_the_units_are_sound_and_sandboxed(units: Path, unit: str) -> None:
    name = f"kaizala-console-{unit}.service"
    verified = analyze(units, "verify", name)
    assert (verified.returncode, verified.stderr) == (0, "")
    security = analyze(units, "security", "--offline=true", "--threshold=15", name)  # of 100; ordinary services have 96
    assert security.returncode == 0, security.stdout


def test_each_queue_has_a_worker_in_the_page_for_systemd() -> None:
    from kaizala_console.celery import QUEUES

    named = re.findall(r"kaizala-console-worker@(\w+)", blocks(ROOT / "docs/operating/systemd.md")[3][1])
    assert sorted(named) == sorted(QUEUES)


@pytest.mark.parametrize("script", ["deploy/systemd/manage.py.sh"])
def test_scripts_are_shell(script: str) -> None:
    subprocess.run(["sh", "-n", str(ROOT / script)], check=True)


@pytest.mark.skipif(shutil.which("caddy") is None, reason="Caddy is not installed here")
def test_caddy_takes_its_file() -> None:
    command = ["caddy", "validate", "--adapter", "caddyfile", "--config", str(ROOT / "deploy" / "Caddyfile")]
    subprocess.run(command, check=True, timeout=60)


def test_a_shell_reads_the_example_as_it_is_written(tmp_path: Path) -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    settings = [line.lstrip("#") for line in lines if re.fullmatch(r"#?[A-Z][A-Z0-9_]+=.*", line)]
    (tmp_path / "env").write_text("\n".join(settings))
    result = subprocess.run(
        ["sh", "-euc", "set -a; . ./env; exec env -0"], cwd=tmp_path, env={}, capture_output=True, text=True, check=True
    )
    assert result.stderr == ""
    read = dict(variable.split("=", 1) for variable in result.stdout.rstrip("\0").split("\0"))
    for line in settings:
        name, value = line.split("=", 1)
        assert read[name] == value.strip("'")
