"""Renews the pins of requirements.txt and requirements-dev.txt from fresh virtual environments.

    python scripts/renew_pins.py                  the same direct versions; what they need may move
    python scripts/renew_pins.py celery redis     the newest of these, everything else as above
    python scripts/renew_pins.py --all            the newest of everything
    python scripts/renew_pins.py --dev=factory-boy "what it is for"     one more development tool
    python scripts/renew_pins.py --run=babel "what it is for"           one more at run time

Run it with the oldest supported Python. Then: make check test, and commit both files.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = {"run": ROOT / "requirements.txt", "dev": ROOT / "requirements-dev.txt"}
DIRECT = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)(?P<extras>\[.*?\])?==(?P<version>\S+)\s+# (?P<why>.+)")
INDIRECT = "# What those need, pinned too, so that every installation is the same one."
Packages = dict[str, tuple[str, str, str]]  # key: extras, version ("" for the newest), why


def key(name: str) -> str:
    """The name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read(path: Path) -> tuple[str, Packages, dict[str, str]]:
    """What stands before the first package, the direct packages, and how each name is spelt."""
    head, packages, spelling = [], {}, {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := DIRECT.fullmatch(line):
            spelling[key(match["name"])] = match["name"]
            packages[key(match["name"])] = (match["extras"] or "", match["version"], match["why"])
        elif not packages:
            head.append(line)
    return "\n".join(head).strip(), packages, spelling


def freeze(*sets: Packages) -> dict[str, str]:
    """Installs the packages into a fresh environment, and returns every version in it by key."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check"]
        wanted = [
            f"{name}{extras}{'==' + version if version else ''}"
            for packages in sets
            for name, (extras, version, _) in packages.items()
        ]
        subprocess.run([*pip, "install", "--quiet", *wanted], check=True)
        listing = subprocess.run([*pip, "freeze"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(line.split("==") for line in listing.splitlines())


def write(path: Path, head: str, direct: Packages, spelling: dict[str, str], versions: dict[str, str]) -> None:
    by_key = {key(name): (name, version) for name, version in versions.items()}
    lines = [head, ""]
    for name, (extras, _, why) in direct.items():
        pin = f"{spelling.get(name, name)}{extras}=={by_key[name][1]}"
        lines.append(f"{pin:<44}  # {why}")
    lines += ["", INDIRECT]
    lines += [f"{name}=={version}" for k, (name, version) in sorted(by_key.items()) if k not in direct]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> None:
    heads, direct, spelling = {}, {}, {}
    for kind, path in FILES.items():
        heads[kind], direct[kind], names = read(path)
        spelling |= names
    if arguments and (added := re.fullmatch(r"--(run|dev)=(\S+)", arguments[0])):
        name, _, extras = added[2].partition("[")
        direct[added[1]][key(name)] = (f"[{extras}" if extras else "", "", " ".join(arguments[1:]))
        arguments = []
    for packages in direct.values():
        for name, (extras, _, why) in packages.items():
            if "--all" in arguments or name in map(key, arguments):
                packages[name] = (extras, "", why)
    run = freeze(direct["run"])
    for name, (extras, _, why) in direct["run"].items():
        direct["run"][name] = (extras, {key(n): v for n, v in run.items()}[name], why)
    pinned = {name: ("", version, "") for name, version in run.items()}
    dev = {name: version for name, version in freeze(direct["run"], pinned, direct["dev"]).items() if name not in run}
    write(FILES["run"], heads["run"], direct["run"], spelling, run)
    write(FILES["dev"], heads["dev"], direct["dev"], spelling, dev)


if __name__ == "__main__":
    main(sys.argv[1:])
