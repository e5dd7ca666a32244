"""What somebody with the database's password can do to the audit trail with more care, or while the console goes on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts.audit import canonical, chain, seals, verifying
from accounts.audit.record import SYSTEM, event, record, record_all
from accounts.audit.tags import Tag
from accounts.models import AuditEvent, AuditSeal
from accounts.tasks import chain_audit
from accounts.tests.factories import make_organisation, make_user
from accounts.tests.test_audit_chain import execute, faults, happen
from kaizala_console.lib import clock, context

pytestmark = pytest.mark.django_db(transaction=True)
COLUMNS = (
    "at, tag, actor_kind, actor_id, actor_name, organisation_id, subject_kind, subject_id, subject_name, connector_id, "
    "group_id, person_id, before, after, client_address, request_id, search_text"
)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few events fill some."""
    monkeypatch.setattr(chain, "BLOCK", 4)


def copied(position: int, *, mark: bool = False) -> None:
    """A row is added that reads as another one does; the console is left to give it its place."""
    columns = f"{COLUMNS}, mark" if mark else COLUMNS
    unmarked = "" if mark else ", mark"
    empty = "" if mark else ", ''"
    execute(
        f"INSERT INTO accounts_auditevent ({columns}{unmarked}, previous_hash, hash)"  # noqa: S608 - our own names
        f" SELECT {columns}{empty}, '', '' FROM accounts_auditevent WHERE position = %s",
        position,
    )


def chained_by_hand(event_id: int) -> None:
    """Gives a row the next place, with the right hashes, as the console would."""
    last = AuditEvent.objects.filter(position__isnull=False).order_by("-position")[0]
    added = AuditEvent.objects.get(pk=event_id)
    added.position = int(last.position or 0) + 1
    its_hash = canonical.hash_of(chain.spelled(added), last.hash)
    execute(
        "UPDATE accounts_auditevent SET position = %s, previous_hash = %s, hash = %s WHERE id = %s",
        added.position,
        last.hash,
        its_hash,
        event_id,
    )


# Rows that the console did not write ----------------------------------------------------------------------------------


def test_a_row_added_without_a_place_is_found_although_the_console_itself_chains_it() -> None:
    happen(2)
    copied(1)
    happen(1)
    assert AuditEvent.objects.filter(position__isnull=True).count() == 0
    assert faults() == [("unmarked", 3)]


def test_the_command_finds_a_row_that_was_added_a_moment_ago(capsys: pytest.CaptureFixture[str]) -> None:
    happen(2)
    copied(2)
    with pytest.raises(CommandError, match="NOT intact"):
        call_command("verify_audit")
    assert "does not carry the console's mark" in capsys.readouterr().out


def test_a_row_added_with_the_mark_of_another_is_found() -> None:
    happen(3)
    copied(2, mark=True)
    happen(1)
    assert {kind for kind, _position in faults()} == {"copied"}


def test_a_row_added_with_right_hashes_is_found_although_the_chain_went_on_over_it() -> None:
    happen(2)
    copied(1)
    chained_by_hand(AuditEvent.objects.get(position=None).pk)
    happen(2)
    assert ("unmarked", 3) in faults()


def test_a_row_changed_before_it_was_chained_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("accounts.audit.record.chain_after_commit", lambda: None)
        happen(2)
    execute(
        "UPDATE accounts_auditevent SET actor_name = 'Somebody Else' WHERE id = %s",
        AuditEvent.objects.earliest("pk").pk,
    )
    chain.chain()
    assert faults() == [("unmarked", 1)]


def test_a_row_changed_together_with_its_hash_is_found_also_where_it_is_the_last() -> None:
    happen(3)
    execute("UPDATE accounts_auditevent SET actor_name = 'Somebody Else' WHERE position = 3")
    forged = AuditEvent.objects.get(position=3)
    its_hash = canonical.hash_of(chain.spelled(forged), forged.previous_hash)
    execute("UPDATE accounts_auditevent SET hash = %s WHERE position = 3", its_hash)
    execute("UPDATE accounts_auditseal SET hash = %s", its_hash)
    assert faults() == [("unmarked", 3), ("rewritten", 3)]


def test_whatever_an_event_tells_its_mark_holds() -> None:
    """On either database: numbers, addresses, times and texts come back from it in another spelling."""
    organisation = make_organisation()
    told: dict[Any, Any] = {
        "n": 1e16,
        "f": 0.1,
        "one": 1.0,
        "big": 2**60,
        "at": clock.now(),
        "t": ["é", {"deep": None}],
        7: "key",
    }
    for address in ("203.0.113.9", "2001:0DB8:0:0::1", "::ffff:192.0.2.1", ""):
        with context.use(context.RequestContext("r" * 80, address)), transaction.atomic():
            record(Tag.ORGANISATION_CHANGED, by=SYSTEM, subject=organisation, organisation=organisation, after=told)
            several = [event(Tag.CONFIRMED, by=SYSTEM, subject=organisation, before=told) for _ in range(3)]
            record_all(several)
    assert AuditEvent.objects.count() == 16
    assert faults() == []


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("number", [1, 2, 9])
def test_what_is_written_while_the_verifier_reads_is_no_fault(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    happen(3)

    class Meanwhile(verifying._Peppers):
        """Made between the first look at the seals and the first look at the rows."""

        def __init__(self) -> None:
            super().__init__()
            happen(number)

    monkeypatch.setattr(verifying, "_Peppers", Meanwhile)
    assert faults() == []
    assert AuditEvent.objects.count() == 3 + number


# Rows that are missing ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kept", [3, 7, 8])
def test_the_newest_rows_removed_together_with_their_seals_are_missed(kept: int) -> None:
    happen(10)
    assert faults() == []
    execute("DELETE FROM accounts_auditevent WHERE position > %s", kept)
    execute("DELETE FROM accounts_auditseal WHERE position > %s", kept)
    assert faults() != []


@pytest.mark.usefixtures("small_blocks")
def test_what_was_cut_off_is_still_missed_when_the_console_has_gone_on() -> None:
    happen(10)
    execute("DELETE FROM accounts_auditevent WHERE position > 7")
    execute("DELETE FROM accounts_auditseal WHERE position > 7")
    happen(6)
    assert "removed" in {kind for kind, _position in faults()}
    assert AuditEvent.objects.order_by("-position")[0].position == 13


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("number", [1, 3, 4, 5, 7, 8, 11, 12, 13])
def test_a_trail_of_any_length_is_intact(number: int) -> None:
    happen(number)
    assert faults() == []
    with transaction.atomic():
        record_all([event(Tag.CONFIRMED, by=SYSTEM, subject=make_organisation()) for _ in range(number)])
    assert faults() == []
    assert AuditSeal.objects.order_by("-position")[0].position == 2 * number


def test_an_emptied_table_is_found_also_when_the_console_has_gone_on() -> None:
    happen(5)
    execute("DELETE FROM accounts_auditevent")
    assert faults() == [("removed", 5)]
    happen(7)
    assert {("rewritten", 5), ("inserted", 6)} == set(faults())


def test_emptied_with_its_seals_the_trail_is_younger_than_the_accounts(travel: Callable[..., dt.datetime]) -> None:
    make_user("Devika Rao", make_organisation(), last_login=clock.now())
    happen(3)
    assert faults() == []
    travel(days=3)
    execute("DELETE FROM accounts_auditevent")
    execute("DELETE FROM accounts_auditseal")
    assert faults() == [("emptied", None)]
    happen(1)
    assert faults() == [("emptied", None)]


def test_what_was_chained_without_a_seal_is_sealed_by_the_sweeper_when_all_of_it_is_the_consoles() -> None:
    """So it is when the pepper of the newest seal was not in the ring for a while."""
    happen(3)
    older = AuditSeal.objects.values().get()
    happen(2)
    columns = ", ".join(f"{name} = %s" for name in older)
    execute(f"UPDATE accounts_auditseal SET {columns}", *older.values())  # noqa: S608 - the columns of our own model
    assert ("inserted", 4) in faults()
    happen(1)
    assert ("inserted", 4) in faults(), "not by an act, which cannot look through all of it"
    chain_audit()
    assert faults() == []


def test_what_was_added_behind_the_last_seal_is_never_sealed() -> None:
    happen(3)
    copied(1)
    chained_by_hand(AuditEvent.objects.get(position=None).pk)
    happen(2)
    chain_audit()
    assert {("unmarked", 4), ("inserted", 4)} <= set(faults())


def test_a_pepper_that_has_left_the_ring_is_named_once(settings: Any) -> None:
    happen(3)
    before = settings.CREDENTIAL_PEPPERS
    settings.CREDENTIAL_PEPPERS = [("other", b"o" * 32)]
    assert [kind for kind, _position in faults()] == ["unknown-key"]
    happen(2)
    settings.CREDENTIAL_PEPPERS = [*settings.CREDENTIAL_PEPPERS, *before]
    assert [kind for kind, _position in faults()] == ["inserted"]
    chain_audit()
    assert faults() == []


def test_the_table_has_no_other_columns_than_these() -> None:
    with connection.cursor() as cursor:
        columns = connection.introspection.get_table_description(cursor, "accounts_auditevent")
    assert {column.name for column in columns} == {
        *COLUMNS.split(", "),
        *("id", "position", "previous_hash", "hash", "mark"),
    }


def test_a_trail_from_before_the_marks_is_taken_along(monkeypatch: pytest.MonkeyPatch) -> None:
    happen(9)
    newest = AuditSeal.objects.get()
    newest.tag = seals.as_passed(newest)
    newest.save()
    with monkeypatch.context() as patched:  # a killed process left one behind
        patched.setattr("accounts.audit.record.chain_after_commit", lambda: None)
        happen(1)
    execute("UPDATE accounts_auditevent SET mark = ''")
    update = import_module("accounts.migrations.0005_audit_marks")
    monkeypatch.setattr(update, "AT_ONCE", 4)
    update.mark(apps, None)
    update.end(apps, None)
    assert faults() == []
    happen(1)
    assert faults() == []
    update.go_on(apps, None)
    assert seals.says_it_went_on(AuditSeal.objects.get())
