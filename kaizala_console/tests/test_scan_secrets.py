"""`manage.py scan_secrets`: finds every credential of ours, shows none, and knows what git leaves out."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from connectors import leak_scan, token_format
from connectors.token_format import Kind
from kaizala_console.lib import clock, ids

ROOT = Path(__file__).resolve().parent.parent.parent


def secret() -> str:
    return token_format.generate(Kind.SECRET).token


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
    refresh = token_format.generate(Kind.REFRESH)
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


def test_a_text_with_a_wrong_checksum_is_none_of_ours(tmp_path: Path) -> None:
    token = secret()
    (tmp_path / "a").write_text(token[:-1] + ("A" if token[-1] != "A" else "B"))
    assert scan(tmp_path).returncode == 0


def test_no_such_path_is_exit_status_2_and_says_so(tmp_path: Path) -> None:
    result = scan(tmp_path / "nowhere")
    assert result.returncode == 2
    assert "nowhere" in result.stderr
    assert "Traceback" not in result.stderr


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
    assert [find.line for find in leak_scan.scan(path)] == [1]


@pytest.mark.parametrize("text", ["{}", "_{}_", "{}-old", "{}AndMore", "x{}", "({})", "{}" + "A" * 200])
def test_an_access_token_is_found_whatever_is_written_to_its_end(tmp_path: Path, text: str) -> None:
    access = token_format.mint_access_token(
        refresh_token_id=7, grant_id=ids.new_id(), generation=0, expires_at=clock.now() + dt.timedelta(hours=1)
    )
    path = tmp_path / "file"
    path.write_text(text.format(access))
    assert [find.kind for find in leak_scan.scan(path)] == [Kind.ACCESS]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_what_powershell_wrote_is_read_too(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "secret.env"
    path.write_text(f"# für\r\nSECRET={secret()}\r\n", encoding=encoding)
    assert [(find.line, find.kind) for find in leak_scan.scan(path)] == [(2, Kind.SECRET)]


def test_a_credential_across_two_chunks_is_found_once_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leak_scan, "CHUNK_BYTES", 1000)
    tokens = [secret() for _ in range(60)]
    path = tmp_path / "big"
    path.write_text("".join(f"{'x' * (n % 13)} {token}\n" for n, token in enumerate(tokens)))
    found = list(leak_scan.scan(path))
    assert [find.line for find in found] == list(range(1, 61))
    assert [find.public_part for find in found] == [token[5:21] for token in tokens]


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


def test_a_folder_that_git_ignores_is_read_when_it_is_named(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("build/\n")
    (tmp_path / "build" / "deep").mkdir(parents=True)
    (tmp_path / "build" / "deep" / "bot.js").write_text(secret())
    assert scan(tmp_path).returncode == 0
    for named in ("build", "build/deep"):
        assert scan(named, cwd=tmp_path).stdout.startswith("build/deep/bot.js:1: connector secret"), named


def test_submodules_and_repositories_inside_are_read_and_those_not_fetched_are_empty(tmp_path: Path) -> None:
    inner, outer, clone = (tmp_path / name for name in ("inner", "outer", "clone"))
    who = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always")
    for folder in (inner, outer):
        folder.mkdir()
        git(folder, "init", "-q")
    (inner / "bot.py").write_text(secret())
    git(inner, "add", "bot.py")
    git(inner, *who, "commit", "-qm", "one")
    git(outer, *who, "submodule", "--quiet", "add", str(inner), "library")
    git(outer, *who, "commit", "-qm", "one")
    git(tmp_path, "clone", "-q", str(outer), str(clone))
    assert scan(outer).stdout.startswith(f"{outer}/library/bot.py:1: connector secret")
    result = scan(clone)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    (clone / "own").mkdir()
    git(clone / "own", "init", "-q")
    (clone / "own" / "x").write_text(secret())
    assert scan(clone).stdout.startswith(f"{clone}/own/x:1: connector secret")


def test_variables_that_a_hook_of_git_sets_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hooked, other = tmp_path / "hooked", tmp_path / "other"
    for folder in (hooked, other):
        folder.mkdir()
        git(folder, "init", "-q")
    (hooked / "clean").write_text("")
    (other / ".gitignore").write_text("kept\n")
    (other / "kept").write_text(secret())
    (other / "new").write_text(secret())
    monkeypatch.setenv("GIT_DIR", str(hooked / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(hooked))
    assert [path.name for path in leak_scan.files_under(other)] == [".gitignore", "new"]


def test_what_was_found_counts_although_another_path_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "one").write_text(secret())
    for paths in ((tmp_path / "one", tmp_path / "nowhere"), (tmp_path / "nowhere", tmp_path / "one")):
        result = scan(*paths)
        assert result.returncode == 1
        assert result.stdout.startswith(f"{tmp_path}/one:1: connector secret")
        assert f"{tmp_path}/nowhere: No such file or directory" in result.stderr
        assert "1 could not be read" in result.stderr


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "shut").mkdir()
    listed = os.scandir

    def refused(folder: str) -> object:
        if str(folder).endswith("shut"):
            raise PermissionError(13, "Permission denied", folder)
        return listed(folder)

    (tmp_path / "open" / "one").write_text(secret())
    monkeypatch.setattr(os, "scandir", refused)
    told: list[OSError] = []
    assert [path.name for path in leak_scan.files_under(tmp_path, cannot=told.append)] == ["one"]
    assert [str(error.filename) for error in told] == [str(tmp_path / "shut")]
    with pytest.raises(PermissionError):
        list(leak_scan.files_under(tmp_path))


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


def test_ten_thousand_files_take_seconds(tmp_path: Path) -> None:
    line = "The quick brown fox jumps over the lazy dog; kzcs_ is a prefix.\n" * 60
    for n in range(100):
        (tmp_path / f"{n}").mkdir()
        for m in range(100):
            (tmp_path / f"{n}" / f"{m}.txt").write_text(line)
    (tmp_path / "57" / "57.txt").write_text(line + secret())
    git(tmp_path, "init", "-q")
    began = time.monotonic()
    result = scan(tmp_path)
    seconds = time.monotonic() - began
    assert "/57/57.txt:61: connector secret" in result.stdout
    assert "in 10000 files" in result.stderr
    assert seconds < 15, f"{seconds:.1f} s"
    print(f"10,000 files: {seconds:.1f} s")


def test_this_repository_holds_no_credential() -> None:
    result = scan(ROOT)
    assert result.returncode == 0, result.stdout
