"""The repository keeps its own rules: migrations, a safe configuration, and nothing of one machine in it."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command

from kaizala_console.celery import QUEUES
from kaizala_console.tests.production import PRODUCTION

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.once


def own_files() -> list[Path]:
    """What is under version control; in a copy without it, everything but what is made or vendored."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode == 0:
        return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]
    made = {".venv", "var", ".git", "__pycache__"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not made & set(path.relative_to(ROOT).parts)]


@pytest.mark.django_db
def test_every_change_of_a_model_has_its_migration() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_a_production_configuration_passes_every_check_of_django(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=PRODUCTION | {"PATH": os.environ["PATH"], "CONSOLE_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "no issues" in result.stdout


def test_nothing_of_one_machine_stands_in_the_repository() -> None:
    # Written in pieces, so that this file does not find itself.
    paths = ["/ro" + "ot/", "/wo" + "rk/", "/ho" + "me/[a-z]", "/Us" + "ers/", "/opt/" + "pypi"]
    hosts = [
        "py" + r"pi\.org",
        "python" + r"hosted\.org",
        "npm" + r"js\.org",
        "artifact" + "ory",
        "proxy" + r"\.golang",
    ]
    forbidden = re.compile("|".join([*(rf"(?<![\w.$}}]){path}" for path in paths), *hosts]))
    found = []
    for path in own_files():
        if "vendor" in path.relative_to(ROOT).parts:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in forbidden.finditer(text)]
    assert found == []


def test_the_compose_file_bounds_every_service_and_takes_secrets_from_files() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    services = compose["services"]
    for name, service in services.items():
        assert {"mem_limit", "pids_limit"} <= set(service), name
        assert service["logging"]["options"]["max-size"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert name == "migrate" or service["healthcheck"]["test"], name
    consoles = set(services) - {"postgres", "redis"}
    for name in consoles:
        environment = services[name]["environment"]
        assert not [variable for variable in environment if re.search("SECRET_KEY|KEYS|TOKEN|PASSWORD|_URL", variable)]
        assert f"./secrets:{environment['CONSOLE_SECRETS_DIR']}:ro" in services[name]["volumes"]
        assert services[name]["read_only"] is services[name]["init"] is True
        if name != "migrate":
            assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    queues = [part for service in services.values() for part in service.get("command", []) if "--queues=" in part]
    assert sorted(queues) == [f"--queues={queue}" for queue in sorted(QUEUES)], "each queue has a worker of its own"
    assert "requirepass" in services["redis"]["command"][-1]


def test_the_image_does_not_run_as_root() -> None:
    last_stage = (ROOT / "Dockerfile").read_text().rsplit("\nFROM ", 1)[1]
    assert re.search(r"^USER console$", last_stage, re.MULTILINE)
    assert not re.search(r"^(ENV|ARG) .*(SECRET|TOKEN|PASSWORD)", last_stage, re.MULTILINE)


# What make calls first --------------------------------------------------------------------------------------------


def fake_python(folder: Path, name: str, *, is_new: bool, has_venv: bool = True) -> Path:
    """A program that answers the two questions of scripts/find-python as a Python of that kind would."""
    path = folder / name
    path.write_text(
        "#!/bin/sh\n"
        f'case "$2" in *version_info*) exit {0 if is_new else 1} ;; *ensurepip*) exit {0 if has_venv else 1} ;; esac\n'
        f"echo {path}\n"
    )
    path.chmod(0o755)
    return path


def find(path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the script where the given folder comes first."""
    environment = {"PATH": f"{path}:/usr/bin:/bin", "HOME": str(path)} | variables
    return subprocess.run(
        ["/bin/sh", "scripts/find-python"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("is_new", "has_venv"), [(False, True), (True, False)])
def test_another_python_is_found_when_python3_is_too_old_or_cannot_make_environments(
    tmp_path: Path, is_new: bool, has_venv: bool
) -> None:
    fake_python(tmp_path, "python3", is_new=is_new, has_venv=has_venv)
    newer = fake_python(tmp_path, "python3.14", is_new=True)
    assert find(tmp_path).stdout.strip() == str(newer)


@pytest.mark.parametrize(
    ("is_new", "has_venv", "said"),
    [
        (True, False, "apt-get install python3-venv"),
        (False, True, "is no Python 3.11 or later"),
        (None, True, "is no Python 3.11 or later"),
    ],
    ids=["no venv module", "too old", "not there"],
)
def test_a_named_python_that_cannot_be_used_is_refused(
    tmp_path: Path, is_new: bool | None, has_venv: bool, said: str
) -> None:
    python = tmp_path / "named"
    if is_new is not None:
        fake_python(tmp_path, "named", is_new=is_new, has_venv=has_venv)
    result = find(tmp_path, PYTHON=str(python))
    assert result.returncode == 1
    assert said in result.stderr


# What the audit of packages says ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], 0, "No known vulnerability in 1 packages."),
        ([{"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]}], 1, "a 1: X-1, fixed in 2"),
        ([{"name": "a", "skip_reason": "no data"}], 2, "NOT AUDITED: no vulnerability data for a."),
        ([], 2, "NOT AUDITED: no vulnerability data for any package."),
    ],
)
def test_an_audit_without_data_is_none(
    packages: list[Any], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main = runpy.run_path(str(ROOT / "scripts" / "audit.py"))["main"]
    main.__globals__["ask"] = lambda: {"dependencies": packages}
    assert main() == status
    assert said in capsys.readouterr().out
