"""Whatever is done to the audit trail behind the console's back is found, and named."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts.audit import canonical, chain, verifying
from accounts.audit.record import SYSTEM, record
from accounts.audit.tags import Tag
from accounts.models import AuditEvent, AuditSeal, Organisation
from accounts.tests.factories import make_organisation
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parent.parent.parent


def happen(number: int, organisation: Organisation | None = None) -> None:
    """So many acts, each in a transaction of its own."""
    organisation = organisation or make_organisation()
    for index in range(number):
        with transaction.atomic():
            record(
                Tag.ORGANISATION_CHANGED,
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
    return [(fault.kind, fault.position) for fault in verifying.verify()]


def test_what_the_console_wrote_is_chained_right_after_the_commit_and_intact() -> None:
    happen(5)
    assert list(AuditEvent.objects.order_by("pk").values_list("position", flat=True)) == [1, 2, 3, 4, 5]
    assert faults() == []
    assert AuditSeal.objects.get().position == 5


def test_what_is_rolled_back_leaves_no_gap() -> None:
    organisation = make_organisation()
    happen(1, organisation)
    with transaction.atomic():
        record(Tag.ORGANISATION_CHANGED, by=SYSTEM, subject=organisation)
        transaction.set_rollback(True)
    happen(1, organisation)
    assert faults() == []
    assert AuditEvent.objects.count() == 2


def test_a_killed_process_leaves_rows_that_the_sweeper_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("accounts.audit.record.chain_after_commit", lambda: None)
        happen(3)
    assert AuditEvent.objects.filter(position=None).count() == 3
    assert chain.chain() == 3
    assert faults() == []


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
    forged = canonical.hash_of(chain.spelled(event), event.previous_hash)
    execute("UPDATE accounts_auditevent SET hash = %s WHERE position = 2", forged)
    assert faults() == [("unmarked", 2), ("broken", 3)]


def test_a_chain_that_was_written_anew_to_its_end_is_found_by_the_seal() -> None:
    happen(4)
    execute("UPDATE accounts_auditevent SET actor_name = 'Somebody Else' WHERE position = 2")
    previous = AuditEvent.objects.get(position=1).hash
    for event in AuditEvent.objects.filter(position__gt=1).order_by("position"):
        forged = canonical.hash_of(chain.spelled(event), previous)
        execute(
            "UPDATE accounts_auditevent SET hash = %s, previous_hash = %s WHERE id = %s", forged, previous, event.pk
        )
        previous = forged
    execute("UPDATE accounts_auditseal SET hash = %s", previous)
    assert faults() == [("unmarked", 2), ("rewritten", 4)]


@pytest.mark.parametrize("position", [1, 2])
def test_a_removed_row_is_found(position: int) -> None:
    happen(3)
    execute("DELETE FROM accounts_auditevent WHERE position = %s", position)
    assert faults() == [("removed", position)]


def test_rows_removed_from_the_end_are_found_by_the_seal() -> None:
    happen(4)
    execute("DELETE FROM accounts_auditevent WHERE position > 2")
    assert faults() == [("removed", 4)]


def test_reordered_rows_are_found() -> None:
    happen(4)
    execute("UPDATE accounts_auditevent SET position = 99 WHERE position = 2")
    execute("UPDATE accounts_auditevent SET position = 2 WHERE position = 3")
    execute("UPDATE accounts_auditevent SET position = 3 WHERE position = 99")
    assert {position for _kind, position in faults()} >= {2, 3}


def test_a_row_added_at_the_end_with_right_hashes_is_found_for_want_of_a_seal() -> None:
    happen(2)
    last = AuditEvent.objects.get(position=2)
    added = AuditEvent.objects.create(tag=Tag.CONFIRMED, actor_kind="user", subject_kind="user", subject_id="1")
    added.refresh_from_db()
    added.position = 3
    with_hash = canonical.hash_of(chain.spelled(added), last.hash)
    columns = "position = 3, previous_hash = %s, hash = %s"
    execute(f"UPDATE accounts_auditevent SET {columns} WHERE id = %s", last.hash, with_hash, added.pk)  # noqa: S608
    assert faults() == [("unmarked", 3), ("inserted", 3)]


def test_a_row_that_nobody_chains_is_told_once_it_is_no_news(
    travel: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.audit.record.chain_after_commit", lambda: None)
    happen(1)
    assert faults() == []
    travel(minutes=11)
    assert faults() == [("unchained", None)]


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
    lines = [json.dumps(chain.exported(event)) for event in AuditEvent.objects.order_by("position")]
    assert canonical.faults_of(lines) == []
    assert canonical.faults_of([lines[0], lines[2]]) == [], "a filter may leave events out"
    changed = lines[1].replace('"n": 1', '"n": 7')
    assert "was changed" in canonical.faults_of([lines[0], changed, lines[2]])[0]
    assert "order" in canonical.faults_of([lines[1], lines[0]])[0]
    file = tmp_path / "export.jsonl"
    file.write_text("\n".join(lines) + "\n")
    verifier = [sys.executable, "-S", "-m", "accounts.audit.canonical", str(file)]
    assert subprocess.run(verifier, cwd=ROOT, check=False, capture_output=True).returncode == 0
    file.write_text("\n".join([lines[0], changed]))
    assert subprocess.run(verifier, cwd=ROOT, check=False, capture_output=True).returncode == 1


@pytest.mark.services
def test_many_acts_at_the_same_moment_make_one_chain(together: Callable[..., list[Any]]) -> None:
    organisation = make_organisation()
    results = together(8, lambda: happen(10, organisation))
    assert results == [None] * 8
    chain.chain()
    assert AuditEvent.objects.count() == 80
    assert faults() == []
