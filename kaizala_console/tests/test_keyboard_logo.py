"""By keyboard alone: the logo of a connector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts.models import User
from connectors.tests.factories import make_connector
from kaizala_console.lib.tests.picture_files import WEBP
from kaizala_console.tests.typist import Typist

pytestmark = [pytest.mark.once, pytest.mark.journey, pytest.mark.django_db(transaction=True)]


def test_a_logo_is_refused_put_and_removed_without_a_mouse(
    typist: Callable[..., Typist], developer: User, tmp_path: Path
) -> None:
    """What is no picture leads to its field; what is one is shown by the browser, in a place kept for it."""
    connector = make_connector(developer, "Shift Planner")
    owner = typist(developer)
    page = owner.page

    def choose(name: str, content: bytes) -> None:
        (tmp_path / name).write_bytes(content)
        with page.expect_file_chooser() as chooser:
            owner.press(owner.field("Picture"))
        chooser.value.set_files(tmp_path / name)
        owner.button("Save logo")

    owner.visit(reverse("connectors:details", args=[connector.pk]))
    owner.link("Change details")
    owner.skip()
    owner.link("Add logo")
    owner.skip()
    choose("forged.png", b"<svg onload='alert(1)'/>")
    expect(page.get_by_role("alert")).to_be_focused()
    owner.press(page.get_by_role("alert").get_by_role("link"))
    expect(owner.field("Picture")).to_be_focused()
    choose("logo.webp", WEBP)
    expect(page.get_by_text("Logo saved.")).to_be_visible()
    shown = page.locator("h1 .avatar-logo img")
    expect(shown).to_be_visible()
    page.wait_for_function("() => document.querySelector('h1 .avatar-logo img').complete", timeout=10_000)
    assert shown.evaluate("img => [img.naturalWidth, img.naturalHeight]") == [40, 33]
    assert shown.evaluate("img => [img.width, img.height]") == [48, 48]
    owner.skip()
    owner.link("Change details")
    owner.skip()
    owner.link("Change logo")
    owner.skip()
    owner.button("Remove logo", "Space")
    expect(page.get_by_text("Logo removed.")).to_be_visible()
    expect(page.locator(".avatar-logo")).to_have_count(0)
