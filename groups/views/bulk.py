""" "Bulk Upload Users", and the same for parent groups: upload, check, go on, and what came of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.files.storage import storages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import policies
from accounts.views.decorators import reauthentication_required, user_of, with_phone
from connectors.views.forms import get_idempotency_key, get_idempotent_id, show_refusals
from connectors.views.links import crumbs
from groups import access, bulk_files
from groups.bulk_files import MAPPING, USERS, Column
from groups.models import BulkJob, Group
from groups.queries import bulk as bulk_queries
from groups.services.bulk import jobs
from groups.views import links
from groups.views.forms import get_region
from kaizala_console.lib import clock, phone_numbers
from kaizala_console.lib.errors import ConsoleError, NotAllowed, NotFound
from kaizala_console.lib.spreadsheets import csv_response, file_response

PAGE_SIZE = 20
LINES_A_PAGE = 50
Kind = BulkJob.Kind
TEMPLATES = {"users": USERS, "parent-groups": MAPPING}
GO_ON = gettext_lazy("Import")

# ---------------------------------------------------------------- Users of a group


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Upload and check"))
def users(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """The form, and what was uploaded before."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    form = UsersFileForm(request.POST or None, request.FILES or None, initial={"region": get_region(user)})
    context = {
        "group": group,
        "crumbs": links.group_crumbs(group, (_("Bulk Upload Users"), "")),
        "template_url": reverse("groups:bulk_template", args=["users"]),
        "export_url": reverse("groups:bulk_export", args=[group.pk]),
    }
    return upload_page(request, "groups/bulk_users.html", form, context, Kind.USERS, group=group)


@require_POST
@reauthentication_required(button_label=gettext_lazy("Export users"), is_download=True)
def export_users(request: HttpRequest, group_id: UUID) -> HttpResponseBase:
    """Everybody in the group as a file that can be uploaded again."""
    user = user_of(request)
    group = access.require_admin(user, group_id)
    jobs.note_export(group=group, by=user)
    name = slugify(group.name, allow_unicode=False) or "group"
    return csv_response(bulk_queries.user_rows(group), f"{name}-users.csv")


# ---------------------------------------------------------------- Parent groups of an organisation


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Upload and check"))
def mapping(request: HttpRequest) -> HttpResponse:
    """As `users`, for which group stands under which; for admins of the organisation."""
    user = user_of(request)
    policies.require_organisation_admin(user)
    form = FileForm(request.POST or None, request.FILES or None)
    context = {
        "crumbs": crumbs((_("Organisation"), reverse("accounts:organisation")), (_("Import parent groups"), "")),
        "template_url": reverse("groups:bulk_template", args=["parent-groups"]),
        "export_url": reverse("groups:mapping_export"),
    }
    return upload_page(request, "groups/bulk_mapping.html", form, context, Kind.MAPPING)


@require_POST
@reauthentication_required(button_label=gettext_lazy("Export parent groups"), is_download=True)
def export_mapping(request: HttpRequest) -> HttpResponseBase:
    """Which group stands under which, as a file that can be uploaded again."""
    user = user_of(request)
    jobs.note_export(group=None, by=user)
    return csv_response(bulk_queries.mapping_rows(user.organisation), "parent-groups.csv")


# ---------------------------------------------------------------- One upload


@require_GET
@with_phone
def template(request: HttpRequest, kind: str) -> HttpResponse:
    """The empty file."""
    if kind not in TEMPLATES:
        raise NotFound
    response = HttpResponse(bulk_files.template(TEMPLATES[kind]), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{kind}.csv"'
    return response


@require_GET
@with_phone
def job(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """How far it is. While it goes, htmx asks for this page again; without scripts a link does."""
    try:
        found = bulk_queries.get_job(user_of(request), job_id)
    except (NotFound, NotAllowed):
        own = BulkJob.objects.filter(pk=job_id, by=user_of(request), group__isnull=False)
        if not (request.headers.get("HX-Request") and own.exists()):
            raise
        # Whoever looks on while their own file takes them out of the group, or another admin does.
        messages.info(request, _("You no longer manage this group, so its uploads are hidden."))
        return HttpResponse(status=204, headers={"HX-Redirect": reverse("groups:list")})
    page = bulk_queries.list_lines(found, cursor=request.GET.get("cursor"), size=LINES_A_PAGE)
    context = {
        "job": found,
        "bar": make_bar(found),
        "counts": list_counts(found),
        "log": list_log(found),
        "lines": page.items,
        "waits": found.state == "waiting",
        "is_checking": found.checked_at is None and found.is_going,
        "crumbs": _crumbs(found),
        **links.pagination_links(request, page),
    }
    return render(request, "groups/bulk_job.html", context)


@require_POST
@reauthentication_required(button_label=GO_ON)
def go_on(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Has the good lines done."""
    user = user_of(request)
    return _acted(request, job_id, lambda found: jobs.go_on(job=found, by=user))


@require_POST
@with_phone(button_label=gettext_lazy("Cancel"))
def cancel(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Stops it; what was done stays."""
    user = user_of(request)
    return _acted(request, job_id, lambda found: jobs.cancel(job=found, by=user))


@require_GET
@with_phone
def file(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """The file as it was uploaded."""
    found = bulk_queries.get_job(user_of(request), job_id)
    if not storages["bulk"].exists(found.stored_as):
        raise NotFound(_("The file is no longer stored."))
    # octet-stream: whatever it says it is, no browser opens it here.
    return file_response(_blocks(found.stored_as), found.file_name, "application/octet-stream")


@require_GET
@with_phone
def log(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """Every line of the file, and what became of it."""
    found = bulk_queries.get_job(user_of(request), job_id)
    return csv_response(bulk_queries.log_rows(found), "log.csv")


@require_GET
@with_phone
def problems(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """The bad and refused lines, each with its reason."""
    found = bulk_queries.get_job(user_of(request), job_id)
    return csv_response(bulk_queries.problem_rows(found), "bad-lines.csv")


# ---------------------------------------------------------------- What they share


def upload_page(
    request: HttpRequest,
    template_name: str,
    form: FileForm,
    context: dict[str, Any],
    kind: str,
    *,
    group: Group | None = None,
    match_headers: Callable[[list[str]], Mapping[str, str]] | None = None,
) -> HttpResponse:
    """Keeps the file that was sent, for the group or else the organisation, and goes to its job; or shows the form,
    with what was uploaded before under it. `match_headers` is as in `jobs.upload`.
    """
    user = user_of(request)
    organisation = None if group else user.organisation
    if form.is_valid():
        sent, place = form.cleaned_data["file"], group or user.organisation
        with show_refusals(form):
            headers = match_headers(bulk_files.read_header(sent)) if match_headers else None
            job = jobs.upload(
                job_id=get_idempotent_id(user, f"bulk {kind} {place.pk} {jobs.compute_digest(sent)}", request.POST),
                kind=kind,
                file=sent,
                by=user,
                group=group,
                organisation=organisation,
                region=form.cleaned_data.get("region", ""),
                headers=headers,
            )
            return redirect("groups:archive_columns" if job.awaits_columns else "groups:bulk_job", job.pk)
    page = bulk_queries.list_jobs(
        kind, group=group, organisation=organisation, cursor=request.GET.get("cursor"), size=PAGE_SIZE
    )
    context |= {
        "form": form,
        "idempotency_key": get_idempotency_key(request.POST),
        "jobs": page.items,
        **links.pagination_links(request, page),
    }
    return render(request, template_name, context, status=400 if form.is_bound else 200)


def _acted(request: HttpRequest, job_id: UUID, act: Any) -> HttpResponse:
    found = bulk_queries.get_job(user_of(request), job_id)
    try:
        act(found)
    except ConsoleError as refused:
        messages.error(request, str(refused))
    return redirect("groups:bulk_job", job_id)


def _blocks(name: str) -> Iterator[bytes]:
    with storages["bulk"].open(name) as stored:
        yield from stored.chunks()


def _crumbs(found: BulkJob) -> list[dict[str, str]]:
    if found.kind == Kind.MESSAGES:
        return crumbs(*archive_crumbs(), (_("Import"), reverse("groups:archive_import")), (found.file_name, ""))
    organisation = (_("Organisation"), reverse("accounts:organisation"))
    if found.kind == Kind.PEOPLE:
        up = reverse("groups:people_upload")
        return crumbs(organisation, (_("Import people"), up), (found.file_name, ""))
    if found.group is not None:
        up = reverse("groups:bulk", args=[found.group.pk])
        return links.group_crumbs(found.group, (_("Bulk Upload Users"), up), (found.file_name, ""))
    return crumbs(organisation, (_("Import parent groups"), reverse("groups:mapping")), (found.file_name, ""))


def archive_crumbs() -> list[tuple[str, str]]:
    """The way to a page below the archive."""
    return [(_("Organisation"), reverse("accounts:organisation")), (_("Archive"), reverse("groups:archive"))]


# ----------------------------------------------------------------------------------------------------
# The forms of bulk uploads, and what their pages say of a job.


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
        help_text=gettext_lazy("For numbers whose + was lost in Excel."),
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
                error_messages={"required": _("This column is required.")},
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


def list_counts(job: BulkJob) -> list[dict[str, Any]]:
    """What has come of the lines so far, for `<c-facts>`."""
    words = {
        "added": _("Added"),
        "updated": _("Changed"),
        "removed": _("Removed"),
        "archived": _("Archived"),
        "linked": _("Attached to a parent group"),
        "unlinked": _("Detached from a parent group"),
        "unchanged": _("Unchanged"),
        "names_kept": _("Names unchanged"),
        "refused": _("Refused"),
    }
    return [{"label": words[name], "value": job.counts[name]} for name in words if job.counts.get(name)]


def list_log(job: BulkJob) -> list[dict[str, Any]]:
    """The history of one job, for `<c-timeline>`, the newest first."""
    bad = ngettext("%(n)s bad line.", "%(n)s bad lines.", job.bad_lines) % {"n": intcomma(job.bad_lines)}
    lines = ngettext("%(n)s line checked:", "%(n)s lines checked:", job.checked_lines)
    lines %= {"n": intcomma(job.checked_lines)}
    rows: list[tuple[dt.datetime | None, str, str]] = [
        (job.created_at, "arrow-end", _("%(name)s uploaded the file.") % {"name": job.by.name}),
        (job.checked_at, "check", f"{lines} {bad}"),
        (job.approved_at, "refresh", _("Import started.")),
        (job.finished_at, "check-circle", _("Done.")),
        (job.cancelled_at, "ended", _("Cancelled. Finished lines stay.")),
        (job.failed_at, "refused", _("Failed: %(reason)s") % {"reason": job.why_it_failed}),
        (job.file_deleted_at, "trash", _("The file was deleted after its storage period.")),
    ]
    told = [{"at": at, "icon": icon, "sentence": sentence} for at, icon, sentence in rows if at is not None]
    return sorted(told, key=lambda row: row["at"], reverse=True)


def make_bar(job: BulkJob) -> dict[str, Any]:
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
