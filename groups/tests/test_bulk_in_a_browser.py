"""The pages of bulk uploads and of the archive in a real browser: live while it goes, usable by everybody."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.models import Organisation, User
from groups.models import BulkJob
from groups.tests.bulk import uploaded, worked_at
from groups.tests.factories import make_group

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]
OpenPage = Callable[..., Page]
BAD = "Phone number,Name\n+91 98765 43210,Asha\nnobody," + "x" * 150 + "\n9.18E+11,y\n"


@pytest.mark.capability
def test_the_page_of_an_upload_moves_on_by_itself_until_it_is_done(
    open_page: OpenPage, organisation: Organisation, group_admin: User
) -> None:
    group = make_group(organisation=organisation, admins=[group_admin])
    job = uploaded(group, group_admin, BAD)
    BulkJob.objects.filter(pk=job.pk).update(checked_at=None, total_lines=3, checked_lines=0, bad_lines=0)
    job.lines.all().delete()
    page = open_page(user=group_admin)
    page.goto(reverse("groups:bulk_job", args=[job.pk]))
    expect(page.get_by_text("Checking people.csv")).to_be_visible()
    worked_at(job)
    expect(page.get_by_role("button", name="Import")).to_be_visible(timeout=15_000)
    expect(page.get_by_text("The spreadsheet rounded this number. Format the column as text first.")).to_be_visible()
    assert page.locator("[hx-trigger]").count() == 0
