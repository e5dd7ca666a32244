"""Whatever is done to the audit trail behind the console's back is found, and named."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from accounts.audit import canonical, chain, retention, verify
from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM, record, record_all
from accounts.audit.record import event as event_of
from accounts.models import AuditCheckpoint, AuditEvent, Organisation
from accounts.tasks import chain_audit
from accounts.tests.factories import make_organisation, make_user
from kaizala_console.lib import clock, crypto, request_context
from kaizala_console.lib.tests.cast import Together, Travel

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]
ROOT = Path(__file__).resolve().parent.parent.parent


def happen(number: int, organisation: Organisation | None = None) -> None:
    """So many acts, and then the worker."""
    act(number, organisation)
    chain.chain()


def act(number: int, organisation: Organisation | None = None) -> None:
    """So many acts, each in a transaction of its own; their events are not chained yet."""
    organisation = organisation or make_organisation()
    for index in range(number):
        with transaction.atomic():
            record(
                EventType.ORGANISATION_CHANGED,
                by=SYSTEM,
                subject=organisation,
                organisation=organisation,
                after={"n": index, "at": clock.now(), "name": "Überführung – ₹", "nested": {"b": [1, None], "a": 0.5}},
            )


def execute(sql: str, *parameters: Any) -> None:
    """As somebody with the database's password, and nothing else, does it."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def faults() -> list[tuple[str, int | None]]:
    return [(fault.kind, fault.position) for fault in verify.verify()]


def copied(event_id: int, **changed: Any) -> None:
    """A row is added that reads as another one does, with these columns changed."""
    row = AuditEvent.objects.filter(pk=event_id).values().get()
    AuditEvent.objects.create(**row | {"id": None, "position": None, "previous_hash": "", "hash": ""} | changed)


def chained_by_hand(event: AuditEvent) -> None:
    """Gives a row the next place, with the right hashes, as the console would."""
    last = AuditEvent.objects.filter(position__isnull=False).order_by("-position")[0]
    event.position = int(last.position or 0) + 1
    its_hash = canonical.compute_hash(chain.to_fields(event), last.hash)
    columns = "position = %s, previous_hash = %s, hash = %s"
    execute(f"UPDATE accounts_auditevent SET {columns} WHERE id = %s", event.position, last.hash, its_hash, event.pk)  # noqa: S608


# What the console does ------------------------------------------------------------------------------------------------


def test_the_worker_chains_what_was_committed_and_signs_the_end() -> None:
    act(5)
    assert AuditEvent.objects.filter(position=None).count() == 5
    assert faults() == []
    chain_audit()
    assert list(AuditEvent.objects.order_by("pk").values_list("position", flat=True)) == [1, 2, 3, 4, 5]
    assert faults() == []
    assert AuditCheckpoint.objects.get().position == 5
    chain_audit()
    assert AuditCheckpoint.objects.get().position == 5


def test_many_events_are_chained_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "BATCH", 4)
    happen(10)
    assert faults() == []
    happen(1)
    assert faults() == []
    assert AuditCheckpoint.objects.get().position == 11


@pytest.mark.parametrize("number", [1, 2, 9])
def test_what_is_chained_while_the_verifier_reads_is_no_fault(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    happen(3)

    class Meanwhile(verify._ChainWalk):
        """Made between the first look at the checkpoint and the first look at the rows."""

        def __init__(self) -> None:
            super().__init__()
            happen(number)

    monkeypatch.setattr(verify, "_ChainWalk", Meanwhile)
    assert faults() == []
    assert AuditCheckpoint.objects.get().position == 3 + number


def test_values_come_back_from_the_database_as_they_were_hashed() -> None:
    """Numbers, addresses, times and texts have another spelling there."""
    told: dict[Any, Any] = {"n": 1e16, "f": 0.1, "one": 1.0, "big": 2**60, "at": clock.now(), 7: ["é", {"deep": None}]}
    organisation = make_organisation()
    for address in ("203.0.113.9", "2001:0DB8:0:0::1", "::ffff:192.0.2.1", ""):
        with request_context.use(request_context.RequestContext("r" * 80, address)), transaction.atomic():
            record(
                EventType.ORGANISATION_CHANGED, by=SYSTEM, subject=organisation, organisation=organisation, after=told
            )
            record_all([event_of(EventType.CONFIRMED, by=SYSTEM, subject=organisation, before=told) for _ in range(3)])
    assert chain.chain() == 16
    assert faults() == []


def test_what_is_rolled_back_leaves_no_gap() -> None:
    organisation = make_organisation()
    happen(1, organisation)
    with transaction.atomic():
        record(EventType.ORGANISATION_CHANGED, by=SYSTEM, subject=organisation)
        transaction.set_rollback(True)
    happen(1, organisation)
    assert faults() == []
    assert AuditEvent.objects.count() == 2


# Rows that were changed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("actor_name", "Somebody Else"),
        ("at", "2020-01-01 00:00:00+00:00"),
        ("tag", "user:account:created"),
        ("after", '{"n": 2}'),
        ("client_address", "203.0.113.9"),
        ("organisation_id", None),
    ],
)
def test_a_changed_row_is_found(column: str, value: Any) -> None:
    happen(4)
    execute(f"UPDATE accounts_auditevent SET {column} = %s WHERE position = 2", value)  # noqa: S608
    assert faults() == [("changed", 2)]


def test_a_changed_row_with_its_hash_made_anew_breaks_the_link_to_the_next() -> None:
    happen(4)
    execute("UPDATE accounts_auditevent SET actor_name = 'Somebody Else' WHERE position = 2")
    event = AuditEvent.objects.get(position=2)
    forged = canonical.compute_hash(chain.to_fields(event), event.previous_hash)
    execute("UPDATE accounts_auditevent SET hash = %s WHERE position = 2", forged)
    assert faults() == [("broken", 3)]


def test_a_chain_that_was_written_anew_to_its_end_is_found_by_the_checkpoint() -> None:
    happen(4)
    execute("UPDATE accounts_auditevent SET actor_name = 'Somebody Else' WHERE position = 2")
    previous = AuditEvent.objects.get(position=1).hash
    for event in AuditEvent.objects.filter(position__gt=1).order_by("position"):
        forged = canonical.compute_hash(chain.to_fields(event), previous)
        execute(
            "UPDATE accounts_auditevent SET hash = %s, previous_hash = %s WHERE id = %s", forged, previous, event.pk
        )
        previous = forged
    assert faults() == [("rewritten", 4)]
    execute("UPDATE accounts_auditcheckpoint SET hash = %s", previous)
    assert faults() == [("rewritten", 4)]
    happen(1)
    assert faults() == [("went-on", 5)], "the worker does not sign it as if nothing had been"
    execute("UPDATE accounts_auditcheckpoint SET broken_at = NULL")
    assert faults() == [("rewritten", 5)]


@pytest.mark.parametrize("position", [1, 2])
def test_a_removed_row_is_found(position: int) -> None:
    happen(3)
    execute("DELETE FROM accounts_auditevent WHERE position = %s", position)
    assert faults() == [("removed", position)]


@pytest.mark.parametrize(
    ("sql", "found", "later"),
    [
        ("DELETE FROM accounts_auditevent WHERE position > 2", ("removed", 3), ("went-on", 3)),
        ("DELETE FROM accounts_auditevent", ("removed", 1), ("went-on", 1)),
        ("DELETE FROM accounts_auditcheckpoint", ("inserted", 1), ("went-on", 5)),
    ],
)
def test_what_is_removed_is_found_also_when_the_console_has_gone_on(sql: str, found: Any, later: Any) -> None:
    """Rows from the end, all rows, and what says how far the console has signed."""
    happen(4)
    execute(sql)
    assert faults() == [found]
    happen(6)
    assert faults() == [later]


@pytest.mark.parametrize("position", [2, 1])
def test_with_a_checkpoint_made_up_for_what_is_left_they_are_found_too(position: int) -> None:
    happen(4)
    execute("DELETE FROM accounts_auditevent WHERE position > %s", position)
    left = AuditEvent.objects.get(position=position)
    execute("UPDATE accounts_auditcheckpoint SET position = %s, hash = %s", position, left.hash)
    assert faults() == [("rewritten", position)]


def test_emptied_with_its_checkpoint_the_trail_is_younger_than_the_accounts(travel: Travel) -> None:
    make_user("Devika Rao", make_organisation(), last_login=clock.now())
    happen(3)
    assert faults() == []
    travel(days=3)
    execute("DELETE FROM accounts_auditevent")
    execute("DELETE FROM accounts_auditcheckpoint")
    assert faults() == [("emptied", None)]
    happen(1)
    assert faults() == [("emptied", None)]


def test_reordered_rows_are_found() -> None:
    happen(4)
    execute("UPDATE accounts_auditevent SET position = 99 WHERE position = 2")
    execute("UPDATE accounts_auditevent SET position = 2 WHERE position = 3")
    execute("UPDATE accounts_auditevent SET position = 3 WHERE position = 99")
    assert {position for _kind, position in faults()} >= {2, 3}


# Rows that the console did not write ----------------------------------------------------------------------------------


@pytest.mark.parametrize("mac", ["", "x", "{key_id}.nonce." + 64 * "0"])
def test_a_row_added_without_a_mac_is_never_chained_and_is_found(mac: str) -> None:
    happen(2)
    copied(AuditEvent.objects.earliest("pk").pk, mac=mac.format(key_id=crypto.current_key_id()))
    happen(1)
    assert AuditEvent.objects.filter(position=None).count() == 1
    assert faults() == [("added", None)]


def test_many_rows_added_hold_up_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "BATCH", 2)
    happen(1)
    for number in range(5):
        copied(AuditEvent.objects.earliest("pk").pk, mac=str(number))
    happen(3)
    assert AuditCheckpoint.objects.get().position == 4


def test_the_mac_of_another_event_is_not_to_be_had() -> None:
    happen(2)
    first, second = AuditEvent.objects.order_by("pk")
    with pytest.raises(IntegrityError):
        copied(first.pk)
    execute("UPDATE accounts_auditevent SET mac = 'spent' WHERE id = %s", first.pk)
    copied(second.pk, mac=first.mac)
    happen(1)
    assert ("changed", 1) in faults()


def test_a_row_added_at_the_end_with_right_hashes_is_not_signed() -> None:
    happen(2)
    copied(AuditEvent.objects.earliest("pk").pk, mac="made up")
    chained_by_hand(AuditEvent.objects.get(position=None))
    assert faults() == [("inserted", 3)]
    happen(2)
    assert faults() == [("went-on", 4)]


# While the worker or a pepper is away ---------------------------------------------------------------------------------


def test_while_the_worker_is_stopped_the_verifier_says_how_many_wait_and_since_when(travel: Travel) -> None:
    happen(2)
    since = clock.now()
    act(3)
    travel(minutes=11)
    act(1)
    out = StringIO()
    call_command("verify_audit", stdout=out)
    assert f"Events that are not chained yet: 4, the oldest of {since:%Y-%m-%d %H:%M}" in out.getvalue()
    assert "Intact: the trail of 2 chained events" in out.getvalue()
    assert AuditCheckpoint.objects.get().position == 2, "only the worker chains"
    chain_audit()
    assert (faults(), verify.describe_unchained()) == ([], "")


def test_a_pepper_that_has_left_the_ring_is_named_and_nothing_is_lost(settings: Any) -> None:
    happen(3)
    act(2)
    before = settings.CREDENTIAL_PEPPERS
    settings.CREDENTIAL_PEPPERS = [("other", b"o" * 32)]
    assert faults() == [("unknown-key", 3), ("unknown-key", None)]
    act(1)
    chain_audit()
    assert AuditCheckpoint.objects.get().position == 3, "the end cannot be checked, so the chain does not go on"
    settings.CREDENTIAL_PEPPERS = [*settings.CREDENTIAL_PEPPERS, *before]
    chain_audit()
    assert faults() == []
    settings.CREDENTIAL_PEPPERS = settings.CREDENTIAL_PEPPERS[:1]
    assert faults() == [], "signed anew with the newest"


# The command and the exports ------------------------------------------------------------------------------------------


def test_the_command_names_every_fault_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    happen(3)
    out = StringIO()
    call_command("verify_audit", stdout=out)
    assert "Intact" in out.getvalue()
    execute("DELETE FROM accounts_auditevent WHERE position = 2")
    with pytest.raises(CommandError, match="NOT intact"):
        call_command("verify_audit")
    assert "The event at position 2 is missing." in capsys.readouterr().out


def test_an_exported_file_is_verified_without_the_console(tmp_path: Path) -> None:
    happen(3)
    lines = [json.dumps(chain.to_export(event)) for event in AuditEvent.objects.order_by("position")]
    assert canonical.verify_lines(lines) == ([], "")
    assert canonical.verify_lines([lines[0], lines[2]]).faults == [], "a filter may leave events out"
    changed = lines[1].replace('"n": 1', '"n": 7')
    assert "was changed" in canonical.verify_lines([lines[0], changed, lines[2]]).faults[0]
    assert "order" in canonical.verify_lines([lines[1], lines[0]]).faults[0]
    file = tmp_path / "export.jsonl"
    file.write_text("\n".join(lines) + "\n")
    verifier = [sys.executable, "-S", "-m", "accounts.audit.canonical", str(file)]
    assert subprocess.run(verifier, cwd=ROOT, check=False, capture_output=True).returncode == 0
    file.write_text("\n".join([lines[0], changed]))
    assert subprocess.run(verifier, cwd=ROOT, check=False, capture_output=True).returncode == 1


# At the same moment ---------------------------------------------------------------------------------------------------


@pytest.mark.services
def test_many_acts_and_several_workers_at_the_same_moment_make_one_chain(together: Together) -> None:
    organisation = make_organisation()
    results = together(8, lambda: happen(10, organisation))
    assert results == [None] * 8
    chain.chain()
    assert AuditEvent.objects.count() == 80
    assert faults() == []


@pytest.mark.services
def test_an_act_whose_transaction_lasts_is_chained_when_it_has_committed(together: Together) -> None:
    """Its event has an earlier key than those that were chained before it."""
    organisation, chained, began = make_organisation(), threading.Event(), threading.Event()

    def long() -> None:
        with transaction.atomic():
            record(EventType.ORGANISATION_CHANGED, by=SYSTEM, subject=organisation)
            began.set()
            assert chained.wait(timeout=20)

    def meanwhile() -> None:
        assert began.wait(timeout=20)
        happen(2, organisation)
        chained.set()

    acts = iter([long, meanwhile])
    assert together(2, lambda: next(acts)()) == [None, None]
    assert AuditEvent.objects.get(position=None).pk == AuditEvent.objects.earliest("pk").pk
    chain.chain()
    assert AuditEvent.objects.count() == 3
    assert faults() == []


# What is too old -----------------------------------------------------------------------------------------------------


@pytest.fixture
def old_trail(travel: Callable[..., Any], settings: Any) -> None:
    """Five events of 40 days ago and three of now, of which 30 days are kept."""
    settings.AUDIT_DAYS = 30
    happen(5)
    travel(days=40)
    happen(3)


@pytest.mark.usefixtures("old_trail")
def test_after_old_events_are_deleted_the_trail_is_intact_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    assert retention.prune() == 5
    assert faults() == []
    chain.chain()
    assert list(AuditEvent.objects.order_by("position").values_list("position", flat=True)) == [6, 7, 8, 9]
    pruned = AuditEvent.objects.get(position=9)
    assert (pruned.tag, pruned.after) == (EventType.AUDIT_PRUNED, {"events": 5})
    assert faults() == []
    assert retention.prune() == 0
    execute("DELETE FROM accounts_auditevent WHERE position = 6")
    assert faults() == [("removed", 6)]


@pytest.mark.usefixtures("old_trail")
def test_a_beginning_that_the_console_did_not_sign_is_found() -> None:
    last_gone = AuditEvent.objects.get(position=5)
    execute("DELETE FROM accounts_auditevent WHERE position <= 5")
    execute("UPDATE accounts_auditcheckpoint SET pruned_to = 5, pruned_hash = %s", last_gone.hash)
    assert ("rewritten", 8) in faults()
    assert retention.prune() == 0


@pytest.mark.usefixtures("old_trail")
def test_a_trail_that_was_rewritten_is_not_pruned() -> None:
    execute("UPDATE accounts_auditcheckpoint SET hash = %s", "0" * 64)
    assert retention.prune() == 0
    assert AuditEvent.objects.filter(position__lte=5).count() == 5


@pytest.mark.usefixtures("old_trail")
def test_audit_events_are_kept_for_ever_unless_said_otherwise(settings: Any) -> None:
    settings.AUDIT_DAYS = 0
    assert retention.prune() == 0


def test_the_last_event_stays_however_old_it_is(travel: Callable[..., Any], settings: Any) -> None:
    happen(3)
    settings.AUDIT_DAYS = 30
    travel(days=40)
    assert retention.prune() == 2
    assert faults() == []
    happen(1)
    assert faults() == []
