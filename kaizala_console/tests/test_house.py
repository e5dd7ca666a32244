"""The repository keeps its own rules: migrations, a safe configuration, and nothing of one machine in it."""

import os
import re
import subprocess
import sys
from pathlib import Path

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


def is_vendored(path: Path) -> bool:
    return "vendor" in path.relative_to(ROOT).parts


@pytest.mark.django_db
def test_every_change_of_a_model_has_its_migration() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_a_production_configuration_passes_every_check_of_django(tmp_path: Path) -> None:
    environment = PRODUCTION | {"PATH": os.environ["PATH"], "CONSOLE_DATA_DIR": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=environment,
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
        if is_vendored(path):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in forbidden.finditer(text)]
    assert found == []


PINS = ("requirements", "requirements-s3", "requirements-dev")
_PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[.*?\])?==([^\s\\]+)", re.MULTILINE)


def pins_of(name: str) -> dict[str, str]:
    found = _PIN.findall((ROOT / name).read_text(encoding="utf-8"))
    return {re.sub("[-_.]+", "-", package).lower(): version for package, version in found}


@pytest.mark.parametrize("name", PINS)
def test_every_direct_requirement_is_pinned_says_why_it_is_there_and_is_locked(name: str) -> None:
    lines = (ROOT / f"{name}.in").read_text().splitlines()
    for line in (line for line in lines if line and not line.startswith(("#", "-r "))):
        assert re.fullmatch(r"[A-Za-z0-9_.-]+(\[[a-z0-9,]+\])?==\S+ +# \S.*", line), line
    assert pins_of(f"{name}.in").items() <= pins_of(f"{name}.txt").items(), "run make pins"


@pytest.mark.parametrize("name", PINS)
def test_every_locked_package_has_its_hashes_and_names_no_index(name: str) -> None:
    text = (ROOT / f"{name}.txt").read_text()
    for block in re.split(r"\n(?=[A-Za-z0-9])", text)[1:]:
        locked = r"[A-Za-z0-9_.-]+(?:\[[a-z0-9,]+\])?==\S+ \\\n    --hash=sha256:[0-9a-f]{64}"
        assert re.match(locked, block), block[:80]
    assert "://" not in text
    assert "--index" not in text


def test_what_is_locked_together_agrees() -> None:
    run, s3, dev = (pins_of(f"{name}.txt") for name in PINS)
    assert run.items() <= s3.items() <= dev.items()
    assert "boto3" not in run, "buckets are for those who have one"


def test_the_environment_is_the_one_that_is_pinned() -> None:
    from importlib.metadata import version

    for package, pinned in pins_of("requirements-dev.txt").items():
        assert version(package) == pinned, f"{package}: run make setup"


def test_every_service_of_the_compose_file_tells_its_health_and_takes_secrets_from_files() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    services = compose["services"]
    assert {"web", "worker", "beat", "postgres", "redis"} <= set(services)
    for name in ("web", "worker", "worker-mail", "worker-sms", "worker-webhooks", "beat", "postgres", "redis"):
        assert services[name]["healthcheck"]["test"], name
    for name in ("web", "worker", "worker-mail", "worker-sms", "worker-webhooks", "beat"):
        environment = services[name]["environment"]
        keys = ("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "CREDENTIAL_PEPPERS", "ACCESS_TOKEN_KEYS", "ENCRYPTION_KEYS")
        for variable in (*keys, "TWILIO_AUTH_TOKEN"):
            assert variable not in environment
            path = environment[f"{variable}_FILE"]
            assert path.removeprefix("/run/secrets/") in services[name]["secrets"]
            assert services[name]["read_only"] is True
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    queues = [part for service in services.values() for part in service.get("command", []) if "--queues=" in part]
    assert sorted(queues) == [f"--queues={queue}" for queue in sorted(QUEUES)], "each queue has a worker of its own"
    assert "requirepass" in services["redis"]["command"][-1]
    for secret in {name for service in services.values() for name in service.get("secrets", [])}:
        assert compose["secrets"][secret]["file"].startswith("./secrets/")


def test_the_image_does_not_run_as_root() -> None:
    last_stage = (ROOT / "Dockerfile").read_text().rsplit("\nFROM ", 1)[1]
    assert re.search(r"^USER console$", last_stage, re.MULTILINE)
    assert not re.search(r"^(ENV|ARG) .*(SECRET|TOKEN|PASSWORD)", last_stage, re.MULTILINE)


@pytest.mark.parametrize("script", ["scripts/setup", "scripts/find-python", "scripts/check", ".ci/run", "manage.py"])
def test_what_make_calls_can_be_executed(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
