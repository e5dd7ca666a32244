"""Handoffs on pages: looking opens nothing, claiming opens once, both sides see how far it is; and the search."""

from __future__ import annotations

import datetime as dt
import html
import itertools
import re
import shlex
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from accounts.models import AuditEvent, Notice, User
from connectors.models import Connector, Handoff, HandoffState, RefreshToken
from connectors.queries import connectors as queries
from connectors.services import grants, handoffs
from connectors.tests import factories
from connectors.tests.factories import Program, let_in
from connectors.tests.html_forms import Page, count_queries, form_to, forms_of, text_of
from connectors.tests.test_claims import claim as program_claims
from connectors.views import handoffs as views_handoffs
from kaizala_console.lib import clock

pytestmark = pytest.mark.django_db
INBOX = "/console/handoffs/"
TOKEN = re.compile(r"kzrt_[0-9A-Za-z]{65}")
Browser = Callable[..., Client]


def url(handoff: Handoff, act: str = "") -> str:
    return f"{INBOX}{handoff.pk}/{act}"


def token_on(page: Page) -> str:
    found = TOKEN.findall(page.content.decode())
    assert found, text_of(page)
    return str(found[0])


def claim_form(client: Client, handoff: Handoff) -> Any:
    return form_to(client.get(url(handoff)), url(handoff, "claim/"))


def now(handoff: Handoff) -> Handoff:
    return Handoff.objects.get(pk=handoff.pk)


@pytest.fixture
def client(developer: User, browser_of: Browser) -> Client:
    return browser_of(developer)


# Looking -------------------------------------------------------------------------------------------------------------


def test_the_inbox_has_a_card_for_each_handoff_that_waits(client: Client, program: Program) -> None:
    page = client.get(INBOX)
    for told in ("Night shift", "Shift Planner", "Arjun Mehta", "Text Message", "Waiting", "Expires in"):
        assert told in text_of(page)
    assert token_on(form_to(page, url(program.handoff, "claim/")).send(client)) == program.refresh_token


def test_looking_never_opens_anything(client: Client, program: Program, everything: Callable[[], Any]) -> None:
    before = everything()
    for address in (INBOX, url(program.handoff), url(program.handoff, "refuse/"), url(program.handoff, "claim/")):
        for method in (client.get, client.head, client.options):
            page = method(address)
            assert not TOKEN.search(page.content.decode())
    assert client.get(url(program.handoff, "claim/"))["Location"] == url(program.handoff)
    assert everything() == before


@pytest.mark.parametrize("query", ["show=earlier", "q=depot"])
def test_a_forged_page_mark_leads_to_the_first_page(client: Client, query: str) -> None:
    assert client.get(f"{INBOX}?{query}&cursor=forged")["Location"] == f"{INBOX}?{query}"


@pytest.mark.postgresql
@pytest.mark.parametrize("query", ["", "?q=group"])
def test_more_handoffs_cost_no_more_queries(
    client: Client, connector: Connector, group_admin: User, query: str
) -> None:
    factories.let_in(connector, group_admin, target_name="Group")
    few = count_queries(client, INBOX + query)
    for n in range(6):
        factories.let_in(connector, group_admin, target_name=f"Group {n}")
    assert count_queries(client, INBOX + query) == few <= 12


# Claiming ------------------------------------------------------------------------------------------------------------


def test_claim_shows_the_token_once_and_wipes_what_was_sealed(client: Client, program: Program) -> None:
    form = claim_form(client, program.handoff)
    pages = [form.send(client) for _ in range(2)]  # a double click
    for page in pages:
        assert token_on(page) == program.refresh_token
        assert "no-store" in page["Cache-Control"]
    assert AuditEvent.objects.filter(tag="handoff:token:claimed").count() == 1
    claimed = now(program.handoff)
    assert (claimed.state, claimed.sealed, claimed.claimed_from) == (HandoffState.CLAIMED, None, "127.0.0.1")
    done = form_to(pages[0], url(program.handoff, "done/"))
    assert done.send(client, {"stored": "1"})["Location"] == url(program.handoff)
    assert form.send(client).status_code == 409


def pasted(page: Page, line: str, program: Program) -> tuple[str, dict[str, str], list[str]]:
    """What a shell makes of a line on the page: the path, the headers and all arguments."""
    found = re.search(rf'<code id="{line}"[^>]*>(.*?)</code>', page.content.decode(), re.DOTALL)
    assert found is not None
    shell = html.unescape(found.group(1)).replace("$CONNECTOR_SECRET", program.secret).replace("\\\n", " ")
    command, address, *rest = shlex.split(shell)
    assert command == "curl"
    headers = dict(value.split(": ", 1) for flag, value in itertools.pairwise(rest) if flag == "-H")
    return urlsplit(address).path, headers, rest


def test_the_curl_line_answers_200_when_it_is_pasted(client: Client, program: Program) -> None:
    page = claim_form(client, program.handoff).send(client)
    path, headers, _arguments = pasted(page, "try-it", program)
    assert Client().get(path, headers=headers).json()["accessToken"].startswith("kzat_")
    assert program.secret not in page.content.decode()


def test_the_line_for_the_program_claims_when_it_is_pasted(client: Client, program: Program) -> None:
    path, headers, arguments = pasted(client.get(url(program.handoff)), "claim-line", program)
    body = arguments[arguments.index("-d") + 1]
    answer = Client().post(path, body, content_type="application/x-www-form-urlencoded", headers=headers)
    assert answer.json()["refreshToken"] == program.refresh_token
    assert "claim-line" not in client.get(url(program.handoff)).content.decode()


def test_a_claim_from_another_site_opens_nothing(developer: User, program: Program) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(developer)
    assert client.post(url(program.handoff, "claim/"), {"idempotency_key": "k" * 32}).status_code == 403
    assert now(program.handoff).state is HandoffState.WAITING


@pytest.mark.parametrize(
    ("end", "says"),
    [
        ("claimed", r"Devika Rao already claimed this handoff on \d+ \w+ \d{4}, \d\d:\d\d"),
        (
            "claimed by program",
            r"The program of “Shift Planner” already claimed this handoff on .* from 198\.51\.100\.9",
        ),
        ("expired", "expired on"),
        ("revoked", "withdrawn on"),
    ],
)
def test_a_claim_that_comes_too_late_opens_nothing_and_says_why(
    program: Program, developer: User, group_admin: User, member: User, browser_of: Browser, end: str, says: str
) -> None:
    program.connector.co_owners.add(member)
    late = browser_of(member)
    form = claim_form(late, program.handoff)
    match end:
        case "claimed":
            handoffs.claim(handoff=program.handoff, by=developer, idempotency_key="k" * 32, address=None)
        case "claimed by program":
            assert program_claims(program).status_code == 200
        case "expired":
            over = clock.now() - dt.timedelta(days=1)
            Handoff.objects.update(made_at=over - dt.timedelta(days=7), expires_at=over)
        case "revoked":
            grants.revoke(grant=program.grant, by=group_admin)
    page = form.send(late)
    assert page.status_code == 409
    assert re.search(says, text_of(page))
    assert not TOKEN.search(page.content.decode())
    assert not [form for form in forms_of(page) if form.action.endswith("claim/")]
    assert (url(program.handoff, "reissue/") in page.content.decode()) is (end != "revoked")


# Refusing, and again -------------------------------------------------------------------------------------------------


def test_an_owner_refuses_once(client: Client, program: Program) -> None:
    form = form_to(client.get(url(program.handoff, "refuse/")), url(program.handoff, "refuse/"))
    for _ in range(2):
        assert form.send(client)["Location"] == url(program.handoff)
    assert now(program.handoff).state is HandoffState.REFUSED
    assert AuditEvent.objects.filter(tag="handoff:token:refused").count() == 1


def test_what_is_claimed_cannot_be_refused_and_what_waits_is_not_issued_again(client: Client, program: Program) -> None:
    assert client.get(url(program.handoff, "reissue/"))["Location"] == url(program.handoff)
    claim_form(client, program.handoff).send(client)
    for method in (client.get, client.post):
        assert method(url(program.handoff, "refuse/"))["Location"] == url(program.handoff)
    assert now(program.handoff).state is HandoffState.CLAIMED
    assert "already claimed this handoff" in text_of(client.get(url(program.handoff)))
    assert "The old token is revoked at once." in text_of(client.get(url(program.handoff, "reissue/")))


@pytest.mark.parametrize("who", ["developer", "group_admin"])
def test_either_side_has_it_issued_again_once(
    program: Program, developer: User, who: str, request: pytest.FixtureRequest, browser_of: Browser
) -> None:
    handoffs.refuse(handoff=program.handoff, by=developer)
    client = browser_of(request.getfixturevalue(who))
    form = form_to(client.get(url(program.handoff, "reissue/")), url(program.handoff, "reissue/"))
    answers = [form.send(client)["Location"] for _ in range(2)]
    again = Handoff.objects.waiting().get()
    assert answers == [url(again)] * 2
    assert again.pk != program.handoff.pk


def test_access_that_was_removed_is_not_issued_again(client: Client, program: Program, group_admin: User) -> None:
    grants.revoke(grant=program.grant, by=group_admin)
    assert client.post(url(program.handoff, "reissue/"))["Location"] == url(program.handoff)
    assert "was removed on" in text_of(client.get(url(program.handoff)))
    assert not Handoff.objects.waiting().exists()


# The line ------------------------------------------------------------------------------------------------------------


def line_of(handoff: Handoff) -> list[str]:
    return [step["state"] for step in views_handoffs.list_steps(now(handoff))]


def test_both_sides_see_the_same_line(client: Client, program: Program, group_admin: User, browser_of: Browser) -> None:
    pages = [browser.get(url(program.handoff)) for browser in (client, browser_of(group_admin))]
    lines = [re.findall(r"<ol class=\"handoff-line\".*?</ol>", page.content.decode(), re.DOTALL) for page in pages]
    assert lines[0] == lines[1] != []
    assert [any(form.action.endswith("claim/") for form in forms_of(page)) for page in pages] == [True, False]


def test_the_line_follows_from_made_to_works(client: Client, program: Program) -> None:
    Notice.objects.update(sent_at=None, next_attempt_at=clock.now())
    assert line_of(program.handoff) == ["done", "done", "now", "todo", "todo"]
    Notice.objects.update(sent_at=clock.now(), next_attempt_at=None)
    assert line_of(program.handoff) == ["done", "done", "done", "now", "todo"]
    claim_form(client, program.handoff).send(client)
    assert line_of(program.handoff) == ["done", "done", "done", "done", "now"]
    Client().get("/v1/accessToken", headers=program.headers())
    assert line_of(program.handoff) == ["done", "done", "done", "done", "done"]
    assert "127.0.0.1" in text_of(client.get(url(program.handoff)))


@pytest.mark.parametrize("ending", ["refused_at", "withdrawn_at", "expired_at", "expires_at"])
def test_the_line_says_where_it_stopped_even_before_the_worker_comes_by(program: Program, ending: str) -> None:
    at = clock.now() - dt.timedelta(days=1)
    Handoff.objects.update(
        made_at=at - dt.timedelta(days=7), **{ending: at}, sealed=b"x" if ending == "expires_at" else None
    )
    assert line_of(program.handoff)[3:] == ["failed", "todo"]


@pytest.mark.parametrize("end", ["regenerated", "expired"])
def test_a_token_that_ended_unused_never_works(client: Client, program: Program, group_admin: User, end: str) -> None:
    claim_form(client, program.handoff).send(client)
    if end == "regenerated":
        grants.regenerate(grant=program.grant, by=group_admin)
    else:
        RefreshToken.objects.update(issued_at=clock.now() - dt.timedelta(days=9), expires_at=clock.now())
    assert line_of(program.handoff)[4] == "failed"


def test_that_the_admin_had_it_shown_is_seen_by_both(
    client: Client, program: Program, group_admin: User, browser_of: Browser
) -> None:
    handoffs.reveal(handoff=program.handoff, by=group_admin, idempotency_key="k" * 32)
    for browser in (client, browser_of(group_admin)):
        assert "Arjun Mehta viewed this token once" in text_of(browser.get(url(program.handoff)))


@pytest.fixture
def canteen(developer: User, group_admin: User) -> Connector:
    """A connector that was let into two groups, beside one of another name in a third."""
    found = factories.make_connector(developer, "Canteen menus")
    for name in ("Depot Pune", "Depot Nagpur"):
        let_in(found, group_admin, target_name=name)
    let_in(factories.make_connector(developer, "Rota"), group_admin, target_name="Harbour 50%")
    return found


def found(client: Client, query: str) -> list[str]:
    """Which groups have a card."""
    text = text_of(client.get(INBOX + query))
    return [name for name in ("Depot Pune", "Depot Nagpur", "Harbour 50%") if name in text]


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("pune", ["Depot Pune"]),
        ("depot", ["Depot Pune", "Depot Nagpur"]),
        ("CANTEEN", ["Depot Pune", "Depot Nagpur"]),
        ("ota", ["Harbour 50%"]),
        ("0%25", ["Harbour 50%"]),
        ("x", []),
        ("%25%25", []),
        ("%00pune", ["Depot Pune"]),
    ],
)
def test_a_part_of_the_name_finds_handoffs(client: Client, canteen: Connector, words: str, names: list[str]) -> None:
    assert found(client, f"?q={words}") == names


def test_the_search_is_kept_between_the_lists(client: Client, developer: User, canteen: Connector) -> None:
    handoffs.refuse(handoff=Handoff.objects.get(grant__target_name="Depot Pune"), by=developer)
    assert found(client, "?q=depot") == ["Depot Nagpur"]
    assert found(client, "?q=depot&show=earlier") == found(client, "?show=earlier") == ["Depot Pune"]
    page = client.get(f"{INBOX}?q=depot&show=earlier").content.decode()
    for link in (f'href="{INBOX}?q=depot"', f'href="{INBOX}?show=earlier"', 'name="show" value="earlier"'):
        assert link in page


def test_who_owns_no_such_connector_finds_nothing(
    canteen: Connector, developer: User, stranger: User, group_admin: User, browser_of: Browser
) -> None:
    Connector.objects.filter(name="Rota").update(deleted_at=canteen.created_at)
    for user, words in ((stranger, "depot"), (group_admin, "canteen"), (developer, "rota")):
        assert "No matches" in text_of(browser_of(user).get(f"{INBOX}?q={words}"))


@pytest.mark.postgresql
@pytest.mark.parametrize("search", ["", "depot"])
def test_pages_go_both_ways_in_the_order_of_the_inbox(
    developer: User, group_admin: User, stranger: User, travel: Callable[..., Any], search: str
) -> None:
    own = [factories.make_connector(developer, name) for name in ("Depot helper", "Rota", "Menus")]
    others = factories.make_connector(stranger, "Depot of somebody else")
    made: list[Handoff] = []
    for number in range(12):
        travel(seconds=number % 2)  # some at the same moment
        connector, depot = own[number % 3], number % 4 < 2
        handoff = let_in(connector, group_admin, target_name="A depot" if depot else "A harbour").handoff
        if not search or depot or connector is own[0]:
            made.append(handoff)
        let_in(others, group_admin, target_name="A depot")
    newest_first = [row.pk for row in sorted(made, key=lambda row: (row.made_at, row.pk), reverse=True)]
    page = queries.get_handoff_page(developer, search=search, size=2)
    there = [row.pk for row in page.items]
    while page.next_cursor is not None:
        page = queries.get_handoff_page(developer, search=search, cursor=page.next_cursor, size=2)
        there += [row.pk for row in page.items]
    assert there == newest_first
    back = [row.pk for row in page.items]
    while page.previous_cursor is not None:
        page = queries.get_handoff_page(developer, search=search, cursor=page.previous_cursor, size=2)
        back = [row.pk for row in page.items] + back
    assert back == newest_first


def test_the_next_page_on_the_screen_keeps_the_search(client: Client, canteen: Connector, group_admin: User) -> None:
    for number in range(queries.PAGE_SIZE):
        let_in(canteen, group_admin, target_name=f"Quay {number}")
    assert "cursor=" not in client.get(f"{INBOX}?q=quay").content.decode()
    let_in(canteen, group_admin, target_name="Quay of today")
    assert f'href="{INBOX}?q=quay&amp;cursor=' in client.get(f"{INBOX}?q=quay").content.decode()
