"""The archive by parts of names: the names that occur are asked first, and each has its messages in their order."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Organisation, User
from groups.models import ArchivedMessage, ArchivedName
from groups.queries import archive as archive_queries
from groups.tests.bulk import done
from groups.tests.test_archive_pages import HEADER, uploaded_export
from kaizala_console.lib import keyset
from kaizala_console.lib.keyset import Page
from kaizala_console.tests import plans

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]

GROUPS = ["Depot North", "Depot South", "depot 7", "Office", "", "50% _off\\"]
SENDERS = ["+919876543210", "Asha", "Usha", "asha k", ""]
BEGAN = dt.datetime(2019, 3, 1, tzinfo=dt.UTC)
# By the bounds: each name is a part; the few messages of many names are sorted; all are walked through; so many names
# have it that each message is asked.
BOUNDS = pytest.mark.parametrize(
    ("parts", "most", "names"), [(10, 5000, 100), (1, 5000, 100), (1, 3, 100), (10, 5000, 1)]
)


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


@BOUNDS
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
def test_the_same_messages_are_found_however_many_names_there_are(
    archive: Organisation,
    asked: dict[str, Any],
    parts: int,
    most: int,
    names: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for bound, value in (("MOST_PARTS", parts), ("MOST", most), ("MOST_NAMES", names)):
        monkeypatch.setattr(archive_queries, bound, value)
    expected = ArchivedMessage.objects.filter(
        group_name__icontains=asked.get("group", "").replace("\0", "").strip(),
        sender__icontains=asked.get("sender", "").strip(),
    ).filter(
        Q(sent_at__gte=asked.get("since", BEGAN)), Q(sent_at__lt=asked.get("until", BEGAN + dt.timedelta(days=30)))
    )
    in_order = list(expected.order_by("-sent_at", "-id").values_list("message_id", flat=True))
    assert leafed(archive, **asked) == (in_order, in_order)


def test_what_another_organisation_has_is_never_found_nor_its_names_used(archive: Organisation, outsider: User) -> None:
    theirs = HEADER + "2019-03-01T09:30:00Z,Depot Secret,m-1,Zubin,Text,\n"
    done(uploaded_export(outsider, theirs))
    assert leafed(archive, group="secret") == ([], [])
    assert leafed(archive, sender="zubin") == ([], [])
    assert leafed(outsider.organisation, group="depot") == (["m-1"], ["m-1"])
    assert leafed(outsider.organisation, group="north") == ([], [])
    with CaptureQueriesContext(
        connection,
    ) as asked:
        archive_queries.archive_page(archive, group="depot")
    assert not [one for one in asked.captured_queries if "Depot Secret" in one["sql"]]


def test_the_mark_of_a_page_holds_when_another_name_comes(archive: Organisation, organisation_admin: User) -> None:
    first = archive_queries.archive_page(archive, group="north", size=4)
    before = archive_queries.archive_page(archive, group="north", size=4, cursor=first.next_cursor)
    done(uploaded_export(organisation_admin, HEADER + "2018-01-01T09:30:00Z,Northern Depot,n-1,Asha,Text,\n"))
    after = archive_queries.archive_page(archive, group="north", size=4, cursor=first.next_cursor)
    assert [one.pk for one in after.items] == [one.pk for one in before.items]
    with pytest.raises(keyset.BadCursor):
        archive_queries.archive_page(archive, group="north", cursor="forged")


def test_names_are_kept_once_and_with_the_messages(archive: Organisation, organisation_admin: User) -> None:
    def kept() -> set[tuple[str, str]]:
        return set(ArchivedName.objects.filter(organisation=archive).values_list("kind", "name"))

    all_names = {("group", name) for name in GROUPS if name} | {("sender", name) for name in SENDERS if name}
    assert kept() == all_names
    ArchivedName.objects.filter(name="Office").delete()
    done(uploaded_export(organisation_admin, HEADER + "2019-03-01T01:00:00Z,Office,m-3,usha,Text,\n"))
    assert kept() == all_names | {("sender", "usha")}, "a file that comes again mends what is missing"


def test_the_migration_knows_the_names_of_messages_that_are_there(archive: Organisation) -> None:
    before = sorted(ArchivedName.objects.values_list("organisation", "kind", "name"))
    ArchivedName.objects.all().delete()
    import_module("groups.migrations.0010_names_in_the_archive").note(apps, None)
    assert sorted(ArchivedName.objects.values_list("organisation", "kind", "name")) == before


@pytest.mark.parametrize("name", ["", "Office"])
def test_a_name_is_one_and_stands_there_once(archive: Organisation, name: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ArchivedName.objects.create(organisation=archive, kind=ArchivedName.Kind.GROUP, name=name)


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({"group": "north"}, "archived_by_group"),
        ({"sender": "usha"}, "archived_by_sender"),
        ({"group": "north", "sender": "usha"}, "archived_by_both"),
    ],
    ids=str,
)
def test_the_messages_of_a_name_are_read_in_their_order_from_an_index(
    archive: Organisation, asked: dict[str, Any], index: str
) -> None:
    with CaptureQueriesContext(connection) as seen:
        archive_queries.archive_page(archive, **asked)
    reading = [one["sql"] for one in seen.captured_queries if 'FROM "groups_archivedmessage"' in one["sql"]]
    assert len(reading) == 1
    plan = " ".join(plans.steps_of(reading, avoid=("seqscan", "bitmapscan", "sort")))
    assert re.search(rf"\b{index}\b", plan), plan
    assert "B-TREE" not in plan
    assert "Sort" not in plan


def test_the_messages_of_many_names_are_met_on_a_walk_that_no_guess_turns_into_a_sort(
    archive: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of long words PostgreSQL expects that hardly any message has them, unless it cannot tell."""
    monkeypatch.setattr(archive_queries, "MOST_PARTS", 0)
    monkeypatch.setattr(archive_queries, "MOST", 0)
    with CaptureQueriesContext(connection) as seen:
        archive_queries.archive_page(archive, group="depot north")
    walk = seen.captured_queries[-1]["sql"].partition("WHERE")[2]
    assert "CASE WHEN" in walk.partition("LIKE")[0]


def test_a_name_that_nobody_has_costs_no_look_at_messages(
    archive: Organisation, organisation_admin: User, browser_of: Browser
) -> None:
    client = browser_of(organisation_admin)
    with CaptureQueriesContext(connection) as seen:
        client.get(reverse("groups:archive"), {"group": "nowhere"})
    assert not [one for one in seen.captured_queries if "groups_archivedmessage" in one["sql"]]
