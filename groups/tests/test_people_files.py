"""The people of an organisation as a file, out and in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Person, PersonName, User
from groups.models import BulkJob, Group, PersonAttribute, PersonAttributeValue
from groups.services import directory
from groups.services.bulk import jobs
from groups.tests.bulk import told, worked_at
from groups.tests.factories import make_group, person_of
from groups.tests.pages import KEY, everything

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


@pytest.fixture
def client(organisation_admin: User, browser_of: Browser) -> Client:
    return browser_of(organisation_admin)


@pytest.fixture
def department(organisation_admin: User) -> PersonAttribute:
    return directory.add_attribute(name="Department", by=organisation_admin)


def send(client: Client, text: str) -> Any:
    file = SimpleUploadedFile("people.csv", text.encode())
    return client.post(reverse("groups:people_upload"), {"file": file, "region": "IN", "idempotency_key": KEY})


def done(client: Client, text: str, by: User) -> BulkJob:
    assert send(client, text).status_code == 302
    job = worked_at(BulkJob.objects.latest("created_at"))
    jobs.go_on(job=job, by=by)
    return worked_at(job)


def test_what_goes_out_comes_in_again_whatever_the_attributes_are_called(
    client: Client, group: Group, member: User, organisation_admin: User
) -> None:
    made = directory.add_attribute(name="Mobile", by=organisation_admin)
    directory.add_attribute(name="Number", by=organisation_admin)
    values = {made.pk: "98765 43210"}
    directory.set_values(person=person_of(member), values=values, by=organisation_admin)
    answer: Any = client.post(reverse("groups:people_export"))
    out = b"".join(answer.streaming_content).decode()
    job = done(client, out.replace("98765 43210", "0000 11111"), organisation_admin)
    assert (job.bad_lines, job.counts["updated"]) == (0, 1)
    assert PersonAttributeValue.objects.get(attribute=made).text == "0000 11111"
    assert send(client, "Telephone,Name\n1,x\n").status_code == 400
    made.delete()
    assert send(client, f"Mobile,Name\n{person_of(member).number},Meera N\n").status_code == 302


@pytest.mark.postgresql
def test_names_and_attributes_come_in_and_nobody_is_added(
    client: Client,
    group: Group,
    member: User,
    newcomer: Person,
    department: PersonAttribute,
    organisation_admin: User,
    outsider: User,
) -> None:
    make_group("Theirs", organisation=outsider.organisation, admins=[outsider], members=[member])
    text = (
        "Phone number;Name;DEPARTMENT\n"
        f"{person_of(member).number};Another Name;Night  crew\n{newcomer.number};Lakshmi I;\n+91 99300 00001;Nobody;x\n"
        f"{newcomer.number};Twice;x\n"
    )
    job = done(client, text, organisation_admin)
    assert job.state == "done"
    assert sorted(told(job)) == [4, 5]
    assert job.counts == {"updated": 2}
    assert PersonAttributeValue.objects.get().text == "Night crew"
    assert person_of(member).name == "Another Name"
    assert PersonName.objects.get(person=newcomer, organisation=organisation_admin.organisation).name == "Lakshmi I"
    assert not Person.objects.filter(number="+919930000001").exists()
    [event] = AuditEvent.objects.filter(tag="organisation:people:changed")
    assert event.after["noted"] == {str(person_of(member).pk): ["Department"]}
    assert "Night" not in repr(event.after)
    assert reverse("groups:people_upload") in client.get(reverse("groups:bulk_job", args=[job.pk])).content.decode()
    again = done(client, f"Phone number,Department\n{person_of(member).number},-\n", organisation_admin)
    assert again.counts == {"updated": 1}
    assert not PersonAttributeValue.objects.exists()


@pytest.mark.parametrize(
    "header", ["Phone number,Shoe size", "Name,Department", "Phone number,Department,department", ""]
)
def test_a_file_with_other_columns_is_refused(client: Client, department: PersonAttribute, header: str) -> None:
    before = everything()
    assert send(client, f"{header}\n+919930000001,x,y\n").status_code == 400
    assert everything() == before


def test_the_export_is_told_cannot_run_and_can_be_uploaded_again(
    client: Client, group: Group, newcomer: Person, department: PersonAttribute, organisation_admin: User
) -> None:
    directory.set_values(person=newcomer, values={department.pk: "=1+1"}, by=organisation_admin)
    answer = client.post(reverse("groups:people_export"))
    text = answer.getvalue().decode()
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert "'=1+1" in text
    assert f"'{newcomer.number}" in text
    assert AuditEvent.objects.filter(tag="organisation:people:exported").count() == 1
    job = done(client, text, organisation_admin)
    assert set(job.counts) == {"unchanged"}
    assert PersonAttributeValue.objects.get().text == "=1+1"
