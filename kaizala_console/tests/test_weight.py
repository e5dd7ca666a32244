"""What a first visit weighs, as it is sent: a long list too, and never what is shown once."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests import factories as people
from connectors.tests.factories import make_connector
from groups.tests.factories import make_group
from kaizala_console.tests.test_templates import FIRST_LOAD, STATIC

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
BY_A_BROWSER = {"accept-encoding": "gzip, deflate, br"}


def test_a_page_is_compressed_for_those_who_read_that_and_for_nobody_else(developer: User, browser_of: Browser) -> None:
    client = browser_of(developer)
    small = client.get(reverse("connectors:list"), headers=BY_A_BROWSER)
    assert small.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in small.headers["Vary"]
    assert int(small.headers["Content-Length"]) == len(small.content)
    large = client.get(reverse("connectors:list"))
    assert "Content-Encoding" not in large.headers
    assert len(small.content) * 2 < len(large.content)


def test_what_is_shown_once_is_not_compressed(developer: User, browser_of: Browser) -> None:
    """Its length would tell of it, to whoever can have other words stand beside it (BREACH)."""
    connector = make_connector(developer)
    client = browser_of(developer)
    shown = client.post(
        reverse("connectors:secret_add", args=[connector.pk]), {"idempotency_key": "s" * 32}, headers=BY_A_BROWSER
    )
    assert b"kzcs_" in shown.content
    assert "Content-Encoding" not in shown.headers


def test_the_key_of_an_authenticator_app_is_not_compressed(developer: User, browser_of: Browser) -> None:
    shown = browser_of(developer).get(reverse("accounts:authenticator_set_up"), headers=BY_A_BROWSER)
    assert b"totp-key" in shown.content
    assert "Content-Encoding" not in shown.headers


def test_a_file_is_sent_as_it_is(developer: User, browser_of: Browser) -> None:
    connector = make_connector(developer)
    page = browser_of(developer).get(reverse("connectors:usage_export", args=[connector.pk]), headers=BY_A_BROWSER)
    assert "Content-Encoding" not in page.headers


def plain(body: bytes, encoding: str) -> str:
    return (gzip.decompress(body) if encoding == "gzip" else body).decode()


def test_a_full_page_of_people_loads_less_than_it_may(organisation_admin: User, browser_of: Browser) -> None:
    members = [people.make_person(f"Somebody {number}", f"+9198200{number:05}") for number in range(60)]
    group = make_group(admins=[organisation_admin], members=members)
    page = browser_of(organisation_admin).get(reverse("groups:details", args=[group.pk]), headers=BY_A_BROWSER)
    html = plain(page.content, page.headers.get("Content-Encoding", ""))
    assert html.count("Somebody") >= 50
    names = set(re.findall(r'(?:href|src)="/static/([^"#]+)', html))
    files = sum(len(gzip.compress(Path(STATIC / name).read_bytes())) for name in names)
    assert files + len(page.content) < FIRST_LOAD, (files, len(page.content))
