"""Every template and static file: nothing inline, nothing missing, nothing heavy, every pair of colours readable."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from kaizala_console.statuses import STATUSES

ROOT = Path(__file__).resolve().parent.parent.parent
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
COMPONENTS = sorted((ROOT / "templates" / "components").glob("*.html"))
STATIC = ROOT / "static"
ICONS = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "vendor" / "icons.svg").read_text()))
FIRST_LOAD = 75_000

FORBIDDEN = {
    "an inline style": r"<[^>]*\sstyle\s*=",
    "a style element": r"<style\b",
    "a script in the page": r"<script(?![^>]*\ssrc=)[^>]*>",
    "an event handler": r"<[^>]*\son[a-z]+\s*=",
    "words that are not escaped": r"\|\s*safe\b|autoescape off",
    "attributes that are not escaped": r"\{\{\s*attrs\s*\}\}",
    "a script address": r"javascript:",
}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def without_comments(text: str) -> str:
    return re.sub(r"\{%\s*comment.*?endcomment\s*%\}|\{#.*?#\}", "", text, flags=re.S)


@pytest.mark.parametrize("path", TEMPLATES, ids=relative)
def test_a_template_holds_to_the_content_security_policy_and_escapes(path: Path) -> None:
    text = without_comments(path.read_text())
    found = [what for what, pattern in FORBIDDEN.items() if re.search(pattern, text, flags=re.I)]
    assert found == []


@pytest.mark.parametrize("path", TEMPLATES, ids=relative)
def test_what_a_template_names_is_there(path: Path) -> None:
    text = without_comments(path.read_text())
    files = re.findall(r"""\{%\s*static\s+['"]([^'"]+)['"]\s*%\}""", text)
    assert [name for name in files if finders.find(name) is None] == []
    icons = set(re.findall(r"""<c-icon[^>]*\sname="([a-z-]+)\"""", text))
    icons |= set(re.findall(r"""<c-button[^>]*\sicon="([a-z-]+)\"""", text))
    assert icons - ICONS == set()
    drawings = re.findall(r"""<c-empty-state[^>]*\sdrawing="([a-z-]+)\"""", text)
    assert [name for name in drawings if not (STATIC / "img" / f"empty-{name}.svg").exists()] == []
    pills = set(re.findall(r"""<c-pill[^>]*\sstatus="([a-z-]+)\"""", text))
    assert pills - set(STATUSES) == set()
    components = {name.replace("-", "_") for name in re.findall(r"<c-([a-z-]+)", text)} - {"slot", "vars"}
    assert components - {component.stem for component in COMPONENTS} == set()


def test_the_vendored_files_are_as_they_were_fetched() -> None:
    check = [sys.executable, str(ROOT / "scripts" / "refresh_vendor.py"), "--check"]
    result = subprocess.run(check, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.django_db
def test_a_first_visit_loads_less_than_it_may(client: Client) -> None:
    html = client.get("/accounts/login/").content
    names = set(re.findall(r'(?:href|src)="/static/([^"#]+)', html.decode()))
    fetched = {name for name in names if name.endswith((".css", ".js"))}
    assert fetched == {"css/console.css", "js/theme.js", "js/console.js", "vendor/htmx-idiomorph.min.js"}
    sizes = {name: len(gzip.compress((STATIC / name).read_bytes())) for name in names}
    total = sum(sizes.values()) + len(gzip.compress(html))
    assert total < FIRST_LOAD, sizes


# ---------------------------------------------------------------- Colours
