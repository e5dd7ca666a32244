"""What an organisation calls a person is its own: who uploads a number learns nothing of what others call it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Person, User
from connectors.models import Connector, WebhookEvent
from connectors.permissions import PERMISSIONS
from connectors.tests.webhook_cast import make_webhook
from groups.models import Group, Membership
from groups.tests.bulk import done, uploaded
from groups.tests.conftest import Wire
from groups.tests.factories import Program, let_act_by_pin, let_in, make_connector, make_group, person_of

pytestmark = pytest.mark.django_db
HEADER = "Phone number,Name,Role,Action\n"
NUMBER = "+919876543210"
Browser = Callable[..., Client]


@pytest.fixture
def asha(group: Group, group_admin: User) -> Person:
    """Whom the cast's organisation calls Asha Rao, by a file of its own."""
    done(uploaded(group, group_admin, HEADER + f"{NUMBER},Asha Rao,,\n"))
    return Person.objects.get(number=NUMBER)


@pytest.fixture
def theirs(outsider: User) -> Group:
    """A group of another organisation, with a page that asks for nobody's name."""
    return make_group("Theirs", organisation=outsider.organisation, admins=[outsider])


def upload(group: Group, by: User, *lines: str) -> None:
    assert done(uploaded(group, by, HEADER + "".join(f"{line}\n" for line in lines))).state == "done"


def pages_of(group: Group, person: Person) -> list[str]:
    """Where somebody who administers a group sees who is in it."""
    one, search = [group.pk], f"?q={NUMBER[-6:]}"
    users = reverse("groups:details", args=one)
    return [
        *(users, f"{users}?sort=name", users + search, f"{users}?q=asha"),
        reverse("groups:user_remove", args=[group.pk, person.pk]),
        f"{reverse('groups:users_several', args=one)}?person={person.pk}&act=remove",
        reverse("groups:person", args=[person.pk]),
        *(reverse("groups:directory"), reverse("groups:directory") + search),
        *(reverse("search") + search, reverse("search") + "?q=asha"),
        reverse("activity"),
    ]


def seen(browser: Client, group: Group, person: Person) -> str:
    """All of these pages, and the files that go out."""
    answers: list[Any] = [browser.get(page) for page in pages_of(group, person)]
    answers += [
        browser.post(reverse("groups:bulk_export", args=[group.pk])),
        browser.post(reverse("groups:people_export")),
    ]
    assert {answer.status_code for answer in answers} == {200}
    return "".join(b"".join(answer).decode() for answer in answers)


def told(wire: Wire, program: Program, group: Group) -> str:
    """What a program learns of who is in the group."""
    paths = [f"/v1/groups/{group.pk}/members", "/v1/users/me"]
    answers = [wire.get(path, program) for path in paths]
    assert {answer.status_code for answer in answers} == {200}
    return "".join(answer.content.decode() for answer in answers)


def test_a_strangers_upload_learns_no_name_until_its_own_file_gives_one(
    wire: Wire, asha: Person, group: Group, theirs: Group, group_admin: User, outsider: User, browser_of: Browser
) -> None:
    program = let_in(make_connector(outsider, name="Foreign", permissions=PERMISSIONS), theirs, outsider)
    make_webhook(program.grant, "https://hooks.example/hook", theirs.pk)
    browser = browser_of(outsider)
    upload(theirs, outsider, NUMBER)
    shown = seen(browser, theirs, asha) + told(wire, program, theirs)
    assert "Asha" not in shown.replace("?q=asha", "")
    assert "98765 43210" in shown
    upload(theirs, outsider, f"{NUMBER},A. from Contoso,,")
    assert "A. from Contoso" in seen(browser, theirs, asha)
    assert "A. from Contoso" in told(wire, program, theirs)
    upload(theirs, outsider, f"{NUMBER},,,remove")
    assert {event.data["memberName"] for event in WebhookEvent.objects.all()} == {"", "A. from Contoso"}
    ours = seen(browser_of(group_admin), group, asha) if group_admin.is_organisation_admin else ""
    assert "A. from Contoso" not in ours


@pytest.mark.postgresql
def test_each_organisation_keeps_its_name(
    wire: Wire,
    program: Program,
    asha: Person,
    group: Group,
    theirs: Group,
    outsider: User,
    organisation_admin: User,
    browser_of: Browser,
) -> None:
    upload(theirs, outsider, f"{NUMBER},A. from Contoso,,")
    Membership.objects.create(group=group, person=person_of(organisation_admin), role="Admin")
    shown = seen(browser_of(organisation_admin), group, asha) + told(wire, program, group)
    assert "Asha Rao" in shown
    assert "A. from Contoso" not in shown
    upload(group, organisation_admin, f"{NUMBER},Asha R. Rao,,")
    assert "Asha R. Rao" in told(wire, program, group)
    assert "A. from Contoso" in seen(browser_of(outsider), theirs, asha)


def test_the_name_of_an_account_stays_in_its_organisation(
    member: User, theirs: Group, outsider: User, browser_of: Browser
) -> None:
    person = person_of(member)
    upload(theirs, outsider, person.number)
    page = browser_of(outsider).get(reverse("groups:details", args=[theirs.pk])).content.decode()
    assert member.name not in page


def test_a_private_group_shows_each_asker_the_names_of_their_own_organisation(
    asha: Person, group_admin: User, outsider: User, browser_of: Browser
) -> None:
    private = make_group("Cricket", admins=[group_admin, outsider], members=[asha])
    address = reverse("groups:details", args=[private.pk])
    assert "Asha Rao" in browser_of(group_admin).get(address).content.decode()
    shown = browser_of(outsider).get(address).content.decode()
    assert "Asha" not in shown
    assert group_admin.name not in shown


def test_what_a_person_calls_themselves_by_a_program_holds_in_its_organisation(
    wire: Wire, connector: Connector, asha: Person, group: Group, theirs: Group, outsider: User, browser_of: Browser
) -> None:
    upload(theirs, outsider, NUMBER)
    program = let_act_by_pin(make_connector(outsider, name="Foreign", permissions=PERMISSIONS), asha)
    assert wire.get("/v1/users/me", program).json()["name"] == ""
    assert wire.put("/v1/users/me", '{"name": "Asha of Fabrikam"}', program).json()["name"] == "Asha of Fabrikam"
    own = let_act_by_pin(connector, asha)
    assert wire.get("/v1/users/me", own).json()["name"] == "Asha Rao"
    address = reverse("groups:details", args=[theirs.pk])
    assert "Asha of Fabrikam" in browser_of(outsider).get(address).content.decode()


def test_an_answer_and_its_event_name_by_the_groups_organisation(
    wire: Wire, asha: Person, theirs: Group, outsider: User, browser_of: Browser
) -> None:
    upload(theirs, outsider, NUMBER)
    connector = make_connector(outsider, name="Foreign", permissions=PERMISSIONS)
    program = let_in(connector, theirs, outsider)
    make_webhook(program.grant, "https://hooks.example/hook", theirs.pk)
    act = let_act_by_pin(connector, asha)
    sent = wire.post(f"/v1/groups/{theirs.pk}/messages", '{"message": "On my way"}', act)
    assert sent.status_code == 200
    assert {event.sender["fromUserName"] for event in WebhookEvent.objects.all()} == {""}
    page = browser_of(outsider).get(reverse("groups:messages", args=[theirs.pk]))
    assert "On my way" in page.content.decode()
    assert "Asha" not in page.content.decode()
