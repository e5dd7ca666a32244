"""The quick-start programs run as they are printed against the demo connector."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connectors.services.api_description import get_description
from connectors.views import explorer
from groups.models import Message
from kaizala_console.demo import connector as demo_connector

RUNS = {
    "curl": ("curl", "sh", "call.sh"),
    "python": (sys.executable, sys.executable, "call.py"),
    "javascript": ("node", "node", "call.mjs"),
    "php": ("php", "php", "call.php"),
    "java": ("java", "java", "Call.java"),
    "csharp": ("dotnet" if shutil.which("dotnet") else "mcs", "sh", "Program.cs"),
}
# What a project of .NET is; of the old compiler, what it must be told.
PROJECT = """<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup>
<OutputType>Exe</OutputType><TargetFramework>net{}.0</TargetFramework><Nullable>enable</Nullable>
<ImplicitUsings>enable</ImplicitUsings></PropertyGroup></Project>"""
DOTNET = "dotnet run"
MONO = "mcs -out:Program.exe -r:System.Net.Http.dll -r:System.Runtime.Serialization.dll Program.cs && mono Program.exe"
KEYS = [program.key for program in explorer.list_programs()]


def _reason(key: str) -> str:
    """Why a program in this language cannot be run here; "" when it can."""
    needed = [RUNS[key][0], *(["mono"] if RUNS[key][0] == "mcs" else [])]
    missing = [command for command in needed if not shutil.which(command)]
    return f"needs {', '.join(missing)}" + (", or dotnet" if key == "csharp" else "") if missing else ""


pytestmark = pytest.mark.once  # programs speak HTTP to it, whatever stands behind
RUNNABLE = [
    pytest.param(
        key,
        marks=[
            pytest.mark.skipif(bool(_reason(key)), reason=_reason(key) or "-"),
            *([] if key == "python" else [pytest.mark.long]),
        ],
    )
    for key in KEYS
]


def run(key: str, folder: Path, file: str, text: str, **environment: str) -> str:
    """What the program prints; in `file`, or else in one named as the language wants it."""
    needed, command, usual = RUNS[key]
    (folder / (file or usual)).write_text(text, encoding="utf-8")
    arguments = [file or usual]
    if key == "csharp":
        arguments = ["-c", DOTNET if needed == "dotnet" else MONO]
        if needed == "dotnet":
            version = subprocess.run(["dotnet", "--version"], capture_output=True, text=True, check=True).stdout
            (folder / "program.csproj").write_text(PROJECT.format(version.partition(".")[0]))
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ}
    done = subprocess.run(
        [command, *arguments],
        cwd=folder,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture
def given(live_server: Any, settings: Any) -> dict[str, str]:
    """What the developer was given, and a console that answers HTTP."""
    settings.CONSOLE_BASE_URL = live_server.url
    return demo_connector.make()


@pytest.mark.parametrize("key", RUNNABLE)
def test_a_quick_start_posts_a_message_as_it_is_printed(key: str, given: dict[str, str], tmp_path: Path) -> None:
    program = explorer.get_program(key, given["connectorId"])
    assert explorer.list_variables(given["connectorId"]) == ["CONNECTOR_SECRET", "REFRESH_TOKEN", "GROUP_ID"]
    printed = run(
        key,
        tmp_path,
        program.file,
        program.text,
        CONNECTOR_SECRET=given["connectorSecret"],
        REFRESH_TOKEN=given["refreshToken"],
        GROUP_ID=given["groupId"],
    )
    message = Message.objects.get(group_id=given["groupId"])
    assert message.text == explorer.TEXT
    assert str(message.pk) in printed


@pytest.mark.once
@pytest.mark.parametrize("key", KEYS)
def test_there_is_a_program_in_each_language(key: str) -> None:
    program = explorer.get_program(key)
    assert program.key == key
    for word in (
        "CONNECTOR_ID",
        "CONNECTOR_SECRET",
        "REFRESH_TOKEN",
        "GROUP_ID",
        get_description().document["servers"][0]["url"],
    ):
        assert word in program.text
    assert "CONNECTOR_ID" not in explorer.get_program(key, "df91cb37").text
