"""Uploads files as people do, and lets a worker look at them."""

from __future__ import annotations

from django.core.files.base import ContentFile

from accounts.models import Organisation, User
from groups.models import BulkJob, Group
from groups.services.bulk import jobs
from kaizala_console.lib import ids


def uploaded(group: Group, by: User, text: str | bytes, *, name: str = "people.csv", region: str = "IN") -> BulkJob:
    """A file of users, as it was sent; nobody has looked at it yet."""
    content = text.encode() if isinstance(text, str) else text
    return jobs.upload(
        job_id=ids.new_id(),
        kind="users",
        file=ContentFile(content, name=name),
        by=by,
        group=group,
        region=region,
    )


def uploaded_mapping(organisation: Organisation, by: User, text: str) -> BulkJob:
    """A file of parent groups, as it was sent."""
    file = ContentFile(text.encode(), name="parents.csv")
    return jobs.upload(job_id=ids.new_id(), kind="mapping", file=file, by=by, organisation=organisation)


def worked_at(job: BulkJob) -> BulkJob:
    """After a worker's turn."""
    jobs.work(job_id=job.pk)
    job.refresh_from_db()
    return job


def checked(job: BulkJob) -> BulkJob:
    """After the check."""
    return worked_at(job)


def done(job: BulkJob) -> BulkJob:
    """Checked, gone on with by who sent it, and done."""
    checked(job)
    jobs.go_on(job=job, by=job.by)
    return worked_at(job)


def told(job: BulkJob) -> dict[int, tuple[str, str]]:
    """By line: its kind and the reason."""
    return {line.line: (line.kind, line.said) for line in job.lines.all()}
