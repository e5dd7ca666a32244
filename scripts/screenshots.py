"""Takes a picture of every page (wide and narrow, light and dark) into test-results/screenshots/, with an index.html.

Arguments go to pytest: `make screenshots ARGS="-k groups-narrow"` takes some of them. Nothing is started but the tests'
own server; the folder is not in the repository.
"""

import html
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "test-results" / "screenshots"
LOOKS = ("wide", "wide-dark", "narrow", "narrow-dark")


def sheet() -> str:
    """All pages, one row each, with what there is of the four looks."""
    names = sorted({picture.name for look in LOOKS for picture in (FOLDER / look).glob("*.png")})
    rows = []
    for name in names:
        pictures = "".join(
            f'<a href="{look}/{name}"><img src="{look}/{name}" alt="{look}" loading="lazy"></a>'
            for look in LOOKS
            if (FOLDER / look / name).exists()
        )
        rows.append(f"<h2>{html.escape(name.removesuffix('.png'))}</h2><div>{pictures}</div>")
    style = "div{display:flex;gap:12px;align-items:start}img{max-width:340px;border:1px solid #999}"
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Every page</title><style>{style}</style>'
    return f"{head}<h1>Every page</h1>{''.join(rows)}</html>"


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    processes = os.environ.get("TEST_PROCESSES", "auto")
    command = [sys.executable, "-m", "pytest", "-q", "-n", processes, "--dist", "worksteal", "-p", "no:cacheprovider"]
    status = subprocess.run(
        [*command, "kaizala_console/tests/take_screenshots.py", *sys.argv[1:]],
        cwd=ROOT,
        env=os.environ | {"CONSOLE_TEST_PICTURES": str(FOLDER)},
        check=False,
    ).returncode
    (FOLDER / "index.html").write_text(sheet(), encoding="utf-8")
    print(f"The pictures are in {FOLDER.relative_to(ROOT)}/: open index.html")
    return status


if __name__ == "__main__":
    sys.exit(main())
