"""People: how they are found, the same on both databases, and that what an organisation calls somebody is its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.models import Organisation, Person, PersonName, User
from accounts.tests.factories import make_person
from connectors.models import Connector, WebhookEvent
from connectors.permissions import PERMISSIONS
from connectors.tests.webhook_cast import make_webhook
from groups.models import Group, Membership, PersonAttribute, PersonAttributeValue
from groups.queries import directory, groups
from groups.tests.bulk import done, uploaded
from groups.tests.conftest import Browser
from groups.tests.factories import Program, let_act_by_pin, let_in, make_connector, make_group, person_of
from kaizala_console.lib.pagination import Page

pytestmark = pytest.mark.django_db


@pytest.fixture
def lakshmi(group: Group) -> Person:
    people = [
        make_person("Imran Sheikh", "+919822200044"),
        make_person("Ann “O'Brien” 100%_x", "+442079460000"),
        make_person("Lakshmi Iyer", "+919820000017"),
    ]
    Membership.objects.bulk_create(Membership(group=group, person=person) for person in people)
    return people[-1]


def found(user: User, words: str) -> set[str]:
    return {person.name for person in directory.list_people(user, search=words).items}


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "words",
    [
        *("Lakshmi Iyer", "lak", "SHMI", "i iy", "ye", "L", " iyer ", "iyer lak", "Iyer  LAKSHMI", "iyer\0"),
        *("+919820000017", "98200 00017", "0000017", "2000001", "98200-00017", "(98200) 00017", "098200 00017"),
        *("0091 98200.00017", "९८२०००००१७"),
    ],
)
def test_words_of_a_name_or_a_part_of_a_number_find(
    lakshmi: Person, group: Group, group_admin: User, words: str
) -> None:
    for names in (
        found(group_admin, words),
        {row.person.name for row in groups.member_page(group, search=words).items},
    ):
        assert lakshmi.name in names
        assert "Imran Sheikh" not in names


@pytest.mark.postgresql
@pytest.mark.parametrize("words", ["o'brien", "“O'B", "100%", "_x", "+4420", "%"])
def test_signs_mean_themselves(lakshmi: Person, group_admin: User, words: str) -> None:
    assert found(group_admin, words) == {"Ann “O'Brien” 100%_x"}


@pytest.mark.postgresql
@pytest.mark.parametrize("words", ["nobody", "iyer nobody", '"', '""" OR name : "iye', "Iye*", "x" * 400, "1 2 3 4"])
def test_what_is_in_no_name_finds_nobody(lakshmi: Person, group_admin: User, words: str) -> None:
    assert found(group_admin, words) == set()


@pytest.mark.postgresql
def test_letters_of_any_script_are_found(group: Group, group_admin: User) -> None:
    for name in ("लक्ष्मी अय्यर", "İlknur Ärger"):
        Membership.objects.create(group=group, person=make_person(name))
    assert found(group_admin, "क्ष्म") == found(group_admin, "अय्यर") == {"लक्ष्मी अय्यर"}
    assert found(group_admin, "lknur") == {"İlknur Ärger"}


# Pages ----------------------------------------------------------------------------------------------------------------


def leafed(page_of: Callable[..., Page[Any]]) -> tuple[list[str], list[str]]:
    """The names on all pages on to the last, and back from there."""

    def names(page: Page[Any]) -> list[str]:
        return [getattr(row, "person", row).name for row in page.items]

    page = page_of(size=2)
    there = names(page)
    while page.next_cursor:
        page = page_of(size=2, cursor=page.next_cursor)
        there += names(page)
    back = names(page)
    while page.previous_cursor:
        page = page_of(size=2, cursor=page.previous_cursor)
        back = names(page) + back
    return there, back


@pytest.mark.postgresql
@pytest.mark.parametrize("search", ["", "umar"])
def test_the_directory_is_leafed_through_each_once_by_name(group: Group, group_admin: User, search: str) -> None:
    for number in (3, 1, 4, 1, 5):
        Membership.objects.create(group=group, person=make_person(f"Kumar {number}"))
    others = [] if search else ["Lakshmi Iyer", "Meera Nair"]
    names = ["Kumar 1", "Kumar 1", "Kumar 3", "Kumar 4", "Kumar 5", *others]
    if not search:
        names = ["Arjun Mehta", *names]
    assert leafed(lambda **at: directory.list_people(group_admin, search=search, **at)) == (names, names)


@pytest.mark.postgresql
def test_the_directory_is_narrowed_to_whom_an_attribute_says_something(
    group: Group, group_admin: User, organisation: Organisation
) -> None:
    team = PersonAttribute.objects.create(organisation=organisation, name="Team", for_colleagues=True)
    for number, text in enumerate(["Stores", "Depot", "stores", "Stores", "Store"]):
        person = make_person(f"Kumar {9 - number}")
        Membership.objects.create(group=group, person=person)
        PersonAttributeValue.objects.create(attribute=team, person=person, text=text)
    unseen = make_person("Kumar 0")
    PersonAttributeValue.objects.create(attribute=team, person=unseen, text="Stores")
    for search in ("", "umar"):
        names = ["Kumar 6", "Kumar 7", "Kumar 9"]
        pages = leafed(
            lambda search=search, **at: directory.list_people(
                group_admin, search=search, attribute=team, value="Stores", **at
            )
        )
        assert pages == (names, names)


@pytest.mark.postgresql
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no trigrams: it looks at each row")
def test_the_indexes_serve_the_search(lakshmi: Person) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "person_name_trigrams" in PersonName.objects.filter(name__icontains="Iyer").order_by().explain()
    assert "person_number_parts" in Person.objects.filter(number__icontains="22200").order_by().explain()
    numbers = [f"+9198555{number:05}" for number in range(500)]
    assert "person_number_parts" not in Person.objects.filter(number__in=numbers).order_by().explain()


HEADER = "Phone number,Name,Role,Action\n"

NUMBER = "+919876543210"


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


def told(program: Program, group: Group) -> str:
    """What a program learns of who is in the group."""
    paths = [f"/v1/groups/{group.pk}/members", "/v1/users/me"]
    answers = [program.get(path) for path in paths]
    assert {answer.status_code for answer in answers} == {200}
    return "".join(answer.content.decode() for answer in answers)


def test_a_strangers_upload_learns_no_name_until_its_own_file_gives_one(
    asha: Person, group: Group, theirs: Group, group_admin: User, outsider: User, browser_of: Browser
) -> None:
    program = let_in(make_connector(outsider, name="Foreign", permissions=PERMISSIONS), theirs, outsider)
    make_webhook(program.grant, "https://hooks.example/hook", theirs.pk)
    browser = browser_of(outsider)
    upload(theirs, outsider, NUMBER)
    shown = seen(browser, theirs, asha) + told(program, theirs)
    assert "Asha" not in shown.replace("?q=asha", "")
    assert "98765 43210" in shown
    upload(theirs, outsider, f"{NUMBER},A. from Contoso,,")
    assert "A. from Contoso" in seen(browser, theirs, asha)
    assert "A. from Contoso" in told(program, theirs)
    upload(theirs, outsider, f"{NUMBER},,,remove")
    assert {event.data["memberName"] for event in WebhookEvent.objects.all()} == {"", "A. from Contoso"}


@pytest.mark.postgresql
def test_each_organisation_keeps_its_name(
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
    shown = seen(browser_of(organisation_admin), group, asha) + told(program, group)
    assert "Asha Rao" in shown
    assert "A. from Contoso" not in shown
    upload(group, organisation_admin, f"{NUMBER},Asha R. Rao,,")
    assert "Asha R. Rao" in told(program, group)
    assert "A. from Contoso" in seen(browser_of(outsider), theirs, asha)


def test_a_private_group_shows_each_asker_the_names_of_their_own_organisation(
    asha: Person, group_admin: User, member: User, outsider: User, browser_of: Browser
) -> None:
    private = make_group("Cricket", admins=[group_admin, outsider], members=[asha, member])
    address = reverse("groups:details", args=[private.pk])
    ours, theirs = (browser_of(user).get(address).content.decode() for user in (group_admin, outsider))
    for name in ("Asha Rao", member.name, group_admin.name):
        assert name in ours
        assert name not in theirs


def test_what_a_person_calls_themselves_by_a_program_holds_in_its_organisation(
    connector: Connector, asha: Person, group: Group, theirs: Group, outsider: User, browser_of: Browser
) -> None:
    upload(theirs, outsider, NUMBER)
    program = let_act_by_pin(make_connector(outsider, name="Foreign", permissions=PERMISSIONS), asha)
    assert program.get("/v1/users/me").json()["name"] == ""
    assert program.put("/v1/users/me", '{"name": "Asha of Fabrikam"}').json()["name"] == "Asha of Fabrikam"
    own = let_act_by_pin(connector, asha)
    assert own.get("/v1/users/me").json()["name"] == "Asha Rao"
    address = reverse("groups:details", args=[theirs.pk])
    assert "Asha of Fabrikam" in browser_of(outsider).get(address).content.decode()


def test_an_answer_and_its_event_name_by_the_groups_organisation(
    asha: Person, theirs: Group, outsider: User, browser_of: Browser
) -> None:
    upload(theirs, outsider, NUMBER)
    connector = make_connector(outsider, name="Foreign", permissions=PERMISSIONS)
    program = let_in(connector, theirs, outsider)
    make_webhook(program.grant, "https://hooks.example/hook", theirs.pk)
    act = let_act_by_pin(connector, asha)
    sent = act.post(f"/v1/groups/{theirs.pk}/messages", '{"message": "On my way"}')
    assert sent.status_code == 200
    assert {event.sender["fromUserName"] for event in WebhookEvent.objects.all()} == {""}
    page = browser_of(outsider).get(reverse("groups:messages", args=[theirs.pk]))
    assert "On my way" in page.content.decode()
    assert "Asha" not in page.content.decode()
