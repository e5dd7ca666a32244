"""The operators' pages say in Hindi what Django's own Hindi leaves in English."""

from __future__ import annotations

import gettext
import json
import re
from pathlib import Path

import django
import pytest

from accounts.operators.djangos_words import WORDS

LOCALES = Path(django.__file__).parent / "contrib" / "admin" / "locale"


def texts_of_the_admin() -> set[str]:
    """All that Django's admin may say."""
    source = (LOCALES / "en" / "LC_MESSAGES" / "django.po").read_text("utf-8")
    pieces = re.findall(r'^msgid ((?:".*"\n)+)', source, flags=re.MULTILINE)
    return {"".join(json.loads(line) for line in piece.splitlines()) for piece in pieces}


@pytest.mark.once
def test_each_word_is_still_said_by_django() -> None:
    assert sorted(set(WORDS) - texts_of_the_admin()) == []


@pytest.mark.once
def test_none_has_a_hindi_of_djangos_own() -> None:
    own = gettext.translation("django", localedir=LOCALES, languages=["hi"])
    assert [word for word in WORDS if own.gettext(word) != word] == []
