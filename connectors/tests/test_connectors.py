"""Connectors: registered, changed and ended; their list, and the pages of one for its organisation and its owners."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent, User
from connectors.models import Connector, ConnectorSecret, Grant, Handoff, OneTimeSecret, RefreshToken
from connectors.queries import connectors as queries
from connectors.services import connectors, grants, handoffs, one_time_secrets
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.html_forms import HtmlForm, Page, count_queries, form_to, text_of
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound, RuleBroken

pytestmark = pytest.mark.django_db
Everything = Callable[[], Any]
FIELDS: dict[str, Any] = {
    "name": "Shift Planner",
    "description": "Posts the roster.",
    "home_page": "https://contoso.example/planner",
    "redirect_urls": ["https://contoso.example/callback"],
    "permissions": ["textmessage", "groupinfo"],
}
LIST = "/console/connectors/"
Cast = dict[str, Connector]
Browser = Callable[..., Client]


def create(owner: User, **other: Any) -> tuple[Connector, str]:
    return connectors.create(owner=owner, by=owner, **{**FIELDS, **other})


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("name", "", "name_missing"),
        ("name", " \t\n ", "name_missing"),
        ("name", "\0", "name_missing"),
        ("name", "N" * 81, "name_too_long"),
        ("description", "D" * 501, "description_too_long"),
        ("home_page", "contoso", "home_page"),
        ("home_page", "javascript:alert(1)", "home_page"),
        ("home_page", "https://contoso.example/" + "a" * 200, "home_page"),
        ("redirect_urls", ["http://contoso.example/callback"], "redirect_url"),
        ("redirect_urls", ["https://contoso.example/callback#part"], "redirect_url"),
        ("redirect_urls", ["https://user:word@contoso.example/"], "redirect_url"),
        ("redirect_urls", ["myapp:callback"], "redirect_url"),
        ("redirect_urls", ["https://[contoso/"], "redirect_url"),
        ("redirect_urls", [f"https://contoso.example/{n}" for n in range(11)], "redirect_urls"),
        ("permissions", [], "permission_missing"),
        ("permissions", ["everything"], "permission_unknown"),
    ],
)
def test_what_cannot_be_is_refused(developer: User, everything: Everything, field: str, value: Any, code: str) -> None:
    before = everything()
    with pytest.raises(RuleBroken) as caught:
        create(developer, **{field: value})
    assert (caught.value.field, caught.value.code) == (field, code)
    assert everything() == before


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/callback", "http://127.0.0.1/cb", "http://[::1]:5000/", "https://localhost/x"]
)
def test_a_redirect_to_the_developers_own_machine_may_be_plain_http(developer: User, url: str) -> None:
    assert create(developer, redirect_urls=[url, url, " "])[0].redirect_urls == [url]


def test_a_name_is_tidied_and_cannot_turn_the_text_around_it(developer: User) -> None:
    assert create(developer, name="  Shift\u202e\n Planner\t")[0].name == "Shift Planner"


def test_nobody_creates_a_connector_for_somebody_else_or_with_an_account_that_is_off(
    developer: User, stranger: User
) -> None:
    with pytest.raises(NotAllowed):
        connectors.create(owner=developer, by=stranger, **FIELDS)
    developer.is_active = False
    with pytest.raises(NotAllowed):
        create(developer)
    assert not Connector.objects.exists()


@pytest.mark.parametrize(("key", "code"), [("short", "idempotency_key"), ("k" * 32, "form_used")])
def test_a_form_key_that_is_none_or_of_something_else_creates_nothing(developer: User, key: str, code: str) -> None:
    one_time_secrets.remember(user=developer, idempotency_key="k" * 32, subject=Handoff(), token="t")
    with pytest.raises((RuleBroken, Conflict)) as caught:
        create(developer, name="Another", idempotency_key=key)
    assert caught.value.code == code
    assert not Connector.objects.exists()


# Its three ends --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "back", "state", "back_tag"),
    [
        (connectors.deactivate, connectors.reactivate, "deactivated", "reactivated"),
        (connectors.suspend, connectors.resume, "suspended", "resumed"),
    ],
)
def test_a_connector_goes_there_and_back(
    connector: Connector, developer: User, there: Any, back: Any, state: str, back_tag: str
) -> None:
    with pytest.raises(Conflict):
        back(connector=connector, by=developer)
    assert there(connector=connector, by=developer).state == state
    with pytest.raises(Conflict):
        there(connector=connector, by=developer)
    assert back(connector=connector, by=developer).state == "live"
    tags = AuditEvent.objects.order_by("id").values_list("tag", flat=True)
    assert list(tags) == [f"connector:account:{state}", f"connector:account:{back_tag}"]


def test_deleting_ends_everything_for_good_and_leaves_other_connectors_alone(
    program: Program, developer: User, group_admin: User
) -> None:
    other = factories.make_program(factories.make_connector(developer), group_admin)
    one_time_secrets.remember(
        user=developer, idempotency_key="k" * 32, subject=program.handoff, token=program.refresh_token
    )
    assert connectors.delete(connector=program.connector, by=developer).state == "deleted"
    assert Grant.objects.present().get() == other.grant
    assert RefreshToken.objects.get(revoked_at__isnull=True).grant == other.grant
    assert ConnectorSecret.objects.get(revoked_at__isnull=True).connector == other.connector
    assert not OneTimeSecret.objects.exists()
    handoff = Handoff.objects.get(pk=program.handoff.pk)
    assert (handoff.state, handoff.sealed) == ("withdrawn", None)
    assert Handoff.objects.waiting().get() == other.handoff


def test_what_is_deleted_is_not_there(connector: Connector, developer: User) -> None:
    connectors.delete(connector=connector, by=developer)
    for act in (connectors.delete, connectors.suspend, connectors.reactivate, connectors.update):
        with pytest.raises(NotFound):
            act(connector=connector, by=developer)


# The list --------------------------------------------------------------------------------------------------------


def names_on(page: Page) -> list[str]:
    return re.findall(r'<th scope="row"[^>]*>(?:<(?!a )[^>]*>|[^<])*<a [^>]*>([^<]+)</a>', page.content.decode())


@pytest.fixture
def cast(developer: User, stranger: User, outsider: User) -> Cast:
    return {
        "mine": factories.make_connector(developer, "Alpha"),
        "also mine": factories.make_connector(developer, "Zulu"),
        "a colleague's": factories.make_connector(stranger, "Mike"),
        "another organisation's": factories.make_connector(outsider, "Foreign"),
    }


def test_the_list_shows_ones_own_or_all_of_the_organisation(
    cast: Cast, developer: User, member: User, outsider: User, browser_of: Browser
) -> None:
    assert names_on(browser_of(developer).get(LIST)) == ["Alpha", "Zulu"]
    connectors.delete(connector=cast["also mine"], by=developer)
    assert names_on(browser_of(developer).get(LIST)) == ["Alpha"]
    assert names_on(browser_of(member).get(LIST, {"show": "all"})) == ["Alpha", "Mike"]
    assert names_on(browser_of(outsider).get(LIST, {"show": "all"})) == ["Foreign"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"q": "ALP"}, ["Alpha"]),
        ({"state": "suspended", "q": "a"}, ["Alpha"]),
        ({"state": "deleted"}, ["Alpha", "Zulu"]),  # what cannot be understood is left out
        ({"sort": "secret"}, ["Alpha", "Zulu"]),
        ({"show": "every"}, ["Alpha", "Zulu"]),
        ({"sort": "used", "show": "all"}, ["Alpha", "Mike", "Zulu"]),
    ],
)
def test_the_list_is_narrowed_by_its_address(
    owner: Client, cast: Cast, developer: User, query: dict[str, str], names: list[str]
) -> None:
    connectors.suspend(connector=cast["mine"], by=developer)
    assert names_on(owner.get(LIST, query)) == names


def test_an_organisation_admin_without_one_sees_all_until_they_have_their_own(
    cast: Cast, organisation_admin: User, browser_of: Browser
) -> None:
    browser = browser_of(organisation_admin)
    page = browser.get(LIST)
    assert names_on(page) == names_on(browser.get(LIST, {"show": "all"})) != []
    assert "No connectors yet" in text_of(browser.get(LIST, {"show": "mine"}))
    cast["a colleague's"].co_owners.add(organisation_admin)
    assert names_on(browser.get(LIST)) == ["Mike"]


def test_the_list_sorts_by_what_is_asked_for(owner: Client, developer: User, group_admin: User) -> None:
    factories.make_connector(developer, "Idle", created_at=clock.now())
    used = factories.make_program(factories.make_connector(developer, "Used"), group_admin)
    factories.used(used.grant)
    for sort in ("", "oldest"):
        assert names_on(owner.get(LIST, {"sort": sort})) == ["Idle", "Used"]
    for sort in ("newest", "used", "ends"):
        assert names_on(owner.get(LIST, {"sort": sort})) == ["Used", "Idle"]


def test_last_use_and_end_are_for_owners(developer: User, member: User, group_admin: User, browser_of: Browser) -> None:
    program = factories.make_program(factories.make_connector(developer, "Alpha"), group_admin)
    factories.used(program.grant)
    own = browser_of(developer).get(LIST)
    others = browser_of(member).get(LIST, {"show": "all"})
    assert "Ends" in text_of(own)
    assert "owners only" not in text_of(own)
    assert "Ends" not in text_of(others)
    assert text_of(others).count("owners only") == 2
    assert re.search(r'class="num"[^>]*>1</td>', others.content.decode())


def test_pages_go_on_by_key_in_both_directions(owner: Client, developer: User) -> None:
    for n in range(queries.PAGE_SIZE + 3):
        factories.make_connector(developer, f"Bot {n:03}")
    first = owner.get(LIST)
    assert len(names_on(first)) == queries.PAGE_SIZE
    older = re.search(r'rel="next" href="([^"]+)"', first.content.decode())
    assert older is not None
    second = owner.get(older.group(1))
    assert names_on(second) == [f"Bot {n:03}" for n in range(queries.PAGE_SIZE, queries.PAGE_SIZE + 3)]
    newer = re.search(r'rel="prev" href="([^"]+)"', second.content.decode())
    assert newer is not None
    assert names_on(owner.get(newer.group(1))) == names_on(first)


# The pages of one -------------------------------------------------------------------------------------------------


def url(connector: Connector, tab: str = "") -> str:
    return f"/console/connectors/{connector.pk}/{tab}"


def test_a_colleague_sees_nothing_of_its_credentials(program: Program, member: User, browser_of: Browser) -> None:
    text = text_of(browser_of(member).get(url(program.connector)))
    for told in ("Post messages", "Send media", "Devika Rao"):
        assert told in text
    for hidden in ("Credentials", "Last used", "Suspend", "Night shift"):
        assert hidden not in text


def test_a_co_owner_is_an_owner(program: Program, member: User, browser_of: Browser) -> None:
    program.connector.co_owners.add(member)
    client = browser_of(member)
    for tab in ("", "credentials/", "groups/", "activity/", "change/"):
        assert client.get(url(program.connector, tab)).status_code == 200
    assert "Co-owners" in text_of(client.get(url(program.connector)))


@pytest.fixture
def change_form(connector: Connector, developer: User, browser_of: Browser) -> HtmlForm:
    return form_to(browser_of(developer).get(url(connector, "change/")), url(connector, "change/"))


def test_an_owner_and_a_co_owner_change_what_it_says_about_itself(
    connector: Connector, owner: Client, member: User, browser_of: Browser, change_form: HtmlForm
) -> None:
    connector.co_owners.add(member)
    assert change_form.fields["name"] == ["Shift Planner"]
    new = {"name": "Roster", "redirect_urls": "https://a.example/x"}
    for browser in (owner, browser_of(member)):  # the second time nothing changes
        assert change_form.send(browser, new)["Location"] == url(connector)
    change_form.send(browser_of(member), {**new, "description": "Plans shifts.", "home_page": "https://a.example"})
    connector.refresh_from_db()
    says = (connector.name, connector.redirect_urls, connector.description, connector.home_page)
    assert says == ("Roster", ["https://a.example/x"], "Plans shifts.", "https://a.example")
    assert list(AuditEvent.objects.values_list("before", "after").order_by("id")) == [
        (
            {"name": "Shift Planner", "redirect_urls": []},
            {"name": "Roster", "redirect_urls": ["https://a.example/x"]},
        ),
        ({"description": "", "home_page": ""}, {"description": "Plans shifts.", "home_page": "https://a.example"}),
    ]


def test_a_co_owner_is_told_when_the_owner_has_that_name_already(
    connector: Connector, developer: User, member: User, browser_of: Browser, change_form: HtmlForm
) -> None:
    factories.make_connector(developer, "Other")
    connector.co_owners.add(member)
    client = browser_of(member)
    assert "You already have a connector named" in text_of(change_form.send(client, {"name": "OTHER"}))
    assert change_form.send(client, {"name": "shift planner"}).status_code == 302, "its own name is not taken"


@pytest.mark.parametrize(("field", "value"), [("name", ""), ("home_page", "ftp://x")])
def test_bad_input_is_told_beside_its_field(
    owner: Client, connector: Connector, change_form: HtmlForm, field: str, value: str
) -> None:
    assert f"id_{field}_error" in change_form.send(owner, {field: value}).content.decode()
    connector.refresh_from_db()
    assert connector.name == "Shift Planner"


def test_the_groups_tab_shows_access_that_lives_or_has_ended_and_finds_it_by_name(
    owner: Client, program: Program, group_admin: User
) -> None:
    def shown(query: str = "") -> list[str]:
        text = text_of(owner.get(url(program.connector, f"groups/{query}")))
        return [name for name in ("Night shift", "Pune depot", "Goa harbour") if name in text]

    for name in ("Pune depot", "Goa harbour"):
        factories.let_in(program.connector, group_admin, target_name=name)
    page = owner.get(url(program.connector, "groups/")).content.decode()
    assert f"/console/handoffs/{program.handoff.pk}/" in page
    grants.revoke(grant=program.grant, by=group_admin)
    assert shown() == ["Pune depot", "Goa harbour"]
    assert shown("?show=ended") == ["Night shift"]
    assert shown("?q=GOA") == ["Goa harbour"]
    assert shown("?q=zzz") == []


def test_the_activity_tab_tells_its_own_newest_first(owner: Client, program: Program, developer: User) -> None:
    handoffs.refuse(handoff=program.handoff, by=developer)
    text = text_of(owner.get(url(program.connector, "activity/")))
    assert text.index("Devika Rao refused") < text.index("Arjun Mehta added")
    other = factories.make_connector(developer, "Other")
    assert "Arjun Mehta added" not in text_of(owner.get(url(other, "activity/")))


@pytest.mark.parametrize("path", ["", "credentials/", "groups/", "activity/", "?", "?show=all", "?sort=ends"])
def test_more_connectors_and_groups_cost_no_more_queries(
    owner: Client, connector: Connector, group_admin: User, developer: User, path: str
) -> None:
    factories.make_program(connector, group_admin)
    page = LIST + path if path.startswith("?") else url(connector, path)
    few = count_queries(owner, page)
    for n in range(6):
        factories.let_in(connector, group_admin, target_name=f"Group {n}")
        factories.make_program(factories.make_connector(developer), group_admin)
    assert count_queries(owner, page) == few <= 14


def test_an_address_of_odd_letters_writes_to_itself_and_to_nobody_else(
    program: Program, developer: User, member: User, browser_of: Browser
) -> None:
    User.objects.filter(pk=developer.pk).update(email="d&r+x?bcc=all@contoso.example")
    page = browser_of(member).get(url(program.connector)).content.decode()
    assert 'href="mailto:d%26r%2Bx%3Fbcc%3Dall@contoso.example"' in page
