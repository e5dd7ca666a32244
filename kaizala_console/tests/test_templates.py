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
FIRST_LOAD = 150_000

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


def test_every_status_has_an_icon_that_exists() -> None:
    assert {status.icon for status in STATUSES.values()} - ICONS == set()


def test_every_component_stands_in_the_gallery_or_in_the_frame() -> None:
    shown = [*(ROOT / "templates" / "gallery").glob("*.html"), *(ROOT / "templates" / "layouts").glob("*.html")]
    shown += [ROOT / "templates" / "gallery.html", ROOT / "templates" / "base.html"]
    used = set(re.findall(r"<c-([a-z-]+)", "".join(path.read_text() for path in shown + COMPONENTS)))
    assert {component.stem.replace("_", "-") for component in COMPONENTS} - used == set()


def test_the_vendored_files_are_as_they_were_fetched() -> None:
    check = [sys.executable, str(ROOT / "scripts" / "refresh_vendor.py"), "--check"]
    result = subprocess.run(check, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.django_db
def test_a_first_visit_loads_less_than_it_may(client: Client) -> None:
    html = client.get("/accounts/login/").content
    names = set(re.findall(r'(?:href|src)="/static/([^"#]+)', html.decode()))
    assert len(names) > 10
    sizes = {name: len(gzip.compress((STATIC / name).read_bytes())) for name in names}
    total = sum(sizes.values()) + len(gzip.compress(html))
    assert total < FIRST_LOAD, sizes


# ---------------------------------------------------------------- Colours


def dark_blocks() -> tuple[dict[str, str], dict[str, str]]:
    """The dark values for the media query, and those for a stored choice."""
    css = (STATIC / "css" / "tokens.css").read_text()
    by_device = re.search(r':root:not\(\[data-bs-theme="light"\]\) \{(.*?)\n  \}', css, flags=re.S)
    by_choice = re.search(r':root\[data-bs-theme="dark"\] \{(.*?)\n\}', css, flags=re.S)
    assert by_device is not None
    assert by_choice is not None
    return declared(by_device.group(1)), declared(by_choice.group(1))


def declared(block: str) -> dict[str, str]:
    return dict(re.findall(r"(--[a-z0-9-]+|color-scheme):\s*([^;]+);", block))


def light_block() -> dict[str, str]:
    css = (STATIC / "css" / "tokens.css").read_text()
    block = re.search(r":root \{(.*?)\n\}", css, flags=re.S)
    assert block is not None
    return declared(block.group(1))


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio, 1 to 21 (WCAG 2.2)."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_dark_is_the_same_by_device_and_by_choice() -> None:
    by_device, by_choice = dark_blocks()
    assert by_device == by_choice
    assert len(by_device) > 20


TEXT_PAIRS = [
    *((ink, ground) for ink in ("ink", "ink-soft", "accent") for ground in ("paper", "raised", "sunken")),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    *((f"pair-{tone}", f"tint-{tone}") for tone in ("live", "soon", "ended", "refused", "waiting")),
    *(
        (f"pair-{tone}", ground)
        for tone in ("live", "soon", "ended", "refused", "waiting")
        for ground in ("paper", "raised")
    ),
    *(("ink", f"tint-{tone}") for tone in ("live", "soon", "ended", "refused", "waiting")),
]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT_PAIRS)
def test_words_can_be_read(ink: str, ground: str, *, dark: bool) -> None:
    tokens = dark_blocks()[1] if dark else light_block()
    assert contrast(tokens[f"--{ink}"], tokens[f"--{ground}"]) >= 4.5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("edge", ["line-strong", "focus-edge"])
@pytest.mark.parametrize("ground", ["paper", "raised"])
def test_the_edges_of_controls_can_be_seen(edge: str, ground: str, *, dark: bool) -> None:
    tokens = dark_blocks()[1] if dark else light_block()
    assert contrast(tokens[f"--{edge}"], tokens[f"--{ground}"]) >= 3
