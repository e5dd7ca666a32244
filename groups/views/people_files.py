"""The people of an organisation as a file: taken out, and names and attributes brought in; for its admins."""

from __future__ import annotations

from typing import BinaryIO, cast

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts import policies
from accounts.models import User
from accounts.views.decorators import reauthentication_required, user_of, with_phone
from connectors.views.links import crumbs
from groups.bulk_formats import Table
from groups.models import BulkJob
from groups.queries import directory as directory_queries
from groups.services import directory
from groups.services.bulk import jobs, people
from groups.views import once
from groups.views.bulk import page_of_uploads
from groups.views.bulk_forms import UsersFileForm
from groups.views.forms import add_error
from groups.views.pasted_numbers import region_of
from kaizala_console.lib.errors import RuleBroken
from kaizala_console.lib.spreadsheets import csv_lines


@require_POST
@reauthentication_required(button_label=gettext_lazy("Export people"), is_download=True)
def export(request: HttpRequest) -> HttpResponseBase:
    """Everybody of the organisation, with what is noted of them, as a file that can be uploaded again."""
    user = user_of(request)
    directory.note_export(by=user)
    rows = directory_queries.export_rows(user.organisation)
    response = StreamingHttpResponse(csv_lines(rows), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="people.csv"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Upload and check"))
def upload(request: HttpRequest) -> HttpResponse:
    """The form, and what was uploaded before."""
    user = user_of(request)
    policies.require_organisation_admin(user)
    form = UsersFileForm(request.POST or None, request.FILES or None, initial={"region": region_of(user)})
    if request.method == "POST" and form.is_valid():
        job = _uploaded(user, request, form)
        if job is not None:
            return redirect("groups:bulk_job", job.pk)
    context = {
        "crumbs": crumbs((_("Organisation"), reverse("accounts:organisation")), (_("People by file"), "")),
        "attributes": list(directory_queries.attributes_of(user.organisation)),
    }
    return page_of_uploads(
        request, "groups/people_upload.html", form, context, BulkJob.Kind.PEOPLE, organisation=user.organisation
    )


def _uploaded(user: User, request: HttpRequest, form: UsersFileForm) -> BulkJob | None:
    """The job; None when the form now says what is wrong with the file."""
    sent = form.cleaned_data["file"]
    try:
        header = Table(cast(BinaryIO, sent.file), (), ()).header
        sent.seek(0)
        return jobs.upload(
            job_id=once.id_for(user, f"bulk people {user.organisation_id} {jobs.digest_of(sent)}", request.POST),
            kind=BulkJob.Kind.PEOPLE,
            file=sent,
            by=user,
            organisation=user.organisation,
            region=form.cleaned_data["region"],
            headers=people.headers_for(header, directory_queries.attributes_of(user.organisation)),
        )
    except RuleBroken as broken:
        add_error(form, broken)
        return None
