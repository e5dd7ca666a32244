"""What make calls: finding a Python, setting up, and choosing what the suite runs on."""

import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = pytest.mark.once


def fake_python(folder: Path, name: str, *, is_new: bool, has_venv: bool = True) -> Path:
    """A program that answers the two questions of scripts/find-python as a Python of that kind would."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(
        "#!/bin/sh\n"
        f'case "$2" in *version_info*) exit {0 if is_new else 1} ;; *ensurepip*) exit {0 if has_venv else 1} ;; esac\n'
        f"echo {path}\n"
    )
    path.chmod(0o755)
    return path


def find(*, path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the script where the given folder comes first."""
    environment = {"PATH": f"{path}:/usr/bin:/bin", "HOME": str(path)} | variables
    return subprocess.run(
        ["/bin/sh", "scripts/find-python"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_a_newer_one_is_found_when_python3_is_too_old(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3", is_new=False)
    newer = fake_python(tmp_path, "python3.14", is_new=True)
    assert find(path=tmp_path).stdout.strip() == str(newer)


def test_a_missing_venv_module_is_told_with_the_package_to_install(tmp_path: Path) -> None:
    python = fake_python(tmp_path, "only", is_new=True, has_venv=False)
    result = find(path=tmp_path, PYTHON=str(python))
    assert result.returncode == 1
    assert "apt-get install python3-venv" in result.stderr


@pytest.mark.parametrize("exists", [True, False])
def test_a_named_python_that_is_too_old_or_not_there_is_refused(tmp_path: Path, exists: bool) -> None:
    python = fake_python(tmp_path, "old", is_new=False) if exists else tmp_path / "nothing"
    result = find(path=tmp_path, PYTHON=str(python))
    assert result.returncode == 1
    assert "is no Python 3.11 or later" in result.stderr


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """scripts/test.py, loaded where no browser and no server is named."""
    for name in ("CHROMIUM", "DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    specification = spec_from_file_location("run_tests", ROOT / "scripts" / "test.py")
    assert specification is not None
    assert specification.loader is not None
    module = module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Runs(list[list[str]]):
    """The arguments of each run of pytest, on a machine with all servers; `statuses` are what they end with."""

    statuses: tuple[int, int] = (0, 0)


@pytest.fixture
def runs(runner: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Runs:
    noted = Runs()

    def run(arguments: list[str], **_variables: str) -> int:
        noted.append(arguments)
        return noted.statuses[len(noted) - 1]

    monkeypatch.setattr(runner, "run", run)
    monkeypatch.setattr(runner, "forget", lambda *_arguments: None)
    for name, there in (
        ("chromium", "it"),
        ("csharp", True),
        ("php", True),
        ("postgresql", "p"),
        ("redis_server", "r"),
    ):
        monkeypatch.setattr(runner, name, lambda there=there: there)
    monkeypatch.setattr(runner.sys, "argv", ["test.py"])
    return noted


def test_what_is_long_waits_for_the_whole_suite(
    runner: ModuleType, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert runner.main() == 0
    assert ["not long" in arguments[1] for arguments in runs] == [True, True]
    monkeypatch.setattr(runner.sys, "argv", ["test.py", "--all"])
    runs.clear()
    assert runner.main() == 0
    assert ["long" in arguments[1] for arguments in runs] == [False, False]


@pytest.mark.parametrize(
    ("statuses", "ends_with"), [((0, 0), 0), ((1, 0), 1), ((0, 1), 1), ((1, 5), 1), ((5, 0), 0), ((5, 5), 5)]
)
def test_a_failure_in_either_run_is_one_of_the_whole_and_hides_none_in_the_other(
    runner: ModuleType, runs: Runs, statuses: tuple[int, int], ends_with: int
) -> None:
    runs.statuses = statuses
    assert runner.main() == ends_with
    assert len(runs) == 2


def test_a_server_that_is_named_must_answer(runner: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    with pytest.raises(SystemExit, match="DATABASE_URL is set, but does not answer"):
        runner.postgresql()
    with pytest.raises(SystemExit, match="REDIS_URL is set, but nothing answers"):
        runner.redis_server()


def test_a_python3_that_is_new_enough_is_taken(tmp_path: Path) -> None:
    python = fake_python(tmp_path, "python3", is_new=True)
    assert find(path=tmp_path).stdout.strip() == str(python)


def test_one_that_can_make_environments_is_preferred(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3", is_new=True, has_venv=False)
    able = fake_python(tmp_path, "python3.14", is_new=True)
    assert find(path=tmp_path).stdout.strip() == str(able)


def test_setup_wants_to_know_what_for() -> None:
    result = subprocess.run(["/bin/sh", "scripts/setup", "all"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "usage" in result.stderr


@pytest.fixture
def commands(runner: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A machine without Chromium, with apt-get; what would be run there is noted instead."""
    noted: list[list[str]] = []

    def run(command: list[str], **options: object) -> SimpleNamespace:
        noted.append(command)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(runner.shutil, "which", lambda name: "apt-get" if name == "apt-get" else None)
    monkeypatch.setattr(runner.subprocess, "run", run)
    return noted


def test_root_on_debian_gets_chromium_when_it_is_missing(
    runner: ModuleType, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner.os, "geteuid", lambda: 0)
    runner.chromium()
    assert [(command[1], command[-1]) for command in commands] == [
        ("update", "-qq"),
        ("install", "chromium-headless-shell"),
        ("install", "chromium"),  # when there was no such package
    ]


def test_anybody_else_installs_nothing_and_skips_the_journeys(
    runner: ModuleType, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner.os, "geteuid", lambda: 1000)
    assert runner.chromium() is None
    assert commands == []


def test_whoever_stops_the_first_run_stops_all(runner: ModuleType, runs: Runs) -> None:
    runs.statuses = (2, 0)
    assert runner.main() == 2
    assert len(runs) == 1
