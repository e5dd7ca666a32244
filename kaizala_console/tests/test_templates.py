"""Every template and static file: nothing unescaped, missing or heavy; what is shown once is not compressed."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

from accounts.models import User
from connectors.tests.factories import make_connector
from kaizala_console.lib.tests.cast import BrowserOf
from kaizala_console.statuses import STATUSES

ROOT = Path(__file__).resolve().parent.parent.parent
STATIC = ROOT / "static"
FIRST_LOAD = 75_000


def templates() -> dict[str, str]:
    """The text of each, without its comments."""
    comment = re.compile(r"\{%\s*comment.*?endcomment\s*%\}|\{#.*?#\}", re.DOTALL)
    paths = sorted((ROOT / "templates").rglob("*.html"))
    return {str(path.relative_to(ROOT)): comment.sub("", path.read_text()) for path in paths}


def test_every_template_escapes_what_it_shows() -> None:
    """What else the Content-Security-Policy forbids, djlint looks for."""
    unescaped = re.compile(r"\|\s*safe\b|autoescape off|\{\{\s*attrs\s*\}\}")
    assert [name for name, text in templates().items() if unescaped.search(text)] == []


def test_the_files_icons_and_states_that_templates_name_are_there() -> None:
    icons = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "vendor" / "icons.svg").read_text()))
    missing = []
    for text in templates().values():
        files = re.findall(r"""\{%\s*static\s+['"]([^'"]+)['"]\s*%}""", text)
        missing += [name for name in files if not finders.find(name)]
        missing += set(re.findall(r"""\{% icon "([a-z-]+)\"""", text)) - icons
        missing += set(re.findall(r"""<c-button[^>]*\sicon="([a-z-]+)\"""", text)) - icons
        missing += set(re.findall(r"""\{% pill "([a-z-]+)\"""", text)) - set(STATUSES)
        for name in re.findall(r"""<c-empty-state[^>]*\sdrawing="([a-z-]+)\"""", text):
            missing += [] if (STATIC / "img" / f"empty-{name}.svg").exists() else [name]
    assert missing == []


def test_the_vendored_files_are_as_they_were_fetched() -> None:
    check = [sys.executable, str(ROOT / "scripts" / "refresh_vendor.py"), "--check"]
    result = subprocess.run(check, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.django_db
def test_a_first_visit_loads_less_than_it_may(client: Client) -> None:
    html = client.get("/accounts/login/").content
    names = set(re.findall(r'(?:href|src)="/static/([^"#]+)', html.decode()))
    sizes = {name: len(gzip.compress((STATIC / name).read_bytes())) for name in names}
    assert sum(sizes.values()) + len(gzip.compress(html)) < FIRST_LOAD, sizes


BY_A_BROWSER = {"accept-encoding": "gzip, deflate, br"}


@pytest.mark.django_db
def test_a_page_is_compressed_for_those_who_read_that_and_for_nobody_else(
    developer: User, browser_of: BrowserOf
) -> None:
    client = browser_of(developer)
    small = client.get(reverse("connectors:list"), headers=BY_A_BROWSER)
    assert small.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in small.headers["Vary"]
    assert int(small.headers["Content-Length"]) == len(small.content)
    large = client.get(reverse("connectors:list"))
    assert "Content-Encoding" not in large.headers
    assert len(small.content) * 2 < len(large.content)


@pytest.mark.django_db
def test_what_is_shown_once_is_not_compressed(developer: User, browser_of: BrowserOf) -> None:
    """Its length would tell of it, to whoever can have other words stand beside it (BREACH)."""
    connector = make_connector(developer)
    client = browser_of(developer)
    shown = client.post(
        reverse("connectors:secret_add", args=[connector.pk]), {"idempotency_key": "s" * 32}, headers=BY_A_BROWSER
    )
    assert b"kzcs_" in shown.content
    assert "Content-Encoding" not in shown.headers


@pytest.mark.django_db
def test_the_key_of_an_authenticator_app_is_not_compressed(developer: User, browser_of: BrowserOf) -> None:
    shown = browser_of(developer).get(reverse("accounts:authenticator_set_up"), headers=BY_A_BROWSER)
    assert b"totp-key" in shown.content
    assert "Content-Encoding" not in shown.headers
