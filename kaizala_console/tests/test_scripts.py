"""What make calls before there is any environment: finding a Python."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


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


def test_a_python3_that_is_new_enough_is_taken(tmp_path: Path) -> None:
    python = fake_python(tmp_path, "python3", is_new=True)
    assert find(path=tmp_path).stdout.strip() == str(python)


def test_a_newer_one_is_found_when_python3_is_too_old(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3", is_new=False)
    newer = fake_python(tmp_path, "python3.14", is_new=True)
    assert find(path=tmp_path).stdout.strip() == str(newer)


def test_one_that_can_make_environments_is_preferred(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3", is_new=True, has_venv=False)
    able = fake_python(tmp_path, "python3.14", is_new=True)
    assert find(path=tmp_path).stdout.strip() == str(able)


def test_one_of_pyenv_is_found_though_it_is_not_on_the_path(tmp_path: Path) -> None:
    for name in ("python3", "python3.14", "python3.13", "python3.12", "python3.11", "python"):
        fake_python(tmp_path, name, is_new=False)
    versions = tmp_path / ".pyenv" / "versions" / "3.13.0"
    versions.mkdir(parents=True)
    python = fake_python(versions / "bin", "python3", is_new=True)
    assert find(path=tmp_path).stdout.strip() == str(python)


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


def test_setup_wants_to_know_what_for() -> None:
    result = subprocess.run(["/bin/sh", "scripts/setup", "all"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "usage" in result.stderr
