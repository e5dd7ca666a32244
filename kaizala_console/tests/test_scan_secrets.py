"""`manage.py scan_secrets`: finds every credential of ours, shows none, and knows what git leaves out."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from connectors import token_format
from connectors.token_format import CredentialKind
from kaizala_console.lib import clock, ids
from kaizala_console.management.commands.scan_secrets import find_credentials

ROOT = Path(__file__).resolve().parent.parent.parent


def secret() -> str:
    return token_format.generate(CredentialKind.SECRET).token


def scan(*paths: Path | str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The command as people run it, where nothing is configured."""
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "scan_secrets", *map(str, paths)],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), "CONSOLE_MODE": "production"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def git(folder: Path, *arguments: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True)


def test_each_kind_is_found_with_its_line_and_never_shown(tmp_path: Path) -> None:
    access = token_format.mint_access_token(
        refresh_token_id=7, grant_id=ids.new_id(), generation=0, expires_at=clock.now() + dt.timedelta(hours=1)
    )
    refresh = token_format.generate(CredentialKind.REFRESH)
    mine = secret()
    (tmp_path / "bot.py").write_text(f'# one\nSECRET = "{mine}"\nTOKENS = ["{refresh.token}",\n "{access}"]\n')
    result = scan(tmp_path)
    assert result.returncode == 1
    assert result.stdout.splitlines() == [
        f"{tmp_path}/bot.py:2: connector secret {mine[:21]}…",
        f"{tmp_path}/bot.py:3: refresh token kzrt_{refresh.public_part}…",
        f"{tmp_path}/bot.py:4: access token kzat_…",
    ]
    for token in (mine, refresh.token, access):
        assert token[22:] not in result.stdout + result.stderr


def test_nothing_found_is_exit_status_0(tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_text("Secrets begin with kzcs_, refresh tokens with kzrt_.\n")
    result = scan(tmp_path)
    assert (result.returncode, result.stdout) == (0, "")
    assert "0 found in 1 files" in result.stderr


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/?secret={}&x=1",
        '{{"a": "\\n{}"}}',
        "export A={};B=2",
        "x{}y",
        "<td>{}</td>",
        "\ufeff{}\r\n",
        "'{}'",
        "{}",
    ],
)
def test_it_is_found_whatever_stands_around_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file"
    path.write_text(text.format(secret()), encoding="utf-8")
    assert [line for line, _kind, _public in find_credentials(path.read_bytes())] == [1]


@pytest.mark.parametrize("text", ["{}", "_{}_", "{}-old", "{}AndMore", "x{}", "({})", "{}" + "A" * 200])
def test_an_access_token_is_found_whatever_is_written_to_its_end(tmp_path: Path, text: str) -> None:
    access = token_format.mint_access_token(
        refresh_token_id=7, grant_id=ids.new_id(), generation=0, expires_at=clock.now() + dt.timedelta(hours=1)
    )
    path = tmp_path / "file"
    path.write_text(text.format(access))
    assert [kind for _line, kind, _public in find_credentials(path.read_bytes())] == [CredentialKind.ACCESS]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_what_powershell_wrote_is_read_too(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "secret.env"
    path.write_text(f"# für\r\nSECRET={secret()}\r\n", encoding=encoding)
    assert [found[:2] for found in find_credentials(path.read_bytes())] == [(2, CredentialKind.SECRET)]


def test_in_a_work_tree_tracked_and_new_files_are_read_and_ignored_ones_are_not(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    for name in ("tracked", "new", ".env", "deleted", "sub/deep"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(secret())
    (tmp_path / ".gitignore").write_text(".env\n")
    git(tmp_path, "add", "tracked", "deleted")
    (tmp_path / "deleted").unlink()

    def names(*arguments: str) -> list[str]:
        lines = scan(tmp_path, *arguments).stdout.splitlines()
        return sorted(line.split(":")[0].removeprefix(f"{tmp_path}/") for line in lines)

    assert names() == ["new", "sub/deep", "tracked"]
    assert names("--all") == [".env", "new", "sub/deep", "tracked"]
    assert [line.split(":")[0] for line in scan("sub", cwd=tmp_path).stdout.splitlines()] == ["sub/deep"]


def test_outside_of_git_everything_is_read_and_links_are_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / ".env").write_text(secret())
    (folder / "link").symlink_to(folder / ".env")
    (folder / "round").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    (folder / "two\nlines").write_text(secret())
    found = scan(folder).stdout.splitlines()
    assert [line.split(":")[0] for line in found] == [f"{folder}/.env", f"{folder}/two\\nlines"]


def test_this_repository_holds_no_credential() -> None:
    result = scan(ROOT)
    assert result.returncode == 0, result.stdout


def test_the_published_rule_of_gitleaks_finds_the_same() -> None:
    [rule] = tomllib.loads((ROOT / "docs" / "gitleaks.toml").read_text())["rules"]
    assert rule["regex"] == token_format.PATTERN.pattern
    assert rule["keywords"] == [
        kind.value for kind in (CredentialKind.SECRET, CredentialKind.REFRESH, CredentialKind.ACCESS)
    ]
