"""A bulk upload's lease reaches no further than its length: a clock that was ahead makes no upload wait."""

import datetime as dt

import pytest

from groups.models import BulkJob
from groups.models.bulk_job import LEASE
from groups.tests.factories import make_group
from kaizala_console.lib import clock


@pytest.mark.django_db
def test_a_lease_that_was_taken_while_the_clock_was_ahead_is_over(group_admin) -> None:  # type: ignore[no-untyped-def]
    now = clock.now()
    group = make_group("Night Shift", organisation=group_admin.organisation, admins=[group_admin])
    job = BulkJob.objects.create(
        kind="users", group=group, by=group_admin, file_name="a.csv", file_size=1, language="en"
    )
    for until, is_due in ((now + LEASE, False), (now + dt.timedelta(hours=1), True), (now, True)):
        BulkJob.objects.update(leased_until=until)
        assert BulkJob.objects.due(now).filter(pk=job.pk).exists() is is_due
