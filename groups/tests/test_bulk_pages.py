"""The pages of "Bulk Upload Users": upload, what is wrong in the reader's language, going on, history and files."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.audit.events import EventType
from accounts.models import AuditEvent, Person, User
from connectors.tests.html_forms import form_to, text_of
from groups.models import BulkJob, BulkLine, Group, Membership
from groups.services.bulk import jobs
from groups.tests.bulk import checked, done, told, uploaded, worked_at
from groups.tests.conftest import Browser
from groups.tests.factories import person_of
from groups.tests.pages import count_statements
from kaizala_console.lib import ids

pytestmark = pytest.mark.django_db
TEXT = "Phone number,Name\n+91 98765 43210,Asha\nnobody,<b>x</b>\n"


def at(name: str, *args: Any) -> str:
    return reverse(f"groups:{name}", args=args)


def upload(client: Client, group: Group, text: str = TEXT, name: str = "people.csv", **changes: Any) -> Any:
    form = form_to(client.get(at("bulk", group.pk)), at("bulk", group.pk))
    file = SimpleUploadedFile(name, text.encode())
    return form.send(client, {"file": file, **changes})


def test_the_way_from_the_group_to_a_finished_upload(client: Client, group: Group) -> None:
    assert f'href="{at("bulk", group.pk)}"' in client.get(at("details", group.pk)).content.decode()
    url = upload(client, group)["Location"]
    job = BulkJob.objects.get()
    assert url == at("bulk_job", job.pk)
    assert "Checking people.csv" in text_of(client.get(url))
    worked_at(job)
    page = client.get(url)
    assert "1 line can be imported." in text_of(page)
    assert "<b>x</b>" not in page.content.decode()
    form_to(page, at("bulk_go", job.pk)).send(client)
    assert Membership.objects.filter(group=group).count() == 3
    worked_at(job)
    assert Membership.objects.filter(group=group).count() == 4
    assert "Done" in text_of(client.get(url))
    assert "people.csv" in text_of(client.get(at("bulk", group.pk)))


def test_a_form_that_is_sent_twice_makes_one_upload_and_another_file_another(client: Client, group: Group) -> None:
    form = form_to(client.get(at("bulk", group.pk)), at("bulk", group.pk))
    for text in (TEXT, TEXT, TEXT + "+91 98765 43211,\n"):
        file = SimpleUploadedFile("people.csv", text.encode())
        form.send(client, {"file": file})
    assert BulkJob.objects.count() == 2


@pytest.mark.parametrize(
    ("text", "says"), [("", "empty"), ("Name\nx\n", "is missing"), ("PK\x03\x04", "Excel workbook")]
)
def test_a_file_that_cannot_be_used_comes_back_with_the_reason(
    client: Client, group: Group, text: str, says: str
) -> None:
    answer = upload(client, group, text)
    assert answer.status_code == 400
    assert says in text_of(answer)
    assert not BulkJob.objects.exists()


def test_what_the_sender_calls_the_file_is_shown_and_never_a_path(client: Client, group: Group) -> None:
    upload(client, group, name='../../etc/<img src="x">.csv')
    job = BulkJob.objects.get()
    assert job.stored_as == f"{job.pk}.csv"
    assert "/" not in job.file_name
    page = client.get(at("bulk_job", job.pk)).content.decode()
    assert '<img src="x">' not in page
    answer = client.get(at("bulk_file", job.pk))
    assert "\n" not in answer["Content-Disposition"]
    assert answer.getvalue().decode() == TEXT


def test_how_many_lines_take_somebody_out_is_said_before_anything_happens(
    client: Client, group: Group, group_admin: User, newcomer: Person
) -> None:
    text = f"Phone number,Action\n{newcomer.number},remove\n+919930000001,\n{newcomer.number},remove\nx,remove\n"
    cancelled, job = (checked(uploaded(group, group_admin, text)) for _upload in range(2))
    client.post(at("bulk_cancel", cancelled.pk))
    page = client.get(at("bulk_job", job.pk))
    assert "1 line removes someone from the group." in text_of(page)
    form_to(page, at("bulk_go", job.pk)).send(client)
    assert worked_at(job).counts == {"added": 1, "removed": 1}
    for over in (cancelled, job):
        assert "from the group." not in text_of(client.get(at("bulk_job", over.pk)))


def test_an_open_page_of_somebody_who_runs_the_group_no_more_leads_away_and_says_why(
    client: Client, group: Group, group_admin: User
) -> None:
    url = at("bulk_job", uploaded(group, group_admin, TEXT).pk)
    Membership.objects.filter(group=group, person=person_of(group_admin)).delete()
    answer = client.get(url, headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (204, at("list"))
    assert "You no longer manage this group, so its uploads are hidden." in text_of(client.get(at("list")))
    assert client.get(url).status_code == 404
    assert client.get(at("bulk_job", ids.new_id()), headers={"HX-Request": "true"}).status_code == 404


def test_cancelling_stops_and_says_so(client: Client, group: Group, group_admin: User) -> None:
    job = checked(uploaded(group, group_admin, TEXT))
    form_to(client.get(at("bulk_job", job.pk)), at("bulk_cancel", job.pk)).send(client)
    assert AuditEvent.objects.get(tag="bulk:job:cancelled").after == {"done_lines": 0, "group": group.name}
    assert "Cancelled. Finished lines stay." in text_of(client.get(at("bulk_job", job.pk)))
    finished = done(uploaded(group, group_admin, TEXT))
    for name, over in (("bulk_go", job), ("bulk_cancel", finished)):
        assert "over" in text_of(client.post(at(name, over.pk), follow=True))
        over.refresh_from_db()
    assert (job.state, finished.state) == ("cancelled", "done")


def test_bad_lines_and_the_log_are_files_in_which_nothing_runs(client: Client, group: Group, group_admin: User) -> None:
    job = checked(uploaded(group, group_admin, 'phone\n"=1+1"\n+91 98765 43210\n'))
    for name in ("bulk_problems", "bulk_log"):
        answer = client.get(at(name, job.pk))
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert "no-store" in answer["Cache-Control"]
        text = answer.getvalue().decode()
        assert '"2","bad",' in text
        assert "\n=" not in text
        assert not [line for line in csv.reader(io.StringIO(text)) if any(cell.startswith("=") for cell in line)]
    assert '"3","not done",""' in text


def test_the_templates_come_with_their_columns_and_no_others_are_there(client: Client) -> None:
    answer = client.get(at("bulk_template", "users"))
    assert answer.content.decode() == '\ufeff"Phone number","Name","Role","Action"\r\n'
    assert "Parent group ID" in client.get(at("bulk_template", "parent-groups")).content.decode()
    assert client.get(at("bulk_template", "secrets")).status_code == 404


def test_an_export_is_told_and_named_for_its_group(client: Client, group: Group) -> None:
    answer = client.post(at("bulk_export", group.pk))
    assert 'filename="night-shift-users.csv"' in answer["Content-Disposition"]
    assert answer.getvalue().decode().count("\r\n") == 4
    assert AuditEvent.objects.get(tag="group:members:exported").group_id == group.pk


def test_a_deleted_file_is_not_there(
    group: Group, group_admin: User, browser_of: Browser, travel: Callable[..., Any]
) -> None:
    job = done(uploaded(group, group_admin, TEXT))
    travel(days=31)
    jobs.delete_old_files()
    client = browser_of(group_admin)
    assert client.get(at("bulk_file", job.pk)).status_code == 404
    page = client.get(at("bulk_job", job.pk))
    assert at("bulk_file", job.pk) not in page.content.decode()
    assert "The file was deleted after its storage period." in text_of(page)


def test_longer_lists_cost_no_more_queries(client: Client, group: Group, group_admin: User) -> None:
    job = checked(uploaded(group, group_admin, TEXT))
    urls = [at("bulk", group.pk), at("bulk_job", job.pk)]
    few = count_statements(client, *urls)
    for _number in range(6):
        checked(uploaded(group, group_admin, TEXT))
    BulkLine.objects.bulk_create(BulkLine(job=job, line=n, kind="bad", reason="x") for n in range(100, 140))
    assert count_statements(client, *urls) == few


def test_each_reader_gets_the_reasons_in_their_language(client: Client, group: Group, group_admin: User) -> None:
    job = checked(uploaded(group, group_admin, "Phone number\n+91 98765 43210\n9876543210\n"))
    assert (job.language, *job.lines.values_list("code", "params", "reason")) == (
        "en",
        ("number_again", {"line": 2}, ""),
    )
    gone = uploaded(group, group_admin, TEXT)
    storages["bulk"].delete(gone.stored_as)
    assert worked_at(gone).state == "failed"
    assert AuditEvent.objects.get(tag=EventType.BULK_FAILED).after["reason"] == "file_gone"
    for language, twice, lost in (
        ("en", "This number is already in line 2.", "The file is no longer stored."),
        ("hi", "यह नंबर पहले से पंक्ति 2 में है।", "फ़ाइल अब वहाँ नहीं है।"),
    ):
        asks = {"Accept-Language": language}
        assert twice in text_of(client.get(at("bulk_job", job.pk), headers=asks))
        assert lost in text_of(client.get(at("bulk_job", gone.pk), headers=asks))
        for name in ("bulk_problems", "bulk_log"):
            assert twice in client.get(at(name, job.pk), headers=asks).getvalue().decode(), (name, language)


def test_rows_from_before_there_were_codes_say_what_they_said(client: Client, group: Group, group_admin: User) -> None:
    job = checked(uploaded(group, group_admin, "Phone number\n+91 98765 43210\n9876543210\n"))
    job.lines.update(code="", params={}, reason="This number stood there, years ago.")
    assert told(job)[3] == ("bad", "This number stood there, years ago.")
    assert "years ago." in text_of(client.get(at("bulk_job", job.pk)))
    BulkJob.objects.filter(pk=job.pk).update(failed_at=job.checked_at, failed_because="It was a leap year.")
    assert "It was a leap year." in text_of(client.get(at("bulk_job", job.pk)))
