"""What the pages of bulk uploads read, and the rows of the exports. Nothing here holds a whole table in memory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, cast
from uuid import UUID

from django.core.files.storage import storages
from django.db.models import F
from django.utils.translation import gettext as _

from accounts import policies
from accounts.models import Organisation, User
from accounts.models.person import name_expression
from groups import access
from groups.bulk_files import COLUMNS_OF, LONGEST_LINE, MAPPING, SHOWN, SUBSCRIBER, USERS, Table, read_header
from groups.models import BulkJob, BulkLine, Group, GroupLink, Membership, Subscription
from kaizala_console.lib.errors import NotFound
from kaizala_console.lib.pagination import Page, paginate

SLICE = 2000
Cells = tuple[object, ...]


def get_job(user: User, job_id: UUID) -> BulkJob:
    """The upload, when this person administers what it is about.

    Raises NotFound, the same whether or not there is such an upload; NotAllowed for a mere member of its group.
    """
    job = BulkJob.objects.select_related("by", "group", "organisation").filter(pk=job_id).first()
    if job is None:
        raise NotFound
    if job.group_id is None:
        if job.organisation_id != user.organisation_id:
            raise NotFound
        policies.require_organisation_admin(user)
        return job
    try:
        job.group = access.require_admin(user, job.group_id)
    except NotFound:
        raise NotFound from None
    return job


def list_jobs(
    kind: str, *, group: Group | None = None, organisation: Organisation | None = None, cursor: str | None, size: int
) -> Page[BulkJob]:
    """The uploads of a group, or of an organisation, the newest first. Raises `BadCursor`."""
    jobs = BulkJob.objects.filter(kind=kind).select_related("by")
    jobs = jobs.filter(group=group) if group is not None else jobs.filter(organisation=organisation)
    return paginate(jobs, ("-created_at", "-id"), cursor, size)


def list_lines(job: BulkJob, *, cursor: str | None, size: int) -> Page[BulkLine]:
    """The lines that there is something to say about, in the order of the file."""
    told = job.lines.exclude(kind=BulkLine.Kind.LATER)
    return paginate(told, ("line", "id"), cursor, size)


def log_rows(job: BulkJob) -> Iterator[Cells]:
    """Every line of the file with what became of it; when the file is gone, the lines there is something to say about.

    The file is read along with the rows: neither is ever held whole.
    """
    yield (_("Line"), _("Result"), _("Reason"), _("Text"))
    told = job.lines.order_by("line").iterator(chunk_size=SLICE)
    said = next(told, None)
    for position, (line, text) in enumerate(_lines_in_file(job)):
        while said is not None and said.line < line:
            yield _to_cells(said)
            said = next(told, None)
        if said is not None and said.line == line:
            yield _to_cells(said)
            said = next(told, None)
        else:
            yield (line, _("done") if position < job.done_lines else _("not done"), "", text)
    while said is not None:
        yield _to_cells(said)
        said = next(told, None)


def problem_rows(job: BulkJob) -> Iterator[Cells]:
    """The bad and refused lines alone, whole as long as the file is there."""
    yield (_("Line"), _("Result"), _("Reason"), _("Text"))
    lines = _lines_in_file(job, shown=LONGEST_LINE)
    at = next(lines, None)
    for said in job.lines.exclude(kind=BulkLine.Kind.LATER).order_by("line").iterator(chunk_size=SLICE):
        while at is not None and at[0] < said.line:
            at = next(lines, None)
        text = at[1] if at is not None and at[0] == said.line else said.text
        yield (said.line, said.get_kind_display(), said.said, text)


def user_rows(group: Group) -> Iterator[Cells]:
    """The users of a group in the columns of the template, in the order in which they joined, and then who follows it:
    upload it again as is.
    """
    yield tuple(column.header for column in USERS)
    members = Membership.objects.filter(group=group).order_by("joined_at", "id")
    called = name_expression(group.naming_organisation_id)
    rows = members.values_list("person__number", called, "role").iterator(chunk_size=SLICE)
    for number, name, role in rows:
        yield (number, name, role, "")
    if group.group_type == Group.Type.CONNECT:
        following = Subscription.objects.filter(group=group).order_by("id")
        for number, name in following.values_list("person__number", called).iterator(chunk_size=SLICE):
            yield (number, name, SUBSCRIBER, "")


def mapping_rows(organisation: Organisation) -> Iterator[Cells]:
    """Which group of the organisation stands under which, in the columns of the template."""
    yield tuple(column.header for column in MAPPING)
    links = GroupLink.objects.filter(
        parent__organisation=organisation, parent__removed_at__isnull=True, child__removed_at__isnull=True
    ).order_by(F("id"))
    rows = links.values_list("child_id", "child__name", "parent_id", "parent__name").iterator(chunk_size=SLICE)
    for child_id, child, parent_id, parent in rows:
        yield (child_id, child, parent_id, parent, "")


def _to_cells(line: BulkLine) -> Cells:
    return (line.line, line.get_kind_display(), line.said, line.text)


def _lines_in_file(job: BulkJob, *, shown: int = SHOWN) -> Iterator[tuple[int, str]]:
    try:
        file = storages["bulk"].open(job.stored_as)
    except FileNotFoundError:
        return
    with file:
        joined = job.kind == BulkJob.Kind.MESSAGES
        table = Table(
            cast(BinaryIO, file.file), COLUMNS_OF[job.kind], (), headers=job.headers, joined=joined, shown=shown
        )
        for row in table.rows():
            yield row.line, row.text


def preview(job: BulkJob, *, lines: int = 5) -> tuple[list[str], list[list[str]]]:
    """The columns of a file as its first line names them, and its first lines, for choosing which is which.

    Raises NotFound when the file is not there any more.
    """
    try:
        file = storages["bulk"].open(job.stored_as)
    except FileNotFoundError:
        raise NotFound(_("The file is no longer stored.")) from None
    with file:
        header = [name for name in dict.fromkeys(read_header(file)) if name]
        table = Table(cast(BinaryIO, file.file), (), (), headers={name: name for name in header}, joined=True)
        rows = [[row.cells.get(name, "") for name in header] for row in islice(table.rows(), lines)]
    return header, rows
