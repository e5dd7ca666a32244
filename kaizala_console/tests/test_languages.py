"""Every text can be read in every language of the console; programs are always answered in English."""

from __future__ import annotations

import ast
import datetime as dt
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.mail import EmailMessage
from django.db.models import AutoField, Field
from django.test import Client
from django.utils import formats, translation
from django.utils.functional import Promise

from accounts.models import User
from accounts.services import notifications
from accounts.tests.pages import words
from kaizala_console.lib.tests.cast import BrowserOf

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*.html") if "gallery" not in str(path))
# What is between these is no text of ours, or is translated.
NOT_TEXT = (
    r"{%\s*comment.*?endcomment\s*%}",
    r"{#.*?#}",
    r"{%\s*blocktrans(?:late)?\b.*?endblocktrans(?:late)?\s*%}",
    r"{%.*?%}|{{.*?}}",
    r"<!--.*?-->",
    r"<(script|style|code|pre|kbd)\b.*?</\1>",
    r'\s(?:hx|data)-[a-z-]+="[^"]*"',  # also where attributes stand alone, to be put into a tag
)
SPOKEN = r'\s(?:title|placeholder|aria-label|alt|label|lead|caption|summary|help|word)="([^"]*)"'
SAME_EVERYWHERE = {"curl"}


@pytest.fixture(scope="module")
def messages() -> ModuleType:
    """scripts/messages.py, which is no module of a package."""
    spec = importlib.util.spec_from_file_location("messages_script", ROOT / "scripts" / "messages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def untranslated(template: str) -> list[str]:
    """The words of a template that stand there as they are."""
    for pattern in NOT_TEXT:
        template = re.sub(pattern, " ", template, flags=re.DOTALL)
    pieces = [*re.findall(SPOKEN, template), *re.sub(r"class=\"[^\"]*\"|<[^>]*>", " ", template).split("\n")]
    pieces = [re.sub(r"&[a-z]+;", " ", piece).strip() for piece in pieces]
    return [piece for piece in pieces if re.search(r"[A-Za-z]{2,}", piece) and piece not in SAME_EVERYWHERE]


@pytest.mark.once
def test_no_template_holds_words_that_nobody_can_translate() -> None:
    found = {}
    for path in TEMPLATES:
        source = re.sub(r"{%\s*block (page_class|direction)\s*%}.*?{%\s*endblock\s*%}", "", path.read_text("utf-8"))
        if left := untranslated(source):
            found[str(path.relative_to(ROOT))] = left
    assert not found


@pytest.mark.once
def test_no_text_hides_in_an_f_string_where_the_search_for_texts_does_not_look() -> None:
    hidden = []
    for package in ("accounts", "connectors", "groups", "kaizala_console"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if "tests" in path.parts:
                continue
            inside = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.JoinedStr)]
            calls = [call for node in inside for call in ast.walk(node) if isinstance(call, ast.Call)]
            if any(isinstance(call.func, ast.Name) and re.search("^_$|gettext", call.func.id) for call in calls):
                hidden.append(str(path.relative_to(ROOT)))
    assert not hidden


@pytest.mark.once
@pytest.mark.parametrize("language", [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE])
def test_every_text_of_the_console_is_translated(language: str, messages: ModuleType) -> None:
    problems = messages.problems(language)
    assert not problems, "\n".join(problems[:40])


def test_a_page_is_read_in_the_language_that_the_browser_asks_for(client: Client, db: None) -> None:
    page = client.get("/accounts/login/", headers={"Accept-Language": "hi-IN,hi;q=0.9,en;q=0.5"})
    assert '<html lang="hi"' in page.content.decode()
    with translation.override("hi"):
        wanted = translation.gettext("Sign in with Office365")
    assert wanted != "Sign in with Office365"
    assert wanted in words(page)


def test_a_mail_is_written_in_the_language_of_who_gets_it(
    developer: User, member: User, outbox: list[EmailMessage], django_capture_on_commit_callbacks: Callable[..., object]
) -> None:
    developer.language = "hi"
    developer.save()
    for user in (developer, member):
        notice = notifications.queue(
            user=user, template="accounts/phone_added", key=f"k{user.pk}", context={"number": "1"}
        )
        notifications.deliver(notice_id=notice.pk)
    subjects = {mail.to[0]: mail.subject for mail in outbox}
    assert re.search(r"[\u0900-\u097f]", str(subjects[developer.email]))
    assert str(subjects[member.email]).isascii()


def test_hindi_groups_numbers_as_in_india_and_shortens_months_as_browsers_do() -> None:
    with translation.override("hi"):
        assert intcomma(1234567) == "12,34,567"
        assert formats.date_format(dt.date(2026, 12, 4), "j M Y") == "4 दिस॰ 2026"
        assert formats.date_format(dt.date(2026, 11, 4), "j F Y") == "4 नवंबर 2026"


OF_DJANGO_OTP = {"name", "created_at", "last_used_at"}  # abstract models of others name theirs in English


def test_every_field_has_a_name_that_is_translated() -> None:
    unnamed = [
        f"{model.__name__}.{field.name}"
        for app in ("accounts", "connectors", "groups")
        for model in apps.get_app_config(app).get_models()
        for field in model._meta.get_fields()
        if isinstance(field, Field) and not isinstance(field, AutoField) and not isinstance(field.verbose_name, Promise)
    ]
    others = {f"PinDevice.{name}" for name in OF_DJANGO_OTP}
    assert sorted(each for each in unnamed if each not in others and not each.startswith("AuthenticatorApp.")) == []


def test_a_field_is_called_in_the_language_of_the_reader() -> None:
    field = apps.get_model("connectors", "Grant")._meta.get_field("granted_at")
    with translation.override("hi"):
        assert str(field.verbose_name) != "granted at"


@pytest.mark.once
@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/accounts/login/", "/console/", "/console/connectors/add/", "/nothing/here"])
def test_a_page_of_such_a_language_says_so(address: str, developer: User, browser_of: BrowserOf, settings: Any) -> None:
    settings.LANGUAGES = [("en", "English"), ("ar", "Arabic")]
    client = Client() if address == "/accounts/login/" else browser_of(developer)
    page = client.get(address, headers={"accept-language": "ar"}).content.decode()
    assert re.search(r'<html lang="ar" dir="rtl"[ >]', page)
