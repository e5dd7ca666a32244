"""The archive by parts of names: the right messages, in their order, both ways, of the own organisation alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Q
from django.test import Client

from accounts.models import Organisation, User
from groups.models import ArchivedMessage
from groups.queries import actions as archive_queries
from groups.tests.bulk import done
from groups.tests.test_archive_pages import HEADER, uploaded_export
from kaizala_console.lib import pagination
from kaizala_console.lib.pagination import Page

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
Browser = Callable[..., Client]

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


def test_what_another_organisation_has_is_never_found(archive: Organisation, outsider: User) -> None:
    theirs = HEADER + "2019-03-01T09:30:00Z,Depot Secret,m-1,Zubin,Text,\n"
    done(uploaded_export(outsider, theirs))
    assert leafed(archive, group="secret") == ([], [])
    assert leafed(archive, sender="zubin") == ([], [])
    assert leafed(outsider.organisation, group="depot") == (["m-1"], ["m-1"])
    assert leafed(outsider.organisation, group="north") == ([], [])


def test_the_mark_of_a_page_holds_when_another_name_comes(archive: Organisation, organisation_admin: User) -> None:
    first = archive_queries.archive_page(archive, group="north", size=4)
    before = archive_queries.archive_page(archive, group="north", size=4, cursor=first.next_cursor)
    done(uploaded_export(organisation_admin, HEADER + "2018-01-01T09:30:00Z,Northern Depot,n-1,Asha,Text,\n"))
    after = archive_queries.archive_page(archive, group="north", size=4, cursor=first.next_cursor)
    assert [one.pk for one in after.items] == [one.pk for one in before.items]
    with pytest.raises(pagination.BadCursor):
        archive_queries.archive_page(archive, group="north", cursor="forged")
