"""The archive: what the organisation said in its old tenant. For admins of the organisation, to read and to search."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from accounts import policies
from accounts.views.decorators import user_of, with_phone
from connectors.views.forms import show_refusals
from connectors.views.links import crumbs
from groups.bulk_files import MESSAGES, MESSAGES_REQUIRED
from groups.models import BulkJob
from groups.queries import actions as archive_queries
from groups.queries import bulk as bulk_queries
from groups.services.bulk import jobs
from groups.views import links
from groups.views.bulk import ArchiveFilterForm, ColumnsForm, FileForm, archive_crumbs, upload_page
from kaizala_console.lib.errors import NotFound

PAGE_SIZE = 50
NEEDED = {key for any_of in MESSAGES_REQUIRED for key in any_of}
KIND = BulkJob.Kind.MESSAGES


@require_GET
@with_phone
def archive(request: HttpRequest) -> HttpResponse:
    """What matches, the newest first."""
    user = user_of(request)
    policies.require_organisation_admin(user)
    form = ArchiveFilterForm(request.GET)
    form.is_valid()
    chosen = {name: value for name, value in form.cleaned_data.items() if value}
    day = dt.timedelta(days=1)
    page = archive_queries.archive_page(
        user.organisation,
        group=chosen.get("group", ""),
        sender=chosen.get("sender", ""),
        since=_midnight(chosen.get("since")),
        until=_midnight(chosen["until"] + day) if chosen.get("until") and chosen["until"] < dt.date.max else None,
        cursor=request.GET.get("cursor"),
        size=PAGE_SIZE,
    )
    context = {
        "form": form,
        "rows": [{"message": message, "attachments": message.attachments.splitlines()} for message in page.items],
        "chips": links.list_chips(request, **{name: f"{form.fields[name].label}: {chosen[name]}" for name in chosen}),
        "crumbs": crumbs((_("Organisation"), reverse("accounts:organisation")), (_("Archive"), "")),
        **links.pagination_links(request, page),
    }
    return render(request, "groups/archive.html", context)


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Upload and check"))
def import_file(request: HttpRequest) -> HttpResponse:
    """The form, and what was imported before."""
    policies.require_organisation_admin(user_of(request))
    form = FileForm(request.POST or None, request.FILES or None)
    context = {"crumbs": crumbs(*archive_crumbs(), (_("Import"), ""))}
    return upload_page(request, "groups/archive_import.html", form, context, KIND)


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Check the lines"))
def columns(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Which column is which, beside the first lines of the file."""
    user = user_of(request)
    job = bulk_queries.get_job(user, job_id)
    if job.kind != KIND:
        raise NotFound
    if not job.awaits_columns or job.is_over:
        return redirect("groups:bulk_job", job_id)
    header, lines = bulk_queries.preview(job)
    form = ColumnsForm(request.POST or None, columns=MESSAGES, needed=NEEDED, header=header)
    if form.is_valid():
        with show_refusals(form):
            jobs.choose_columns(job=job, headers=form.cleaned_data, by=user)
            return redirect("groups:bulk_job", job_id)
    context = {
        "job": job,
        "form": form,
        "header": header,
        "lines": [list(zip(header, cells, strict=True)) for cells in lines],
        "crumbs": crumbs(
            *archive_crumbs(),
            (_("Import"), reverse("groups:archive_import")),
            (job.file_name, ""),
        ),
    }
    return render(request, "groups/archive_columns.html", context, status=400 if form.is_bound else 200)


def _midnight(day: dt.date | None) -> dt.datetime | None:
    if day is None:
        return None
    return timezone.make_aware(dt.datetime.combine(day, dt.time.min))
