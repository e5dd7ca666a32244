"""The forms of bulk uploads, and what their pages say of a job."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib.humanize.templatetags.humanize import intcomma
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from groups.bulk_formats import Column
from groups.models import BulkJob
from kaizala_console.lib import clock, phone_numbers


def _countries() -> list[tuple[str, str]]:
    return [(country.region, f"{country.name} (+{country.calling_code})") for country in phone_numbers.countries()]


class FileForm(forms.Form):
    """A file, as it came from a spreadsheet."""

    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv,text/plain"}),
        error_messages={
            "required": gettext_lazy("Choose a file."),
            "empty": gettext_lazy("This file is empty."),
        },
    )


class UsersFileForm(FileForm):
    """`region` is for the numbers whose + the spreadsheet took away."""

    region = forms.ChoiceField(
        label=gettext_lazy("Country of numbers without +"),
        choices=_countries,
        help_text=gettext_lazy("Spreadsheets like to take the + away."),
    )


class ColumnsForm(forms.Form):
    """Which of the file's columns is which of ours."""

    def __init__(
        self, data: QueryDict | None, *, columns: Iterable[Column], needed: set[str], header: list[str]
    ) -> None:
        super().__init__(data)
        for column in columns:
            known = next((name for name in header if column.is_called(name)), "")
            empty = _("Choose a column") if column.key in needed else _("Not in this file")
            self.fields[column.key] = forms.ChoiceField(
                label=column.header,
                choices=[("", empty), *((name, name) for name in header)],
                initial=known,
                required=column.key in needed,
                error_messages={"required": _("The archive needs this column.")},
            )


class ArchiveFilterForm(forms.Form):
    """What the archive is searched by. A wrong date finds everything rather than nothing."""

    group = forms.CharField(label=gettext_lazy("Group"), required=False, max_length=200)
    sender = forms.CharField(label=gettext_lazy("Sender"), required=False, max_length=200)
    since = forms.DateField(
        label=pgettext_lazy("first day", "From"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label=pgettext_lazy("last day", "To"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )


def counts_of(job: BulkJob) -> list[dict[str, Any]]:
    """What has come of the lines so far, for `<c-facts>`."""
    words = {
        "added": _("Added"),
        "updated": _("Changed"),
        "removed": _("Removed"),
        "archived": _("Archived"),
        "linked": _("Put under a parent group"),
        "unlinked": _("Taken from under a parent group"),
        "unchanged": _("Unchanged"),
        "names_kept": _("Names that stayed as they were"),
        "refused": _("Refused"),
    }
    return [{"label": words[name], "value": job.counts[name]} for name in words if job.counts.get(name)]


def log_of(job: BulkJob) -> list[dict[str, Any]]:
    """The history of one job, for `<c-timeline>`, the newest first."""
    bad = ngettext("%(n)s bad line.", "%(n)s bad lines.", job.bad_lines) % {"n": intcomma(job.bad_lines)}
    lines = ngettext("%(n)s line checked:", "%(n)s lines checked:", job.checked_lines)
    lines %= {"n": intcomma(job.checked_lines)}
    rows: list[tuple[dt.datetime | None, str, str]] = [
        (job.created_at, "arrow-end", _("%(name)s uploaded the file.") % {"name": job.by.name}),
        (job.checked_at, "check", f"{lines} {bad}"),
        (job.approved_at, "refresh", _("Went on with the good lines.")),
        (job.finished_at, "check-circle", _("Done.")),
        (job.cancelled_at, "ended", _("Cancelled. What was done stays.")),
        (job.failed_at, "refused", _("Stopped: %(reason)s") % {"reason": job.why_it_failed}),
        (job.file_deleted_at, "trash", _("The file was deleted, its days were over.")),
    ]
    told = [{"at": at, "icon": icon, "sentence": sentence} for at, icon, sentence in rows if at is not None]
    return sorted(told, key=lambda row: row["at"], reverse=True)


def bar_of(job: BulkJob) -> dict[str, Any]:
    """`<c-job_bar>`: how far it is, and how long it will take if it goes on like this."""
    checking = job.checked_at is None
    done = job.checked_lines if checking or job.approved_at is None else job.done_lines
    waits = job.state == "waiting"
    title = _("Checking %(file)s") if checking else _("Checked: %(file)s") if waits else "%(file)s"
    return {
        "title": title % {"file": job.file_name},
        "done": done,
        "total": max(job.total_lines, done),
        "bad": job.bad_lines,
        "left": _left(job, done) if job.is_going else "",
        "status": job.state,
        "cancel_url": "" if job.is_over else reverse("groups:bulk_cancel", args=[job.pk]),
        "bad_url": reverse("groups:bulk_problems", args=[job.pk]) if job.bad_lines else "",
    }


def _left(job: BulkJob, done: int) -> str:
    began = job.approved_at or job.created_at
    seconds = (clock.now() - began).total_seconds()
    if not done or seconds < 2:
        return ""
    left = seconds / done * max(0, job.total_lines - done)
    if left < 60:
        return _("less than a minute left")
    minutes = round(left / 60)
    return ngettext("about %(n)d minute left", "about %(n)d minutes left", minutes) % {"n": minutes}
