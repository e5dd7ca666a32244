"""Bulk uploads: a file is taken, and checked by a worker; its sender sees what is wrong, goes on or cancels.

The file lies in the storage "bulk" under the job's id, for `BULK_FILE_DAYS`; the history of the job stays.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from typing import BinaryIO, Final, cast
from uuid import UUID

from celery import signature
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import storages
from django.db import IntegrityError, transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts import policies
from accounts.audit.events import EventType
from accounts.audit.record import record
from accounts.models import Organisation, User
from groups.bulk_files import ColumnMissing
from groups.models import BulkJob, Group
from groups.services.bulk.work import WORK, WORKS
from kaizala_console.lib import clock
from kaizala_console.lib.background import after_commit
from kaizala_console.lib.errors import Conflict, NotAllowed, RuleBroken

Kind = BulkJob.Kind
LEFT_BEHIND_AFTER: Final = dt.timedelta(days=1)  # a file whose row was never written


def digest_of(file: File) -> str:
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
        sha256=digest_of(file),
        total_lines=_line_ends_in(file),  # about: until the check has counted
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
            _tell(EventType.BULK_UPLOADED, job, by, {"sha256": job.sha256, "bytes": job.file_size, "kind": job.kind})
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
        raise Conflict(_("The columns of this file are known already."))
    chosen = {key: name for key, name in headers.items() if name}
    if len(set(chosen.values())) != len(chosen):
        raise RuleBroken(_("One column of the file can be one thing only."))
    try:
        with storages["bulk"].open(job.stored_as) as file:
            WORKS[job.kind].table(cast(BinaryIO, file.file), chosen or {"": ""})
    except FileNotFoundError:
        raise Conflict(_("The file is not there any more.")) from None
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
        raise Conflict(_("This upload is over, or not checked yet. Upload the file again."))
    if not job.good_lines:
        raise RuleBroken(_("No line of this file is good. Mend it and upload it again."))
    job.approved_at, job.by, job.tries = clock.now(), by, 0
    job.forget_what_was_foretold()
    job.save()
    _tell(EventType.BULK_STARTED, job, by, {"lines": job.total_lines, "bad": job.bad_lines})
    after_commit(signature(WORK), job_id=str(job.pk))
    return job


@transaction.atomic
def cancel(*, job: BulkJob, by: User) -> BulkJob:
    """Stops it after the chunk that is being done; what was done stays. Twice is once. Conflict when it is over."""
    job = BulkJob.objects.select_for_update().get(pk=job.pk)
    if job.cancelled_at is not None:
        return job
    if job.is_over:
        raise Conflict(_("This upload is over already."))
    job.cancelled_at, job.lease, job.leased_until = clock.now(), None, None
    job.forget_what_was_foretold()
    job.save()
    _tell(EventType.BULK_CANCELLED, job, by, {"done_lines": job.done_lines, **job.counts})
    return job


def note_export(*, group: Group | None, by: User) -> None:
    """Writes down who takes the users of a group, or the organisation's parent groups, out; before the first line."""
    with transaction.atomic():
        if group is not None:
            record(EventType.MEMBERS_EXPORTED, by=by, subject=group, organisation=group.organisation, group_id=group.pk)
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


def _line_ends_in(file: File) -> int:
    ends = sum(block.count(b"\n") for block in file.chunks())
    file.seek(0)
    return min(ends, settings.BULK_MAX_LINES)


def _shown_name(name: str) -> str:
    """What the sender calls it, without a path. It is shown and never used as a path."""
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter for letter in name if letter.isprintable())[:255] or "upload.csv"


def _tell(tag: EventType, job: BulkJob, by: User, after: dict[str, object]) -> None:
    record(
        tag,
        by=by,
        subject=job,
        organisation=job.organisation,
        group_id=job.group_id,
        after={**after, **({"group": job.group.name} if job.group else {})},
    )
