"""The archive: an old tenant's messages, imported once, searched, never changed, and never fetched from."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Q
from django.test import Client
from django.urls import reverse

from accounts.models import Organisation, User
from connectors.tests.html_forms import form_to, text_of
from groups.models import ArchivedMessage, BulkJob, Group
from groups.queries import actions as archive_queries
from groups.queries import bulk as bulk_queries
from groups.services.bulk import jobs
from groups.tests.bulk import checked, done, told, uploaded, worked_at
from groups.tests.conftest import Browser
from groups.tests.pages import count_statements, everything
from kaizala_console.lib import ids
from kaizala_console.lib.errors import Conflict, RuleBroken
from kaizala_console.lib.pagination import Page

pytestmark = pytest.mark.django_db
HEADER = "Timestamp,Group Name,MessageID,Sender,Message Type,Attachement stored at:\n"
FILE = HEADER + (
    "2019-03-01T09:30:00Z,Depot North,m-1,+919876543210,Text,\n"
    "2019-03-02T09:30:00Z,Depot South,m-2,Asha,Album,https://old.example/1.jpg : https://old.example/2.jpg\n"
    '2019-03-03T09:30:00Z,"Depot\nWest",m-3,=Asha,Image,javascript:alert(1)\n'
)


@pytest.fixture
def client(organisation_admin: User, browser_of: Browser) -> Client:
    return browser_of(organisation_admin)


@pytest.fixture
def imported(organisation_admin: User) -> BulkJob:
    return done(uploaded_export(organisation_admin, FILE))


def uploaded_export(by: User, text: str | bytes) -> BulkJob:
    """An export, as it was sent."""
    content = text.encode() if isinstance(text, str) else text
    file = ContentFile(content, name="MicrosoftKaizala_TenantMessages.csv")
    return jobs.upload(job_id=ids.new_id(), kind="messages", file=file, by=by, organisation=by.organisation)


def at(name: str, *args: Any) -> str:
    return reverse(f"groups:{name}", args=args)


def test_messages_are_kept_as_they_stood_there(imported: BulkJob) -> None:
    assert imported.counts == {"archived": 3}
    first, album, last = ArchivedMessage.objects.order_by("sent_at")
    assert (first.group_name, first.sender, first.message_type) == ("Depot North", "+919876543210", "Text")
    assert first.sent_at.isoformat() == "2019-03-01T09:30:00+00:00"
    assert album.attachments.splitlines() == ["https://old.example/1.jpg", "https://old.example/2.jpg"]
    assert last.message_id == "m-3"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_the_same_file_again_changes_nothing(
    imported: BulkJob, organisation_admin: User, outsider: User, encoding: str
) -> None:
    before = list(ArchivedMessage.objects.order_by("pk").values_list())
    assert done(uploaded_export(organisation_admin, FILE.encode(encoding))).counts == {"unchanged": 3}
    assert list(ArchivedMessage.objects.order_by("pk").values_list()) == before
    assert done(uploaded_export(outsider, FILE)).counts == {"archived": 3}, "the same ids elsewhere are other messages"


def test_what_was_broken_into_lines_is_set_aside_whole_and_the_rest_is_read(organisation_admin: User) -> None:
    long = "x" * 900
    text = FILE + (
        f"2019-03-04T09:30:00Z,Depot {long}\nEast,m-4,Asha,Text,\n"
        '2019-03-05T09:30:00Z,"Depot,m-5,Asha,Text,\n'
        "2019-03-06T09:30:00Z,Depot,m-6,Asha,Text,\n"
        "2019-03-07T09:30:00Z,Depot,,Asha,Text,\n"
        "yesterday,Depot,m-8,Asha,Text,\n"
        "2019-03-08T09:30:00Z,Depot,m-6,Asha,Text,\n"
    )
    job = checked(uploaded_export(organisation_admin, text))
    assert sorted(told(job)) == [6, 7, 8, 10, 11, 12]
    quarantine = list(bulk_queries.problem_rows(job))
    assert long in str(quarantine[1][3])
    jobs.go_on(job=job, by=organisation_admin)
    assert worked_at(job).counts == {"archived": 4}


def test_a_file_with_other_columns_asks_which_is_which(
    client: Client, organisation_admin: User, group: Group, group_admin: User
) -> None:
    text = "When;Where;Key;Who\n2019-03-01T09:30:00Z;Depot;m-1;Asha\n"
    form = form_to(client.get(at("archive_import")), at("archive_import"))
    sent = form.send(client, {"file": SimpleUploadedFile("old.csv", text.encode())})
    job = BulkJob.objects.get()
    assert sent["Location"] == at("archive_columns", job.pk)
    assert worked_at(job).checked_at is None, "nobody knows yet what to check"
    page = client.get(sent["Location"])
    assert "m-1" in text_of(page)
    assert at("archive_columns", job.pk) in client.get(at("bulk_job", job.pk)).content.decode()
    choosing = form_to(page, at("archive_columns", job.pk))
    for wrong in ({}, {"message_id": "When"}, {"message_id": "nothing"}):
        assert choosing.send(client, {"sent_at": "When", **wrong}).status_code == 400
    choice = {"sent_at": "When", "message_id": "Key", "group_name": "Where", "sender": "Who"}
    assert choosing.send(client, choice)["Location"] == at("bulk_job", job.pk)
    assert client.get(at("archive_columns", job.pk)).status_code == 302
    assert done(job).counts == {"archived": 1}
    message = ArchivedMessage.objects.get()
    assert (message.group_name, message.sender) == ("Depot", "Asha")
    with pytest.raises(Conflict):
        jobs.choose_columns(job=job, headers=choice, by=organisation_admin)
    with pytest.raises(RuleBroken):
        uploaded_export(organisation_admin, b"PK\x03\x04")
    users = uploaded(group, group_admin, "Phone number\n+919876543210\n")
    assert client.get(at("archive_columns", users.pk)).status_code == 404


def test_the_archive_is_searched_by_group_sender_and_time(client: Client, imported: BulkJob) -> None:
    for query, found in (
        ({}, 3),
        ({"sender": "+919876543210"}, 1),
        ({"since": "2019-03-02", "until": "2019-03-02"}, 1),
        ({"group": "depot", "sender": "asha", "until": "2019-03-02"}, 1),
        ({"group": "nowhere", "until": "9999-12-31", "since": "not a day"}, 0),
        ({"group": "\0"}, 3),
    ):
        assert client.get(at("archive"), query).content.decode().count('<th scope="row">') == found, query
    assert "No matches" in text_of(client.get(at("archive"), {"group": "nowhere"}))
    assert client.get(at("archive"), {"cursor": "forged"}).status_code == 302


def test_attachments_are_text_and_no_links(client: Client, imported: BulkJob) -> None:
    page = client.get(at("archive")).content.decode()
    assert "https://old.example/1.jpg" in page
    assert 'href="https://old.example' not in page
    assert 'href="javascript' not in page


@pytest.mark.parametrize("who", ["group_admin", "operator"], indirect=True)
def test_nobody_but_admins_of_the_organisation_says_which_column_is_which(
    who: User, browser_of: Browser, organisation_admin: User
) -> None:
    asked = uploaded_export(organisation_admin, "When,Key\n2019-03-01T09:30:00Z,k\n")
    client, before, url = browser_of(who), everything(), at("archive_columns", asked.pk)
    assert client.get(url).status_code == 403
    assert client.post(url, {"sent_at": "When", "message_id": "Key"}).status_code == 403
    assert everything() == before


def test_an_admin_of_another_organisation_sees_another_archive(
    browser_of: Browser, imported: BulkJob, organisation_admin: User, outsider: User
) -> None:
    asked = uploaded_export(organisation_admin, "When,Key\n2019-03-01T09:30:00Z,k\n")
    client, before = browser_of(outsider), everything()
    assert "Depot" not in text_of(client.get(at("archive")))
    assert asked.file_name not in text_of(client.get(at("archive_import"))).split("Previous uploads")[-1]
    for name in ("archive_columns", "bulk_job", "bulk_file", "bulk_problems"):
        assert client.get(at(name, asked.pk)).status_code == 404
    assert client.post(at("archive_columns", asked.pk), {"sent_at": "When", "message_id": "Key"}).status_code == 404
    assert everything() == before
    done(uploaded_export(outsider, HEADER + "2019-03-01T09:30:00Z,Office,m-1,Zubin,Text,\n"))
    assert "Zubin" in text_of(client.get(at("archive"), {"group": "o"}))
    for query in ({"group": "o"}, {"sender": "a"}, {"group": "depot", "sender": "asha"}):
        assert "Depot North" not in text_of(client.get(at("archive"), query)), query


def test_a_longer_archive_costs_no_more_queries_and_is_paged(
    client: Client, imported: BulkJob, organisation: Organisation
) -> None:
    few = count_statements(client, at("archive"))
    ArchivedMessage.objects.bulk_create(
        ArchivedMessage(organisation=organisation, job=imported, message_id=f"n-{n}", sent_at=BEGAN) for n in range(60)
    )
    assert count_statements(client, at("archive")) == few
    assert 'rel="next"' in client.get(at("archive")).content.decode()


GROUPS = ["Depot North", "Depot South", "depot 7", "Office", "", "50% _off\\"]
SENDERS = ["+919876543210", "Asha", "Usha", "asha k", ""]
BEGAN = dt.datetime(2019, 3, 1, tzinfo=dt.UTC)


@pytest.fixture
def archive(organisation_admin: User) -> Organisation:
    """Ninety messages: three at each moment, and every sender in every group."""
    lines = "".join(
        f"{BEGAN + dt.timedelta(hours=n // 3):%Y-%m-%dT%H:%M:%SZ},{GROUPS[n % 6]},m-{n},{SENDERS[n % 5]},Text,\n"
        for n in range(90)
    )
    done(uploaded_export(organisation_admin, HEADER + lines))
    assert ArchivedMessage.objects.count() == 90
    return organisation_admin.organisation


def leafed(organisation: Organisation, **asked: Any) -> tuple[list[str], list[str]]:
    """All pages on to the last, and back from there."""

    def page(cursor: str | None = None) -> Page[ArchivedMessage]:
        return archive_queries.archive_page(organisation, size=4, cursor=cursor, **asked)

    one = page()
    there = [message.message_id for message in one.items]
    while one.next_cursor:
        one = page(one.next_cursor)
        there += [message.message_id for message in one.items]
    back = [message.message_id for message in one.items]
    while one.previous_cursor:
        one = page(one.previous_cursor)
        back = [message.message_id for message in one.items] + back
    return there, back


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "asked",
    [
        {"group": "depot"},
        {"group": "DEPOT N"},
        {"group": "nowhere"},
        {"group": "%"},
        {"group": "_off\\"},
        {"sender": "asha"},
        {"sender": "sha"},
        {"sender": "9876"},
        {"group": "depot", "sender": "sha"},
        {"group": "Office", "sender": "+91"},
        {"group": "office", "sender": "nobody"},
        {"group": "o", "sender": "a", "since": BEGAN + dt.timedelta(hours=5), "until": BEGAN + dt.timedelta(hours=20)},
        {"group": "depot", "since": BEGAN + dt.timedelta(days=9)},
        {"group": " \0", "sender": " "},
    ],
    ids=str,
)
def test_messages_are_found_by_parts_of_their_names_in_their_order(
    archive: Organisation, asked: dict[str, Any]
) -> None:
    expected = ArchivedMessage.objects.filter(
        group_name__icontains=asked.get("group", "").replace("\0", "").strip(),
        sender__icontains=asked.get("sender", "").strip(),
    ).filter(
        Q(sent_at__gte=asked.get("since", BEGAN)), Q(sent_at__lt=asked.get("until", BEGAN + dt.timedelta(days=30)))
    )
    in_order = list(expected.order_by("-sent_at", "-id").values_list("message_id", flat=True))
    assert leafed(archive, **asked) == (in_order, in_order)
