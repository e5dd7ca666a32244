"""Bulk upload of a group's users and subscribers: every bad line named, the good ones done once, whatever is killed."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.storage import storages
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, Organisation, Person, PersonName, User
from accounts.tests.factories import make_person
from groups.models import BulkJob, BulkLine, Group, GroupChange, Membership, Subscription
from groups.models.bulk_job import LEASE
from groups.queries import bulk as bulk_queries
from groups.services import webhooks
from groups.services.bulk import jobs
from groups.tests.bulk import checked, done, told, uploaded, worked_at
from groups.tests.factories import make_group, make_public_group, person_of
from kaizala_console.lib import clock, ids
from kaizala_console.lib.errors import Conflict, NotAllowed, RuleBroken
from kaizala_console.lib.spreadsheets import csv_lines

pytestmark = pytest.mark.django_db
HEADER = "Phone number,Name,Role,Action\n"


def many(number: int, *, role: str = "", action: str = "") -> str:
    return HEADER + "".join(f"+9198{n:08},Person {n},{role},{action}\n" for n in range(number))


def roles(group: Group) -> dict[str, str]:
    return dict(Membership.objects.filter(group=group).values_list("person__number", "role"))


def test_every_bad_line_is_named_with_its_reason_and_nothing_has_happened(group: Group, group_admin: User) -> None:
    before = roles(group)
    text = HEADER + "+91 98765 43210,Asha,,\nnobody,,,\n+919876543210,,,\n9.1987E+11,,,\n\n+919876543211,,boss,\n"
    text += "+919876543212,,Subscriber,\n"  # a plain group has none
    job = checked(uploaded(group, group_admin, text))
    assert {line: kind for line, (kind, _reason) in told(job).items()} == dict.fromkeys([3, 4, 5, 7, 8], "bad")
    assert "already in line 2" in told(job)[4][1]
    assert (job.total_lines, job.bad_lines, job.good_lines, job.state) == (6, 5, 1, "waiting")
    assert roles(group) == before


@pytest.mark.postgresql
def test_a_check_that_was_broken_off_begins_anew(group: Group, group_admin: User) -> None:
    job = uploaded(group, group_admin, HEADER + "nobody,,,\n")
    BulkLine.objects.create(job=job, line=2, kind="bad", reason="half")
    BulkJob.objects.filter(pk=job.pk).update(checked_lines=1, bad_lines=1, lease=ids.new_id(), leased_until=clock.now())
    assert checked(job).bad_lines == 1
    assert "half" not in str(told(job))


@pytest.mark.parametrize(
    ("text", "says"), [(HEADER, "The file has no lines below the first."), (many(150), "more than 100 lines")]
)
def test_a_file_without_lines_or_with_too_many_stops(
    group: Group, group_admin: User, settings: Any, text: str, says: str
) -> None:
    settings.BULK_MAX_LINES = 100
    job = checked(uploaded(group, group_admin, text))
    assert job.state == "failed"
    assert says in job.why_it_failed
    with pytest.raises(Conflict):
        jobs.go_on(job=job, by=group_admin)


def test_a_file_that_is_no_table_or_too_large_is_refused_at_once(
    group: Group, group_admin: User, settings: Any
) -> None:
    for text in ("name\nx\n", b"PK\x03\x04"):
        with pytest.raises(RuleBroken):
            uploaded(group, group_admin, text)
    settings.BULK_MAX_MB = 0
    with pytest.raises(RuleBroken, match="larger than"):
        uploaded(group, group_admin, HEADER)
    assert not BulkJob.objects.exists()


@pytest.mark.postgresql
def test_it_adds_promotes_names_and_removes(group: Group, group_admin: User, member: User, newcomer: Person) -> None:
    number = person_of(member).number
    lines = ["+919876543210,Asha,,", f"{number},,admin,", f"{newcomer.number},,,remove", "+919876543211,,Admin,add"]
    job = done(uploaded(group, group_admin, HEADER + "\n".join(lines)))
    assert job.counts == {"added": 2, "updated": 1, "removed": 1}
    assert roles(group) == {
        person_of(group_admin).number: "Admin",
        number: "Admin",
        "+919876543210": "Member",
        "+919876543211": "Admin",
    }
    assert PersonName.objects.get(person__number="+919876543210").name == "Asha"
    assert GroupChange.objects.filter(group=group).exists(), "its counts are taken anew"


@pytest.mark.postgresql
def test_the_same_file_again_changes_nothing_and_another_one_updates(group: Group, group_admin: User) -> None:
    done(uploaded(group, group_admin, many(7)))
    before, events = roles(group), AuditEvent.objects.filter(tag="group:members:changed").count()
    assert done(uploaded(group, group_admin, many(7))).counts == {"unchanged": 7}
    assert AuditEvent.objects.filter(tag="group:members:changed").count() == events
    assert roles(group) == before
    assert done(uploaded(group, group_admin, many(7, role="Admin"))).counts == {"updated": 7}
    assert done(uploaded(group, group_admin, many(7, action="remove"))).counts == {"removed": 7}


@pytest.mark.postgresql
def test_the_order_of_lines_never_leaves_the_group_without_an_admin(group: Group, group_admin: User) -> None:
    number = person_of(group_admin).number
    job = done(uploaded(group, group_admin, HEADER + f"{number},,,remove\n+919876543210,,Admin,\n"))
    assert job.counts == {"added": 1, "removed": 1}
    assert [who for who, role in roles(group).items() if role == "Admin"] == ["+919876543210"]


@pytest.mark.postgresql
@pytest.mark.parametrize("line", [",,,remove", ",,Member,"])
def test_the_last_admin_stays_and_the_line_is_refused(group: Group, group_admin: User, line: str) -> None:
    number = person_of(group_admin).number
    job = done(uploaded(group, group_admin, HEADER + f"{number}{line}\n"))
    assert job.counts == {"refused": 1}
    assert told(job)[2][0] == "refused"
    assert roles(group)[number] == "Admin"


def test_a_group_admin_names_who_has_no_name_and_nobody_else(group: Group, group_admin: User, member: User) -> None:
    nameless = make_person("")
    text = HEADER + f"{nameless.number},Asha,,\n{person_of(member).number},Renamed,,\n"
    assert done(uploaded(group, group_admin, text)).counts == {"added": 1, "names_kept": 1, "unchanged": 1}
    assert PersonName.objects.get(person=nameless).name == "Asha"
    assert PersonName.objects.get(person=person_of(member)).name == "Meera Nair"


def test_an_organisation_admin_renames_people_in_the_organisation_alone(
    group: Group, organisation_admin: User, member: User, newcomer: Person, outsider: User
) -> None:
    elsewhere = make_person("Elsewhere")
    make_group("Private", admins=[elsewhere])
    people = [person_of(member), newcomer, person_of(outsider), elsewhere]
    text = HEADER + "".join(f"{person.number},New {n},,\n" for n, person in enumerate(people))
    assert "names_kept" not in done(uploaded(group, organisation_admin, text)).counts
    for n, person in enumerate(people):
        assert PersonName.objects.get(person=person, organisation=group.organisation).name == f"New {n}"
    assert PersonName.objects.get(person=people[2], organisation=outsider.organisation).name == outsider.name
    event = AuditEvent.objects.filter(tag="group:members:changed").latest("pk")
    assert event.after["renamed"][str(newcomer.pk)] == ["Lakshmi Iyer", "New 1"]


def test_the_audit_trail_says_in_one_row_a_chunk_what_became_of_whom(
    group: Group, group_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "DONE_AT_ONCE", 10)
    job = done(uploaded(group, group_admin, many(25)))
    events = AuditEvent.objects.filter(tag="group:members:changed", subject_id=str(job.pk)).order_by("pk")
    assert [(event.after["first"], event.after["last"]) for event in events] == [(2, 11), (12, 21), (22, 26)]
    added = {key: role for event in events for key, role in event.after["added"].items()}
    members = Membership.objects.filter(group=group, person__number__startswith="+9198000000")
    assert added == {str(key): "Member" for key in members.values_list("person_id", flat=True)}
    tags = ["bulk:file:uploaded", "bulk:job:started", "bulk:job:finished"]
    assert list(AuditEvent.objects.filter(tag__startswith="bulk").order_by("pk").values_list("tag", flat=True)) == tags


def test_webhooks_hear_of_who_came_and_went(
    group: Group, group_admin: User, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[str, int]] = []
    for name in ("publish_members_added", "publish_members_removed"):
        monkeypatch.setattr(webhooks, name, lambda *, people, name=name, **_more: heard.append((name, len(people))))
    done(uploaded(group, group_admin, HEADER + f"+919876543210,,,\n{person_of(member).number},,,remove\n"))
    assert heard == [("publish_members_added", 1), ("publish_members_removed", 1)]


# Being killed, cancelled, refused -------------------------------------------------------------------------------------


class Killed(BaseException):
    """As a process ends."""


@pytest.mark.postgresql
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_killed_worker_is_followed_by_one_that_begins_after_the_last_chunk(
    group: Group, group_admin: User, monkeypatch: pytest.MonkeyPatch, travel: Callable[..., Any], at: int
) -> None:
    monkeypatch.setattr(jobs, "DONE_AT_ONCE", 10)
    job = checked(uploaded(group, group_admin, many(25)))
    jobs.go_on(job=job, by=group_admin)
    calls, real = 0, jobs._write_down

    def dies(*args: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            raise Killed
        real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "_write_down", dies)
        with pytest.raises(Killed):
            jobs.work(job_id=job.pk)
    job.refresh_from_db()
    assert job.done_lines == (at - 1) * 10
    assert Membership.objects.filter(group=group).count() == 3 + job.done_lines
    assert not jobs.work(job_id=job.pk), "the dead worker's lease still runs"
    assert jobs.sweep() == 0
    travel(minutes=3)
    assert jobs.sweep() == 1
    assert worked_at(job).state == "done"
    assert job.counts == {"added": 25}
    assert jobs.sweep() == 0


@pytest.mark.postgresql
def test_a_turn_ends_after_a_while_and_the_next_goes_on(
    group: Group, group_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = checked(uploaded(group, group_admin, many(3)))
    jobs.go_on(job=job, by=group_admin)
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "AT_ONCE", -1.0)
        assert worked_at(job).state == "queued"
    assert worked_at(job).state == "done"


@pytest.mark.postgresql
def test_what_fails_again_and_again_stops_and_says_so(
    group: Group, group_admin: User, monkeypatch: pytest.MonkeyPatch, travel: Callable[..., Any]
) -> None:
    job = checked(uploaded(group, group_admin, many(3)))
    jobs.go_on(job=job, by=group_admin)

    def breaks(*_args: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(jobs, "_run", breaks)
    for _try in range(5):
        with pytest.raises(ZeroDivisionError):
            jobs.work(job_id=job.pk)
        travel(minutes=3)
    assert worked_at(job).state == "failed"
    assert "Internal error. Tell the operator of this console." in job.why_it_failed


@pytest.mark.postgresql
def test_cancelling_in_the_middle_keeps_what_was_done(
    group: Group, group_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "DONE_AT_ONCE", 10)
    job = checked(uploaded(group, group_admin, many(25)))
    jobs.go_on(job=job, by=group_admin)
    looks: list[bool] = []

    def is_over(_turn: Any) -> bool:
        """Asked before each chunk, outside its transaction."""
        looks.append(False)
        if len(looks) == 2:
            jobs.cancel(job=job, by=group_admin)
        return False

    monkeypatch.setattr(jobs._Claim, "is_over", property(is_over))
    assert not jobs.work(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.done_lines) == ("cancelled", 10)
    assert Membership.objects.filter(group=group).count() == 13
    assert jobs.cancel(job=job, by=group_admin).cancelled_at == job.cancelled_at
    with pytest.raises(Conflict):
        jobs.go_on(job=job, by=group_admin)


def test_who_is_no_admin_any_more_gets_no_further(group: Group, group_admin: User) -> None:
    job = checked(uploaded(group, group_admin, many(3)))
    jobs.go_on(job=job, by=group_admin)
    Membership.objects.filter(group=group, person=person_of(group_admin)).update(role="Member")
    assert worked_at(job).state == "failed"
    assert "The uploader is no longer an admin of the group." in job.why_it_failed
    assert AuditEvent.objects.filter(tag="bulk:job:failed").exists()
    assert Membership.objects.filter(group=group).count() == 3


@pytest.mark.postgresql
def test_going_on_twice_is_once_and_with_no_good_line_not_at_all(group: Group, group_admin: User) -> None:
    job = checked(uploaded(group, group_admin, many(2)))
    assert jobs.go_on(job=job, by=group_admin).approved_at == jobs.go_on(job=job, by=group_admin).approved_at
    with pytest.raises(RuleBroken, match="No line"):
        jobs.go_on(job=checked(uploaded(group, group_admin, "number\nx\n")), by=group_admin)


def test_nobody_uploads_for_an_organisation_but_its_admins(
    organisation: Organisation, group_admin: User, outsider: User
) -> None:
    for who in (group_admin, outsider):
        with pytest.raises(NotAllowed):
            jobs.upload(job_id=ids.new_id(), kind="mapping", file=None, by=who, organisation=organisation)  # type: ignore[arg-type]


# Files, log, export ---------------------------------------------------------------------------------------------------


def test_files_are_deleted_when_their_days_are_over_and_strays_after_one(
    group: Group, group_admin: User, travel: Callable[..., dt.datetime]
) -> None:
    storage = storages["bulk"]
    job = done(uploaded(group, group_admin, many(2)))
    going = checked(uploaded(group, group_admin, many(2)))
    jobs.go_on(job=going, by=group_admin)
    with storage.open("stray.csv", "wb") as stray:
        stray.write(b"x")
    travel(days=2)
    jobs.delete_old_files()
    assert not storage.exists("stray.csv")
    assert storage.exists(job.stored_as)
    travel(days=40)
    jobs.delete_old_files()
    job.refresh_from_db()
    assert job.file_deleted_at is not None
    assert not storage.exists(job.stored_as)
    assert storage.exists(going.stored_as), "a worker still needs it"
    assert list(bulk_queries.log_rows(job)) == [("Line", "Result", "Reason", "Text")]


def test_the_log_says_of_every_line_what_became_of_it(group: Group, group_admin: User) -> None:
    number = person_of(group_admin).number
    job = done(uploaded(group, group_admin, HEADER + f"+919876543210,,,\nx,,,\n{number},,,remove\n"))
    assert [row[:2] for row in list(bulk_queries.log_rows(job))[1:]] == [(2, "done"), (3, "bad"), (4, "refused")]
    assert [row[0] for row in bulk_queries.problem_rows(job)] == ["Line", 3, 4]


def test_what_is_exported_can_be_uploaded_again_and_changes_nothing(group: Group, group_admin: User) -> None:
    done(uploaded(group, group_admin, many(3) + "+919876543210,=HYPERLINK(1),,\n"))
    text = "".join(csv_lines(bulk_queries.user_rows(group)))
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert rows[0] == ["Phone number", "Name", "Role", "Action"]
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
    assert done(uploaded(group, group_admin, text)).counts == {"unchanged": 7}


@pytest.mark.postgresql
def test_two_thousand_lines_cost_few_statements_each(group: Group, group_admin: User) -> None:
    job = uploaded(group, group_admin, many(2000))
    with CaptureQueriesContext(connection) as seen:
        done(job)
    assert job.counts == {"added": 2000}
    assert len(seen) < 200, "about twenty-five a chunk of 500"


ASHA, BALA = "+919876543210", "+919876543211"


def following(group: Group) -> set[str]:
    return set(Subscription.objects.filter(group=group).values_list("person__number", flat=True))


@pytest.mark.postgresql
def test_lines_add_subscribers_and_take_them_off_and_once_more_changes_nothing(
    organisation: Organisation, group_admin: User
) -> None:
    public = make_public_group(organisation=organisation, admins=[group_admin])
    make_person("Asha Rao", ASHA)
    text = HEADER + f"{ASHA},Somebody,Subscriber,\n{BALA},Bala,subscriber,add\n{ASHA},,Member,\n{ASHA},,Subscriber,\n"
    job = done(uploaded(public, group_admin, text))
    assert (job.state, job.counts["added"], list(told(job))) == ("done", 3, [5])
    assert following(public) == {ASHA, BALA}
    assert set(PersonName.objects.values_list("name", flat=True)) >= {"Asha Rao", "Bala"}
    assert roles(public)[ASHA] == "Member"
    assert AuditEvent.objects.filter(tag="group:subscribers:added", group_id=public.pk).count() == 1
    for again in (text, "".join(csv_lines(bulk_queries.user_rows(public)))):  # as an export, too
        counts = done(uploaded(public, group_admin, again)).counts
        assert (counts.get("added", 0), counts["unchanged"]) == (0, 3 if again == text else 4)
    left = done(uploaded(public, group_admin, HEADER + f"{ASHA},,Subscriber,remove\n"))
    assert left.counts["removed"] == 1
    assert following(public) == {BALA}


def test_a_lease_that_was_taken_while_the_clock_was_ahead_is_over(group: Group, group_admin: User) -> None:
    now, job = clock.now(), uploaded(group, group_admin, many(1))
    for until, is_due in ((now + LEASE, False), (now + dt.timedelta(hours=1), True), (now, True)):
        BulkJob.objects.update(leased_until=until)
        assert BulkJob.objects.due(now).filter(pk=job.pk).exists() is is_due
