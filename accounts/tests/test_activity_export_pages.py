"""The activity as a file: what one may read, as filtered, safe in a spreadsheet, verifiable anywhere."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts.audit import canonical, chain, queries
from accounts.audit.events import EventType
from accounts.audit.record import record
from accounts.models import AuditEvent, User
from kaizala_console.dashboard import activity
from kaizala_console.lib import ids
from kaizala_console.lib.tests.cast import BrowserOf

pytestmark = pytest.mark.django_db(transaction=True)


def act(user: User, number: int = 1, *, is_chained: bool = True, **columns: Any) -> None:
    for index in range(number):
        with transaction.atomic():
            record(
                EventType.PERSON_RENAMED,
                by=user,
                subject=user,
                organisation=user.organisation,
                after={"n": index},
                **columns,
            )
    if is_chained:
        chain.chain()


def export(browser: Client, file_format: str, **filters: str) -> Any:
    return browser.post(reverse("activity_export", query=filters), {"format": file_format})


def lines(response: Any) -> list[str]:
    return response.getvalue().decode().splitlines()


def test_json_lines_hold_the_chain_and_verify_without_the_console(
    browser_of: BrowserOf, organisation_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "SLICE", 3)
    act(organisation_admin, 7)
    response = export(browser_of(organisation_admin), "jsonl")
    assert response.headers["Cache-Control"] == "private, no-store"
    found = lines(response)
    assert [json.loads(line)["after"].get("n") for line in found[:7]] == list(range(7))
    assert [json.loads(line)["tag"] for line in found[7:]] == [EventType.AUDIT_EXPORTED]
    assert canonical.verify_lines(found[:7]) == ([], "")


def test_acts_that_overlapped_leave_in_the_order_of_the_chain(
    browser_of: BrowserOf, organisation_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long act gets its key early and its place late: what is whole must not look as if somebody had moved it."""
    monkeypatch.setattr(activity, "SLICE", 2)
    act(organisation_admin, 2)
    act(organisation_admin, is_chained=False)
    long = AuditEvent.objects.get(position=None)
    AuditEvent.objects.filter(pk=long.pk).delete()
    act(organisation_admin, 3)
    long.save(force_insert=True)
    act(organisation_admin)
    found = lines(export(browser_of(organisation_admin), "jsonl"))
    assert [json.loads(line)["position"] for line in found] == [*range(1, 8), None]
    assert canonical.verify_lines(found).faults == []


def test_what_is_not_chained_yet_comes_last_and_without_a_place(
    browser_of: BrowserOf, organisation_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "SLICE", 2)
    act(organisation_admin, 2)
    act(organisation_admin, 4, is_chained=False)
    found = lines(export(browser_of(organisation_admin), "jsonl"))
    assert [json.loads(line)["position"] for line in found] == [1, 2, *[None] * 5]
    verdict = canonical.verify_lines(found)
    assert (verdict.faults, "yet: 5" in verdict.unchained) == ([], True)
    rows = list(csv.DictReader(lines(export(browser_of(organisation_admin), "csv"))))
    assert [row["position"] for row in rows] == ["1", "2", *[""] * 6]


@pytest.mark.parametrize("when", ["on the way", "at the end of the chain"])
def test_what_the_worker_chains_while_the_file_is_written_is_in_it_once(
    browser_of: BrowserOf, organisation_admin: User, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    act(organisation_admin, 2)
    act(organisation_admin, 2, is_chained=False)
    list_in_chain_order = queries.list_in_chain_order

    def meanwhile(*args: Any, **options: Any) -> list[AuditEvent]:
        found = list_in_chain_order(*args, **options)
        if when == "on the way" or not found:
            chain.chain()
        return found

    monkeypatch.setattr(queries, "list_in_chain_order", meanwhile)
    found = lines(export(browser_of(organisation_admin), "jsonl"))
    assert [json.loads(line)["position"] for line in found] == [1, 2, 3, 4, 5]
    assert canonical.verify_lines(found) == ([], "")


def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless(browser_of: BrowserOf, member: User) -> None:
    User.objects.filter(pk=member.pk).update(name="=HYPERLINK(1)")
    member.refresh_from_db()
    act(member)
    text = export(browser_of(member), "csv").getvalue().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0]["who"] == "'=HYPERLINK(1)"
    assert rows[0]["event"] == "person:name:changed"
    assert rows[0]["what happened"].endswith(".")


def test_only_what_one_may_read_leaves(browser_of: BrowserOf, member: User, stranger: User, outsider: User) -> None:
    act(stranger)
    act(outsider)
    act(member)
    actors = {json.loads(line)["actor_id"] for line in lines(export(browser_of(member), "jsonl"))}
    assert actors == {str(member.pk)}


def test_the_filters_of_the_page_apply(browser_of: BrowserOf, organisation_admin: User) -> None:
    connector_id, group_id = ids.new_id(), ids.new_id()
    act(organisation_admin, connector_id=connector_id)
    act(organisation_admin, group_id=group_id)
    browser = browser_of(organisation_admin)
    by_connector = lines(export(browser, "jsonl", connector=str(connector_id)))
    assert [json.loads(line)["connector_id"] for line in by_connector] == [str(connector_id)]
    by_group = lines(export(browser, "jsonl", group=str(group_id)))
    assert [json.loads(line)["group_id"] for line in by_group] == [str(group_id)]
    assert lines(export(browser, "jsonl", q="nobody of this name")) == []


def test_the_export_is_written_down_with_its_filters(browser_of: BrowserOf, organisation_admin: User) -> None:
    export(browser_of(organisation_admin), "csv", q="Devika")
    event = AuditEvent.objects.get(tag=EventType.AUDIT_EXPORTED)
    assert event.after == {"format": "csv", "filters": {"q": "Devika"}}


def test_a_get_and_an_unknown_format_export_nothing(browser_of: BrowserOf, member: User) -> None:
    browser = browser_of(member)
    assert browser.get(reverse("activity_export")).status_code == 405
    assert export(browser, "exe").status_code == 302
    assert not AuditEvent.objects.exists()
