"""A person's page, what is noted of people, the file of people, and who is taken out of one group or of all."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Organisation, Person, PersonName, User
from accounts.tests.factories import make_person
from connectors.models import Connector, Grant
from connectors.tests.html_forms import count_queries, form_to, text_of
from groups.models import BulkJob, Group, Membership, PersonAttribute, PersonAttributeValue
from groups.services import directory
from groups.services.bulk import jobs
from groups.tests.bulk import told, worked_at
from groups.tests.conftest import Browser
from groups.tests.factories import let_act_for, make_group, person_of
from groups.tests.pages import KEY, everything, without_ids
from kaizala_console.lib import ids
from kaizala_console.lib.phone_numbers import display

pytestmark = pytest.mark.django_db

DIRECTORY = "/console/directory/"


@pytest.fixture
def client(organisation_admin: User, browser_of: Browser) -> Client:
    return browser_of(organisation_admin)


@pytest.fixture
def department(organisation_admin: User) -> PersonAttribute:
    return directory.add_attribute(name="Department", by=organisation_admin)


@pytest.fixture
def location(organisation_admin: User) -> PersonAttribute:
    return directory.add_attribute(name="Location", by=organisation_admin, for_colleagues=True)


def page_of(person: Person) -> str:
    return reverse("groups:person", args=[person.pk])


def note(person: Person, attribute: PersonAttribute, text: str, by: User) -> None:
    directory.set_values(person=person, values={attribute.pk: text}, by=by)


# Who sees whom --------------------------------------------------------------------------------------------------------


def test_a_member_sees_a_colleague_with_the_number_masked_and_admins_and_oneself_the_whole(
    group: Group,
    group_admin: User,
    member: User,
    organisation_admin: User,
    browser_of: Browser,
    organisation: Organisation,
) -> None:
    make_group("Not theirs", organisation=organisation, admins=[group_admin])
    told = text_of(browser_of(member).get(page_of(person_of(group_admin))))
    assert "Arjun Mehta" in told
    assert "Night Shift" in told
    assert "Not theirs" not in told
    assert display(person_of(group_admin).number) not in told
    for reader in (group_admin, organisation_admin, member):
        page = text_of(browser_of(reader).get(page_of(person_of(member))))
        assert display(person_of(member).number) in page


@pytest.mark.parametrize("who", ["stranger", "outsider", "operator", "developer"], indirect=True)
def test_a_stranger_is_told_the_same_as_of_nobody(
    group: Group, member: User, outsider: User, who: User, browser_of: Browser
) -> None:
    client, before = browser_of(who), everything()
    answers = [client.get(page_of(person_of(member))), client.get(reverse("groups:person", args=[ids.new_id()]))]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert without_ids(answers[0]) == without_ids(answers[1])
    for door in ("person_attributes", "person_remove"):
        urls = [reverse(f"groups:{door}", args=[key]) for key in (person_of(member).pk, ids.new_id())]
        answers = [client.post(url, {"typed": "Meera Nair"}, follow=True) for url in urls]
        told = 200 if who == outsider else 403
        assert [answer.status_code for answer in answers] == [told, told]
        pages = [re.sub(r"number: \w+", "", without_ids(answer)) for answer in answers]
        assert pages[0] == pages[1]
    assert everything() == before


def test_who_is_oneself_sees_what_acts_for_them_and_nobody_else_does(
    group: Group, group_admin: User, member: User, connector: Connector, browser_of: Browser
) -> None:
    let_act_for(connector, member)
    here, own = page_of(person_of(member)), browser_of(member)
    assert "Shift Planner" in text_of(own.get(here))
    assert "Shift Planner" not in text_of(browser_of(group_admin).get(here))
    assert own.get(here, {"cursor": "forged"})["Location"] == here


# What is noted --------------------------------------------------------------------------------------------------------


def test_an_admin_notes_and_colleagues_read_what_is_for_them(
    client: Client,
    group: Group,
    member: User,
    group_admin: User,
    department: PersonAttribute,
    location: PersonAttribute,
    browser_of: Browser,
) -> None:
    here = page_of(person_of(member))
    form = form_to(client.get(here), f"{here}attributes/")
    page = form.send(client, {str(department.pk): " Night  crew ", str(location.pk): "Depot North"}, follow=True)
    assert "Saved: Department, Location." in text_of(page)
    assert set(PersonAttributeValue.objects.values_list("text", flat=True)) == {"Night crew", "Depot North"}
    theirs = text_of(browser_of(group_admin).get(here))
    assert "Depot North" in theirs
    assert "Night crew" not in theirs
    listed = text_of(browser_of(group_admin).get(DIRECTORY))
    assert "Depot North" in listed
    assert "Night crew" not in listed


def test_what_somebody_else_noted_meanwhile_stays_and_what_is_too_long_comes_back(
    client: Client,
    group: Group,
    member: User,
    department: PersonAttribute,
    location: PersonAttribute,
    organisation_admin: User,
) -> None:
    here = page_of(person_of(member))
    form = form_to(client.get(here), f"{here}attributes/")
    note(person_of(member), location, "Depot South", organisation_admin)
    assert form.send(client, {str(department.pk): "x" * 201}).status_code == 400
    form.send(client, {str(department.pk): "Crew"})
    assert set(PersonAttributeValue.objects.values_list("text", flat=True)) == {"Crew", "Depot South"}


@pytest.mark.postgresql
def test_a_filter_finds_by_what_the_asker_may_read(
    client: Client,
    group: Group,
    member: User,
    newcomer: Person,
    group_admin: User,
    department: PersonAttribute,
    organisation_admin: User,
    browser_of: Browser,
) -> None:
    note(person_of(member), department, "Crew", organisation_admin)

    def found(who: Client, **query: str) -> set[str]:
        told = text_of(who.get(DIRECTORY, query)).split("Filters")[-1]
        return {name for name in ("Meera Nair", "Lakshmi Iyer") if name in told}

    by_department = {"attribute": str(department.pk), "value": "crew"}
    assert found(client, q="crew") == found(client, **by_department) == {"Meera Nair"}
    assert found(browser_of(group_admin), q="crew") == set()
    assert found(browser_of(group_admin), **by_department) == {"Meera Nair", "Lakshmi Iyer"}, "none of theirs"
    for forged in ({"attribute": "x", "value": "y"}, {"attribute": str(ids.new_id()), "value": "\0"}):
        assert found(client, **forged) == {"Meera Nair", "Lakshmi Iyer"}


def test_fifty_people_with_five_attributes_cost_no_more_queries(
    client: Client, group: Group, organisation: Organisation
) -> None:
    columns = [PersonAttribute.objects.create(organisation=organisation, name=f"A{n}") for n in range(5)]
    few = count_queries(client, DIRECTORY)
    people = Person.objects.bulk_create(Person(number=f"+9199300{n:05d}") for n in range(50))
    Membership.objects.bulk_create(Membership(group=group, person=person) for person in people)
    PersonAttributeValue.objects.bulk_create(
        PersonAttributeValue(attribute=column, person=person, text="x") for column in columns for person in people
    )
    assert count_queries(client, DIRECTORY) == few


def test_what_was_noted_of_somebody_who_is_gone_leads_to_the_directory(
    organisation_admin: User, browser_of: Browser
) -> None:
    url = reverse("groups:person_attributes", args=[make_person("Ravi Kale").pk])
    answer = browser_of(organisation_admin).post(url, {}, follow=True)
    assert answer.redirect_chain == [(reverse("groups:directory"), 302)]
    assert "This person is in none of the organisation’s groups." in text_of(answer)


# Which attributes there are -------------------------------------------------------------------------------------------


def test_attributes_are_defined_moved_renamed_and_removed(client: Client, group: Group, member: User) -> None:
    url = reverse("groups:attributes")
    for name in ("Department", "Location"):
        form_to(client.get(url), url).send(client, {"name": name})
    form_to(client.get(url), url).send(client, {"name": "department"})
    first, second = PersonAttribute.objects.all()
    client.post(reverse("groups:attribute_up", args=[second.pk]))
    assert [row.name for row in PersonAttribute.objects.all()] == ["Location", "Department"]
    here = reverse("groups:attribute", args=[first.pk])
    form_to(client.get(here), here).send(client, {"name": "Team", "for_colleagues": "on"})
    assert "Another attribute has this name." in text_of(
        form_to(client.get(here), here).send(client, {"name": "LOCATION"})
    )
    first.refresh_from_db()
    assert (first.name, first.for_colleagues) == ("Team", True)
    removing = reverse("groups:attribute_remove", args=[first.pk])
    form_to(client.get(removing), removing).send(client, {"typed": "team"})
    assert [row.name for row in PersonAttribute.objects.all()] == ["Location"]


def test_an_admin_of_another_organisation_finds_no_attribute(
    department: PersonAttribute, outsider: User, browser_of: Browser
) -> None:
    client, before = browser_of(outsider), everything()
    for door in ("attribute", "attribute_up", "attribute_remove"):
        url = reverse(f"groups:{door}", args=[department.pk])
        told = text_of(client.post(url, {"name": "Mine", "typed": "Department"}, follow=True))
        assert "This attribute was deleted." in told  # as of one that was never there
    assert "No attributes yet" in text_of(client.get(reverse("groups:attributes")))
    assert everything() == before


# Remove everywhere ----------------------------------------------------------------------------------------------------


def test_removing_somebody_shows_what_stops_asks_for_the_name_and_does_it(
    client: Client, group: Group, member: User, connector: Connector
) -> None:
    let_act_for(connector, member)
    url = reverse("groups:person_remove", args=[person_of(member).pk])
    page = client.get(url)
    told = " ".join(text_of(page).split())
    assert "groups they leave 1" in told
    assert "connectors acting for them 1" in told
    form, before = form_to(page, url), everything()
    assert form.send(client, {"typed": "Somebody else"}).status_code == 400
    assert everything() == before
    assert "Meera Nair removed from 1 group." in text_of(form.send(client, {"typed": "meera nair"}, follow=True))
    assert not Membership.objects.filter(person=person_of(member)).exists()
    assert Grant.objects.get(kind="user").revoked_at is not None
    assert AuditEvent.objects.filter(tag="organisation:person:removed").count() == 1


def test_groups_that_they_run_alone_are_named_and_nothing_is_done(
    client: Client, group: Group, group_admin: User
) -> None:
    url, before = reverse("groups:person_remove", args=[person_of(group_admin).pk]), everything()
    page = client.get(url)
    assert f'href="{reverse("groups:details", args=[group.pk])}"' in page.content.decode()
    assert f'action="{url}"' not in page.content.decode()
    assert client.post(url, {"typed": "Arjun Mehta"}).status_code == 400
    assert everything() == before


def test_from_their_page_a_person_is_taken_out_of_a_group_and_one_comes_back_to_it_or_to_the_directory(
    group: Group, group_admin: User, member: User, stranger: User, browser_of: Browser
) -> None:
    here, person = page_of(person_of(member)), person_of(member).pk
    assert "/remove/" not in browser_of(member).get(page_of(person_of(group_admin))).content.decode()
    client = browser_of(group_admin)
    seen_only = make_group("Alpha", organisation=group.organisation, admins=[stranger], members=[group_admin, member])
    html = client.get(here).content.decode()
    assert str(reverse("groups:user_remove", args=[seen_only.pk, person])) not in html
    removing = f"{reverse('groups:user_remove', args=[group.pk, person])}?from=person"
    assert f'href="{removing}"' in html
    for then in (here, reverse("groups:directory")):
        done = form_to(client.get(removing), removing).send(client, follow=True)
        assert done.redirect_chain == [(then, 302)]
        assert not Membership.objects.filter(group=group, person=person).exists()
        Membership.objects.filter(person=person).delete()
        Membership.objects.create(group=group, person_id=person)


def send_file(client: Client, text: str) -> Any:
    file = SimpleUploadedFile("people.csv", text.encode())
    return client.post(reverse("groups:people_upload"), {"file": file, "region": "IN", "idempotency_key": KEY})


def worked_off(client: Client, text: str, by: User) -> BulkJob:
    assert send_file(client, text).status_code == 302
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
    job = worked_off(client, out.replace("98765 43210", "0000 11111"), organisation_admin)
    assert (job.bad_lines, job.counts["updated"]) == (0, 1)
    assert PersonAttributeValue.objects.get(attribute=made).text == "0000 11111"
    assert send_file(client, "Telephone,Name\n1,x\n").status_code == 400
    made.delete()
    assert send_file(client, f"Mobile,Name\n{person_of(member).number},Meera N\n").status_code == 302


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
    job = worked_off(client, text, organisation_admin)
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
    again = worked_off(client, f"Phone number,Department\n{person_of(member).number},-\n", organisation_admin)
    assert again.counts == {"updated": 1}
    assert not PersonAttributeValue.objects.exists()


@pytest.mark.parametrize(
    "header", ["Phone number,Shoe size", "Name,Department", "Phone number,Department,department", ""]
)
def test_a_file_with_other_columns_is_refused(client: Client, department: PersonAttribute, header: str) -> None:
    before = everything()
    assert send_file(client, f"{header}\n+919930000001,x,y\n").status_code == 400
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
    job = worked_off(client, text, organisation_admin)
    assert set(job.counts) == {"unchanged"}
    assert PersonAttributeValue.objects.get().text == "=1+1"
