"""Languages that are written from right to left: the page says so, and the style sheet keeps to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User


@pytest.mark.once
@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/accounts/login/", "/console/", "/console/connectors/add/", "/nothing/here"])
def test_a_page_of_such_a_language_says_so(
    address: str, developer: User, browser_of: Callable[..., Client], settings: Any
) -> None:
    settings.LANGUAGES = [("en", "English"), ("ar", "Arabic")]
    client = Client() if address == "/accounts/login/" else browser_of(developer)
    page = client.get(address, headers={"accept-language": "ar"}).content.decode()
    assert re.search(r'<html lang="ar" dir="rtl"[ >]', page)
