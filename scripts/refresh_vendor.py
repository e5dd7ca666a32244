"""Fetch the vendored front-end files anew and write what was fetched to static/vendor/vendor.json.

Run it from anywhere, with the npm client on the path:

    python scripts/refresh_vendor.py            # fetch, write files and vendor.json
    python scripts/refresh_vendor.py --check    # compare the committed files with vendor.json, fetch nothing

Versions are pinned in PACKAGES; raise a number, run the script, look at the gallery, commit both. The npm client
decides where packages come from, so no host is written down here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "static" / "vendor"
TEST_VENDOR = ROOT / "kaizala_console" / "tests" / "vendor"


@dataclass(frozen=True)
class Package:
    """One npm package, its exact version, and the files that are taken from it (path in the package → name here)."""

    name: str
    version: str
    licence: str
    files: dict[str, str]
    folder: Path = VENDOR
    drop_source_map: bool = True


PACKAGES = (
    # One file for a page to fetch: the second is put after the first.
    Package("htmx.org", "2.0.11", "0BSD", {"dist/htmx.min.js": "htmx-idiomorph.min.js", "LICENSE": "htmx.LICENSE.txt"}),
    Package(
        "idiomorph",
        "0.8.0",
        "0BSD",
        {"dist/idiomorph-ext.min.js": "htmx-idiomorph.min.js", "LICENSE": "idiomorph.LICENSE.txt"},
    ),
    Package(
        "swagger-ui-dist",
        "5.35.0",
        "Apache-2.0",
        {
            "swagger-ui-bundle.js": "swagger-ui-bundle.js",
            "swagger-ui.css": "swagger-ui.css",
            "swagger-ui-bundle.js.LICENSE.txt": "swagger-ui-bundle.js.LICENSE.txt",
            "LICENSE": "swagger-ui.LICENSE.txt",
            "NOTICE": "swagger-ui.NOTICE.txt",
        },
    ),
    Package(
        "axe-core",
        "4.14.1",
        "MPL-2.0",
        {"axe.min.js": "axe.min.js", "LICENSE": "axe.LICENSE.txt"},
        folder=TEST_VENDOR,
    ),
)

ICONS_VERSION = "1.13.2"
# Names on the left are ours (what templates say), on the right the file in bootstrap-icons.
ICONS = {
    "home": "house",
    "connectors": "plug",
    "groups": "people",
    "handoffs": "envelope-paper",
    "directory": "journal-bookmark",
    "activity": "clock-history",
    "settings": "gear",
    "check": "check-lg",
    "check-circle": "check-circle-fill",
    "clock": "clock",
    "hourglass": "hourglass-split",
    "pause": "pause-circle-fill",
    "ended": "slash-circle",
    "refused": "x-octagon-fill",
    "warning": "exclamation-triangle-fill",
    "info": "info-circle-fill",
    "cross": "x-lg",
    "copy": "copy",
    "download": "download",
    "lock": "lock-fill",
    "sealed": "envelope-check-fill",
    "opened": "envelope-open-fill",
    "keyboard": "keyboard",
    "key": "key-fill",
    "secret": "shield-lock-fill",
    "menu": "list",
    "search": "search",
    "plus": "plus-lg",
    "trash": "trash3",
    "arrow-end": "arrow-right",
    "arrow-start": "arrow-left",
    "chevron-end": "chevron-right",
    "chevron-down": "chevron-down",
    "sign-out": "box-arrow-right",
    "external": "box-arrow-up-right",
    "person": "person-fill",
    "phone": "phone",
    "sun": "sun",
    "moon": "moon-stars",
    "half": "circle-half",
    "inbox": "inbox",
    "sandbox": "bucket",
    "code": "code-slash",
    "pencil": "pencil",
    "stop": "stop-circle",
    "refresh": "arrow-repeat",
    "microsoft": "microsoft",
    "dot": "dot",
    "shield": "shield-check",
    "chat": "chat-left-text",
    "webhook": "broadcast",
    "poll": "bar-chart-fill",
    "survey": "ui-checks",
    "job": "check2-square",
    "meeting": "calendar-event",
    "announcement": "megaphone-fill",
    "picture": "image",
    "pictures": "images",
    "sound": "music-note-beamed",
    "file": "file-earmark",
    "video": "camera-video-fill",
    "place": "geo-alt-fill",
    "package": "box-seam-fill",
    "like": "hand-thumbs-up-fill",
    "hidden": "eye-slash-fill",
}


def fetch(name: str, version: str, into: Path) -> tarfile.TarFile:
    """Download one package with ``npm pack`` and return its open tar archive."""
    answer = subprocess.run(
        ["npm", "pack", "--silent", f"{name}@{version}"], cwd=into, check=True, capture_output=True, text=True
    )
    return tarfile.open(into / answer.stdout.split()[-1])


def member(archive: tarfile.TarFile, path: str) -> bytes:
    """The bytes of one file in a package archive (npm puts everything under ``package/``)."""
    stream = archive.extractfile(f"package/{path}")
    if stream is None:
        raise SystemExit(f"{path} is not a file in {archive.name!r}")
    return stream.read()


def without_source_map(data: bytes) -> bytes:
    """Drop the trailing ``sourceMappingURL`` comment: the map is not vendored, and hashed storage looks for it."""
    return re.sub(rb"\n?(/\*# sourceMappingURL=[^*]*\*/|//# sourceMappingURL=\S*)\s*$", b"\n", data)


def sprite(archive: tarfile.TarFile) -> bytes:
    """One SVG with a ``<symbol>`` for each icon of ICONS, so that a page fetches all of them once."""
    symbols = []
    for ours, theirs in sorted(ICONS.items()):
        svg = member(archive, f"icons/{theirs}.svg").decode()
        inner = re.sub(r"\s*\n\s*", "", svg[svg.index(">") + 1 : svg.rindex("</svg>")])
        symbols.append(f'<symbol id="{ours}" viewBox="0 0 16 16">{inner}</symbol>')
    head = '<svg xmlns="http://www.w3.org/2000/svg">\n<!-- Bootstrap Icons, MIT, see icons.LICENSE.txt -->\n'
    return (head + "\n".join(symbols) + "\n</svg>\n").encode()


def refresh() -> None:
    """Fetch everything, write the files and the two vendor.json lists."""
    lists: dict[Path, list[dict[str, str]]] = {VENDOR: [], TEST_VENDOR: []}

    def write(package: str, version: str, licence: str, source: str, target: Path, data: bytes) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        several = any(row["file"] == target.name for row in lists[target.parent])
        target.write_bytes(target.read_bytes() + b"\n" + data if several else data)
        lists[target.parent].append(
            {
                "file": target.name,
                "name": package,
                "version": version,
                "licence": licence,
                "source": source,
            }
        )

    with tempfile.TemporaryDirectory() as scratch:
        for package in PACKAGES:
            with fetch(package.name, package.version, Path(scratch)) as archive:
                for source, name in package.files.items():
                    data = without_source_map(member(archive, source))
                    write(package.name, package.version, package.licence, source, package.folder / name, data)
        with fetch("bootstrap-icons", ICONS_VERSION, Path(scratch)) as archive:
            write("bootstrap-icons", ICONS_VERSION, "MIT", "icons/*.svg", VENDOR / "icons.svg", sprite(archive))
            licence = member(archive, "LICENSE")
            write("bootstrap-icons", ICONS_VERSION, "MIT", "LICENSE", VENDOR / "icons.LICENSE.txt", licence)
    for folder, rows in lists.items():
        for row in rows:
            row["sha256"] = hashlib.sha256((folder / row["file"]).read_bytes()).hexdigest()
        (folder / "vendor.json").write_text(json.dumps(rows, indent=2) + "\n")


def check() -> list[str]:
    """Say what differs between the committed files and the lists; an empty list means that all is as fetched."""
    faults = []
    for folder in (VENDOR, TEST_VENDOR):
        rows = json.loads((folder / "vendor.json").read_text())
        listed = {row["file"] for row in rows}
        for row in rows:
            path = folder / row["file"]
            if not path.exists():
                faults.append(f"{path.relative_to(ROOT)} is missing")
            elif hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"]:
                faults.append(f"{path.relative_to(ROOT)} differs from what was fetched")
        for path in folder.iterdir():
            if path.name not in listed | {"vendor.json"}:
                faults.append(f"{path.relative_to(ROOT)} is in no list")
    return faults


def main() -> int:
    """Command line entry; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="compare committed files with vendor.json, fetch nothing")
    if not parser.parse_args().check:
        refresh()
    faults = check()
    print("\n".join(faults) or "vendored files are as listed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
