"""The small commands and checks for operators."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.core.management.base import CommandError

from kaizala_console import checks
from kaizala_console.lib.env import Environment

ROOT = Path(__file__).resolve().parent.parent.parent


def test_fresh_keys_are_what_the_settings_read_and_never_the_same_twice() -> None:
    def fresh() -> dict[str, str]:
        out = StringIO()
        call_command("generate_keys", stdout=out, stderr=StringIO())
        return dict(line.split("=", 1) for line in out.getvalue().splitlines())

    keys, others = fresh(), fresh()
    env = Environment(keys)
    assert len(keys["SECRET_KEY"]) >= 50
    assert len(env.key_ring("CREDENTIAL_PEPPERS")) == 1
    assert len(env.key_ring("ACCESS_TOKEN_KEYS")) == 1
    assert len(env.key_list("ENCRYPTION_KEYS")) == 1
    assert env.problems == []
    assert not set(keys.values()) & set(others.values())


def test_fresh_keys_are_written_into_a_folder_once(tmp_path: Path) -> None:
    call_command("generate_keys", into=tmp_path)
    env = Environment({"CONSOLE_SECRETS_DIR": str(tmp_path)})
    assert len(env.secret("SECRET_KEY")) >= 50
    assert env.key_ring("CREDENTIAL_PEPPERS")
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    (tmp_path / "secret_key").unlink()
    with pytest.raises(CommandError, match="has credential_peppers, access_token_keys, encryption_keys already"):
        call_command("generate_keys", into=tmp_path)
    assert not (tmp_path / "secret_key").exists()


def test_keys_can_be_printed_while_the_configuration_still_lacks_them() -> None:
    result = subprocess.run(
        [sys.executable, "manage.py", "generate_keys"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "CONSOLE_MODE": "production"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert re.search(r"^CREDENTIAL_PEPPERS=\d{8}:base64,", result.stdout, re.MULTILINE)


def test_any_other_command_tells_what_is_missing_without_a_traceback() -> None:
    result = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "CONSOLE_MODE": "production"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("The console cannot start as a production installation:\n  - ")
    assert "Traceback" not in result.stderr


def test_a_sandbox_is_no_deployment(settings: LazySettings) -> None:
    assert [message.id for message in checks.a_sandbox_is_no_deployment(None)] == ["console.W001"]
    settings.SANDBOX = False
    assert checks.a_sandbox_is_no_deployment(None) == []


@pytest.mark.parametrize(("mode", "expected"), [(0o700, []), (0o750, ["console.W002"]), (0o704, ["console.W002"])])
def test_a_data_folder_that_others_can_read_is_noticed(
    settings: LazySettings, tmp_path: Path, mode: int, expected: list[str]
) -> None:
    tmp_path.chmod(mode)
    settings.DATA_DIR = tmp_path
    assert [message.id for message in checks.the_data_folder_is_private(None)] == expected
