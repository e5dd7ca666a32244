"""Bulk uploads: a file is taken, and checked by a worker; its sender sees what is wrong, goes on or cancels.

The file lies in the storage "bulk" under the job's id, for `BULK_FILE_DAYS`; the history of the job stays.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO, Final, cast
from uuid import UUID

from celery import signature
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import storages
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import translation
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts import policies
from accounts.audit.events import EventType
from accounts.audit.record import record
from accounts.models import Organisation, User
from groups.bulk_files import (
    MAPPING,
    MAPPING_REQUIRED,
    MESSAGES,
    MESSAGES_REQUIRED,
    PEOPLE,
    PEOPLE_REQUIRED,
    USERS,
    USERS_REQUIRED,
    Column,
    ColumnMissing,
    LineRefused,
    Reason,
    Row,
    Table,
)
from groups.models import BulkJob, BulkLine, Group
from groups.models.bulk_job import LEASE
from groups.services.bulk import mapping, messages, people, users
from groups.services.bulk.base import Checker, Outcome, Runner
from kaizala_console.lib import clock, ids
from kaizala_console.lib.background import after_commit
from kaizala_console.lib.batches import batched
from kaizala_console.lib.errors import Conflict, ConsoleError, NotAllowed, RuleBroken

Kind = BulkJob.Kind
LEFT_BEHIND_AFTER: Final = dt.timedelta(days=1)  # a file whose row was never written


def compute_digest(file: File) -> str:
    """The SHA-256 of a file, in hexadecimal digits; the file is at its beginning afterwards."""
    digest = hashlib.sha256()
    for block in file.chunks():
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()


def upload(
    *,
    job_id: UUID,
    kind: str,
    file: File,
    by: User,
    group: Group | None = None,
    organisation: Organisation | None = None,
    region: str = "",
    headers: Mapping[str, str] | None = None,
) -> BulkJob:
    """Keeps the file and has it checked. Asked again for the same `job_id`, it gives the job that it made then.

    `headers` say which column is which, when the template does not. `group` for the users of a group, else
    `organisation`, of which `by` is an admin. Raises RuleBroken (field `file`) for a file that is no table of this
    kind, or too large.
    """
    if organisation is not None:
        policies.require_organisation_admin(by)
        if by.organisation_id != organisation.pk:
            raise NotAllowed
    made = BulkJob.objects.filter(pk=job_id, kind=kind, by=by).first()
    if made is not None:
        return made
    if (file.size or 0) > settings.BULK_MAX_MB * 1_000_000:
        raise RuleBroken(
            _("This file is larger than %(most)d MB. Split it into several.") % {"most": settings.BULK_MAX_MB},
            field="file",
        )
    file.seek(0)
    try:
        WORKS[kind].table(cast(BinaryIO, file.file), headers)
        awaits_columns = False
    except ColumnMissing:
        if kind != Kind.MESSAGES:
            raise
        awaits_columns = True
    file.seek(0)
    job = BulkJob(
        pk=job_id,
        kind=kind,
        group=group,
        organisation=group.organisation if group else organisation,
        by=by,
        file_name=_shown_name(file.name or ""),
        file_size=file.size or 0,
        sha256=compute_digest(file),
        total_lines=_count_line_ends(file),  # about: until the check has counted
        region=region,
        awaits_columns=awaits_columns,
        headers=dict(headers or {}),
        language=get_language() or settings.LANGUAGE_CODE,
    )
    # Before the row: a file without a row is found by the sweeper, a row without a file would be a broken promise.
    _store(job, file)
    try:
        with transaction.atomic():
            job.save(force_insert=True)
            _record_event(
                EventType.BULK_UPLOADED, job, by, {"sha256": job.sha256, "bytes": job.file_size, "kind": job.kind}
            )
            if not awaits_columns:
                after_commit(signature(WORK), job_id=str(job.pk))
    except IntegrityError:  # a double click: the other one was first
        return BulkJob.objects.get(pk=job_id, kind=kind, by=by)
    return job


@transaction.atomic
def choose_columns(*, job: BulkJob, headers: Mapping[str, str], by: User) -> BulkJob:
    """Says which of the file's columns is which, and has it checked. Raises RuleBroken when one is missing or named
    twice, Conflict when nobody asks any more.
    """
    job = BulkJob.objects.select_for_update().get(pk=job.pk)
    if not job.awaits_columns or job.is_over:
        raise Conflict(_("The columns of this file are already set."))
    chosen = {key: name for key, name in headers.items() if name}
    if len(set(chosen.values())) != len(chosen):
        raise RuleBroken(_("Each column can be used once."))
    try:
        with storages["bulk"].open(job.stored_as) as file:
            WORKS[job.kind].table(cast(BinaryIO, file.file), chosen or {"": ""})
    except FileNotFoundError:
        raise Conflict(_("The file is no longer stored.")) from None
    job.headers, job.awaits_columns, job.by = chosen, False, by
    job.save()
    after_commit(signature(WORK), job_id=str(job.pk))
    return job


@transaction.atomic
def go_on(*, job: BulkJob, by: User) -> BulkJob:
    """Has the good lines done. Twice is once. Raises Conflict when it is over, or its file gone; RuleBroken when no
    line is good.
    """
    job = BulkJob.objects.select_for_update().get(pk=job.pk)
    if job.approved_at is not None and job.cancelled_at is None:
        return job
    if job.is_over or job.checked_at is None or job.file_deleted_at is not None:
        raise Conflict(_("This upload is over or not checked yet. Upload the file again."))
    if not job.good_lines:
        raise RuleBroken(_("No line can be imported. Fix the file and upload it again."))
    job.approved_at, job.by, job.tries = clock.now(), by, 0
    job.forget_what_was_foretold()
    job.save()
    _record_event(EventType.BULK_STARTED, job, by, {"lines": job.total_lines, "bad": job.bad_lines})
    after_commit(signature(WORK), job_id=str(job.pk))
    return job


@transaction.atomic
def cancel(*, job: BulkJob, by: User) -> BulkJob:
    """Stops it after the chunk that is being done; what was done stays. Twice is once. Conflict when it is over."""
    job = BulkJob.objects.select_for_update().get(pk=job.pk)
    if job.cancelled_at is not None:
        return job
    if job.is_over:
        raise Conflict(_("This upload is already over."))
    job.cancelled_at, job.lease, job.leased_until = clock.now(), None, None
    job.forget_what_was_foretold()
    job.save()
    _record_event(EventType.BULK_CANCELLED, job, by, {"done_lines": job.done_lines, **job.counts})
    return job


def note_export(*, group: Group | None, by: User) -> None:
    """Writes down who takes the users of a group, or the organisation's parent groups, out; before the first line."""
    with transaction.atomic():
        if group is not None:
            record(EventType.MEMBERS_EXPORTED, by=by, subject=group)
        else:
            policies.require_organisation_admin(by)
            record(EventType.SUBGROUPS_EXPORTED, by=by, subject=by.organisation, organisation=by.organisation)


def delete_old_files() -> int:
    """Deletes files whose days are over, and files without a row; the number of them."""
    storage, now, gone = storages["bulk"], clock.now(), 0
    old = BulkJob.objects.filter(
        file_deleted_at__isnull=True, created_at__lt=now - dt.timedelta(days=settings.BULK_FILE_DAYS)
    )
    for job in old.exclude(pk__in=BulkJob.objects.going().values("pk"))[:1000]:
        storage.delete(job.stored_as)
        gone += BulkJob.objects.filter(pk=job.pk, file_deleted_at__isnull=True).update(file_deleted_at=now)
    names = storage.listdir("")[1]
    known = {f"{pk}.csv" for pk in BulkJob.objects.filter(file_deleted_at__isnull=True).values_list("pk", flat=True)}
    for name in set(names) - known:
        if storage.get_modified_time(name) < now - LEFT_BEHIND_AFTER:
            storage.delete(name)
            gone += 1
    return gone


def _store(job: BulkJob, file: File) -> None:
    name = storages["bulk"].save(job.stored_as, file)
    if name != job.stored_as:  # there already: from this very form, sent before or at the same moment, with this file
        storages["bulk"].delete(name)


def _count_line_ends(file: File) -> int:
    ends = sum(block.count(b"\n") for block in file.chunks())
    file.seek(0)
    return min(ends, settings.BULK_MAX_LINES)


def _shown_name(name: str) -> str:
    """What the sender calls it, without a path. It is shown and never used as a path."""
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter for letter in name if letter.isprintable())[:255] or "upload.csv"


def _record_event(event_type: EventType, job: BulkJob, by: User, after: dict[str, object]) -> None:
    record(
        event_type,
        by=by,
        subject=job,
        organisation=job.organisation,
        group_id=job.group_id,
        after={**after, **({"group": job.group.name} if job.group else {})},
    )


# ----------------------------------------------------------------------------------------------------
# A worker at an upload: checks every line, then does the good ones, a chunk a transaction.
#
# `done_lines` moves in the transaction of its chunk. So a worker may be killed at any moment: the next one begins right
# after the last chunk that was committed. A lease, renewed with each chunk, keeps two workers from the same job.

WORK: Final = "groups.tasks.work_at_bulk_job"  # by name: this layer does not import the tasks above it
AT_ONCE: Final = 120.0  # seconds; a worker then hands on, so that others get their turn
TRIES: Final = 5
CHECKED_AT_ONCE: Final = 2000
DONE_AT_ONCE: Final = 500
RELATED: Final = ("group", "organisation", "by")


@dataclass(frozen=True, slots=True)
class KindOfWork:
    """What is special about the files of one kind."""

    columns: tuple[Column, ...]
    required: tuple[frozenset[str], ...]
    checker: type[Checker]
    runner: type[Runner]
    joined: bool = False  # cells may hold line ends

    def table(self, file: BinaryIO, headers: Mapping[str, str] | None = None) -> Table:
        """The file as lines. Raises RuleBroken."""
        return Table(file, self.columns, self.required, headers=headers, joined=self.joined)


WORKS: Final[dict[str, KindOfWork]] = {
    Kind.USERS: KindOfWork(USERS, USERS_REQUIRED, users.Checker, users.Runner),
    Kind.MESSAGES: KindOfWork(MESSAGES, MESSAGES_REQUIRED, messages.Checker, messages.Runner, joined=True),
    Kind.PEOPLE: KindOfWork(PEOPLE, PEOPLE_REQUIRED, people.Checker, people.Runner),
    Kind.MAPPING: KindOfWork(MAPPING, MAPPING_REQUIRED, mapping.Checker, mapping.Runner),
}


class Lost(Exception):
    """The job was cancelled, or another worker has it now."""


@dataclass(slots=True)
class _Claim:
    """One worker's turn at one job."""

    job: BulkJob
    lease: UUID
    until: float = field(default_factory=lambda: time.monotonic() + AT_ONCE)

    def locked(self) -> BulkJob:
        """The job, inside a transaction, nobody else's until it ends. Raises Lost."""
        going = BulkJob.objects.select_for_update(of=("self",)).going().select_related(*RELATED)
        job = going.filter(pk=self.job.pk, lease=self.lease).first()
        if job is None:
            raise Lost
        job.leased_until, job.tries = clock.now() + LEASE, 0
        return job

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self.until


def work(*, job_id: UUID) -> bool:
    """Does what is to be done at this job now; False when there is nothing, or another worker is at it."""
    turn = _claim(job_id)
    if turn is None:
        return False
    job = turn.job
    with translation.override(job.language):
        try:
            if job.tries > TRIES:
                raise LineRefused("gave_up")
            with storages["bulk"].open(job.stored_as) as file:
                table = WORKS[job.kind].table(cast(BinaryIO, file.file), job.headers)
                finished = _check(turn, table) if job.checked_at is None else _run(turn, table)
        except Lost:
            return False
        except FileNotFoundError:
            _fail(turn, Reason("file_gone"))
        except LineRefused as broken:
            _fail(turn, broken.reason)
        except ConsoleError as broken:
            _fail(turn, str(broken))
        else:
            if not finished:
                _release(turn)
    return True


def sweep() -> int:
    """Wakes a worker for every job that goes and that nobody is at; the number of them."""
    found = list(BulkJob.objects.due(clock.now()).order_by("created_at").values_list("pk", flat=True)[:100])
    for job_id in found:
        after_commit(signature(WORK), job_id=str(job_id))
    return len(found)


def _claim(job_id: UUID) -> _Claim | None:
    lease, now = ids.new_id(), clock.now()
    due = BulkJob.objects.due(now).filter(pk=job_id)
    if not due.update(lease=lease, leased_until=now + LEASE, tries=F("tries") + 1):
        return None
    return _Claim(BulkJob.objects.select_related(*RELATED).get(pk=job_id), lease)


def _release(turn: _Claim) -> None:
    BulkJob.objects.filter(pk=turn.job.pk, lease=turn.lease).update(lease=None, leased_until=None)
    after_commit(signature(WORK), job_id=str(turn.job.pk))


@transaction.atomic
def _fail(turn: _Claim, reason: Reason | str) -> None:
    """A reason without a code is kept as the sentence that it is, in the language of who sent the file."""
    try:
        job = turn.locked()
    except Lost:
        return
    job.failed_at, job.lease, job.leased_until = clock.now(), None, None
    if isinstance(reason, Reason):
        job.failed_code, job.failed_params = reason.code, dict(reason.params)
    else:
        job.failed_because = reason[:300]
    job.save()
    because = job.failed_code or job.failed_because
    _record_event(EventType.BULK_FAILED, job, job.by, {"reason": because, "done_lines": job.done_lines, **job.counts})


# The check ------------------------------------------------------------------------------------------------------------


def _check(turn: _Claim, table: Table) -> bool:
    """Reads all lines; what a killed worker had checked is checked anew: nothing but these rows has come of it."""
    checker = WORKS[turn.job.kind].checker(turn.job)
    with transaction.atomic():
        job = turn.locked()
        job.lines.all().delete()
        job.checked_lines = job.bad_lines = 0
        job.save()
    for rows in batched(table.rows(), CHECKED_AT_ONCE):
        bad = [(row, row.problem) for row in rows if row.problem is not None]
        bad += checker.problems([row for row in rows if not row.problem])
        with transaction.atomic():
            job = turn.locked()
            job.checked_lines += len(rows)
            job.bad_lines += len(bad)
            if job.checked_lines > settings.BULK_MAX_LINES:
                raise LineRefused("too_many_lines", most=settings.BULK_MAX_LINES)
            BulkLine.objects.bulk_create(_line(job, row, BulkLine.Kind.BAD, reason) for row, reason in bad)
            job.save()
    with transaction.atomic():
        job = turn.locked()
        if not job.checked_lines:
            raise LineRefused("no_lines")
        job.checked_at, job.total_lines = clock.now(), job.checked_lines
        job.foretell(removing=checker.removing)
        job.lease = job.leased_until = None
        job.save()
    return True


# The run --------------------------------------------------------------------------------------------------------------


def _run(turn: _Claim, table: Table) -> bool:
    """Goes on after the last chunk that was committed; False when the turn was over before the file."""
    runner = WORKS[turn.job.kind].runner(turn.job)
    for rows in batched(islice(table.rows(), turn.job.done_lines, turn.job.total_lines), DONE_AT_ONCE):
        if turn.is_over:
            return False
        with transaction.atomic():
            job = turn.locked()
            runner.require_right()
            bad = _list_bad_lines(job, rows)
            good = [row for row in rows if row.line not in bad]
            job.done_lines += len(rows)
            _write_down(job, runner.do(good) if good else Outcome(), good)
    while not turn.is_over:
        with transaction.atomic():
            job = turn.locked()
            later = list(job.lines.filter(kind=BulkLine.Kind.LATER).select_related("person")[:DONE_AT_ONCE])
            if not later:
                _finish(job)
                return True
            runner.require_right()
            outcome = runner.do_later(later)
            job.lines.filter(pk__in=[line.pk for line in later]).delete()
            _write_down(job, outcome, later)
    return False


def _list_bad_lines(job: BulkJob, rows: list[Row]) -> set[int]:
    within = job.lines.filter(kind=BulkLine.Kind.BAD, line__range=(rows[0].line, rows[-1].line))
    return set(within.values_list("line", flat=True))


def _write_down(job: BulkJob, outcome: Outcome, lines: Sequence[Row] | Sequence[BulkLine]) -> None:
    """What came of a chunk; for the audit trail there is one row, which says what became of whom."""
    refused = [_line(job, row, BulkLine.Kind.REFUSED, reason) for row, reason in outcome.refused]
    later = [
        BulkLine(job=job, line=row.line, kind=BulkLine.Kind.LATER, text=row.text, person_id=person, wants=wants)
        for row, person, wants in outcome.later
    ]
    BulkLine.objects.bulk_create([*refused, *later])
    counts = (*outcome.counts, ("refused", len(refused)))
    job.counts = {**job.counts, **{name: job.counts.get(name, 0) + number for name, number in counts if number}}
    job.save()
    if outcome.event_type is not None and outcome.effects:
        _record_event(
            outcome.event_type, job, job.by, {"first": lines[0].line, "last": lines[-1].line, **outcome.effects}
        )


def _finish(job: BulkJob) -> None:
    job.finished_at = clock.now()
    job.lease = job.leased_until = None
    job.save()
    _record_event(EventType.BULK_FINISHED, job, job.by, {"lines": job.total_lines, "bad": job.bad_lines, **job.counts})


def _line(job: BulkJob, row: Row, kind: BulkLine.Kind, reason: Reason) -> BulkLine:
    code, params = reason.code, dict(reason.params)
    return BulkLine(job=job, line=row.line, kind=kind, text=row.text, code=code, params=params)
