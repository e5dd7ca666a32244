"""The operators' pages say in Hindi what Django's own Hindi leaves in English."""

from __future__ import annotations

import gettext
import json
import re
from pathlib import Path

import django
import pytest
from django.apps import apps
from django.utils import translation

from accounts.operators.djangos_words import OF_THE_TIMETABLE, WORDS

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


@pytest.mark.once
def test_the_timetable_is_called_in_hindi() -> None:
    config = apps.get_app_config("django_celery_beat")
    names = config.get_model("PeriodicTask")._meta

    def said() -> tuple[str, ...]:
        return str(config.verbose_name), str(names.verbose_name), str(names.verbose_name_plural)

    with translation.override("en"):
        assert said() == OF_THE_TIMETABLE
    with translation.override("hi"):
        assert not set(said()) & set(OF_THE_TIMETABLE)
