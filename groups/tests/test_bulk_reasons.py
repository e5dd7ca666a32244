"""Why a line was passed by is said in the language of who reads it: on the page, in the files, in the log."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.core.files.storage import storages
from django.test import Client
from django.urls import reverse
from django.utils import translation

from accounts.audit.events import EventType
from accounts.models import AuditEvent, User
from connectors.tests.html_forms import text_of
from groups.bulk_files import WORDS, format_reason
from groups.models import BulkJob, Group
from groups.tests.bulk import checked, told, uploaded, worked_at
from kaizala_console.lib import ids

Browser = Callable[..., Client]
TEXT = "Phone number,Name\n+91 98765 43210,Asha\n9876543210,Asha\n"
TWICE = {"en": "This number is already in line 2.", "hi": "यह नंबर पहले से पंक्ति 2 में है।"}
GONE = {"en": "The file is no longer stored.", "hi": "फ़ाइल अब वहाँ नहीं है।"}
VALUES = {"line": 4, "most": 200, "n": 3, "text": "x%y", "id": "7", "name": "100 %", "child": "%s", "parent": "%(n)d"}


@pytest.mark.once
@pytest.mark.parametrize("language", ["en", "hi"])
@pytest.mark.parametrize("code", sorted(WORDS))
def test_every_reason_is_a_sentence_in_every_language(code: str, language: str) -> None:
    with translation.override("en"):
        names = set(re.findall(r"%\((\w+)\)", str(WORDS[code])))
    assert names <= set(VALUES), "a reason that names something else: say it above"
    with translation.override(language):
        sentence = format_reason(code, {name: VALUES[name] for name in names})
    assert len(code) <= 40, "what the column holds"
    assert all(str(VALUES[name]) in sentence for name in names)
    assert sentence.endswith((".", "।"))


@pytest.mark.django_db
def test_each_reader_gets_the_reason_in_their_language(group: Group, group_admin: User, browser_of: Browser) -> None:
    job = checked(uploaded(group, group_admin, TEXT))
    assert job.language == "en"
    assert list(job.lines.values_list("code", "params", "reason")) == [("number_again", {"line": 2}, "")]
    browser = browser_of(group_admin)
    for language, sentence in TWICE.items():
        asks = {"Accept-Language": language}
        assert sentence in text_of(browser.get(reverse("groups:bulk_job", args=[job.pk]), headers=asks))
        for name in ("bulk_problems", "bulk_log"):
            assert (
                sentence in browser.get(reverse(f"groups:{name}", args=[job.pk]), headers=asks).getvalue().decode()
            ), (
                name,
                language,
            )


@pytest.mark.django_db
def test_why_an_upload_stopped_is_said_in_the_readers_language(
    group: Group, group_admin: User, browser_of: Browser
) -> None:
    job = uploaded(group, group_admin, TEXT)
    storages["bulk"].delete(job.stored_as)
    assert worked_at(job).state == "failed"
    browser = browser_of(group_admin)
    for language, sentence in GONE.items():
        asks = {"Accept-Language": language}
        page = text_of(browser.get(reverse("groups:bulk_job", args=[job.pk]), headers=asks))
        assert page.count(sentence) == 2, "above, and in the log"
    assert AuditEvent.objects.get(tag=EventType.BULK_FAILED).after["reason"] == "file_gone"


@pytest.mark.django_db
def test_rows_from_before_there_were_codes_say_what_they_said(
    group: Group, group_admin: User, browser_of: Browser
) -> None:
    job = checked(uploaded(group, group_admin, TEXT))
    job.lines.update(code="", params={}, reason="This number stood there, years ago.")
    old = BulkJob.objects.create(
        pk=ids.new_id(), kind="users", group=group, organisation=group.organisation, by=group_admin, file_name="a.csv",
        file_size=1, sha256="0" * 64, language="en", failed_at=job.checked_at, failed_because="It was a leap year.",
    )  # fmt: skip
    assert told(job)[3] == ("bad", "This number stood there, years ago.")
    browser = browser_of(group_admin)
    assert "years ago." in text_of(browser.get(reverse("groups:bulk_job", args=[job.pk])))
    assert "It was a leap year." in text_of(browser.get(reverse("groups:bulk_job", args=[old.pk])))
