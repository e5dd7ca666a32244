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
from connectors.queries import handoffs as handoff_queries
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


# Looking -------------------------------------------------------------------------------------------------------------


def test_looking_never_opens_anything(owner: Client, program: Program, everything: Callable[[], Any]) -> None:
    before = everything()
    for address in (INBOX, url(program.handoff), url(program.handoff, "refuse/"), url(program.handoff, "claim/")):
        for method in (owner.get, owner.head, owner.options):
            assert not TOKEN.search(method(address).content.decode())
    assert owner.get(url(program.handoff, "claim/"))["Location"] == url(program.handoff)
    assert form_to(owner.get(INBOX), url(program.handoff, "claim/"))
    assert everything() == before


@pytest.mark.postgresql
@pytest.mark.parametrize("query", ["", "?q=group"])
def test_more_handoffs_cost_no_more_queries(owner: Client, connector: Connector, group_admin: User, query: str) -> None:
    factories.let_in(connector, group_admin, target_name="Group")
    few = count_queries(owner, INBOX + query)
    for n in range(6):
        factories.let_in(connector, group_admin, target_name=f"Group {n}")
    assert count_queries(owner, INBOX + query) == few <= 12


# Claiming ------------------------------------------------------------------------------------------------------------


def test_claim_shows_the_token_once_and_wipes_what_was_sealed(owner: Client, program: Program) -> None:
    form = claim_form(owner, program.handoff)
    pages = [form.send(owner) for _ in range(2)]  # a double click
    for page in pages:
        assert token_on(page) == program.refresh_token
        assert "no-store" in page["Cache-Control"]
    assert AuditEvent.objects.filter(tag="handoff:token:claimed").count() == 1
    claimed = now(program.handoff)
    assert (claimed.state, claimed.sealed, claimed.claimed_from) == (HandoffState.CLAIMED, None, "127.0.0.1")
    done = form_to(pages[0], url(program.handoff, "done/"))
    assert done.send(owner, {"stored": "1"})["Location"] == url(program.handoff)
    assert form.send(owner).status_code == 409


def pasted(page: Page, line: str, program: Program) -> tuple[str, dict[str, str], list[str]]:
    """What a shell makes of a line on the page: the path, the headers and all arguments."""
    found = re.search(rf'<code id="{line}"[^>]*>(.*?)</code>', page.content.decode(), re.DOTALL)
    assert found is not None
    shell = html.unescape(found.group(1)).replace("$CONNECTOR_SECRET", program.secret).replace("\\\n", " ")
    command, address, *rest = shlex.split(shell)
    assert command == "curl"
    headers = dict(value.split(": ", 1) for flag, value in itertools.pairwise(rest) if flag == "-H")
    return urlsplit(address).path, headers, rest


def test_the_curl_line_answers_200_when_it_is_pasted(owner: Client, program: Program) -> None:
    page = claim_form(owner, program.handoff).send(owner)
    path, headers, _arguments = pasted(page, "try-it", program)
    assert Client().get(path, headers=headers).json()["accessToken"].startswith("kzat_")
    assert program.secret not in page.content.decode()


def test_the_line_for_the_program_claims_when_it_is_pasted(owner: Client, program: Program) -> None:
    path, headers, arguments = pasted(owner.get(url(program.handoff)), "claim-line", program)
    body = arguments[arguments.index("-d") + 1]
    answer = Client().post(path, body, content_type="application/x-www-form-urlencoded", headers=headers)
    assert answer.json()["refreshToken"] == program.refresh_token
    assert "claim-line" not in owner.get(url(program.handoff)).content.decode()


def test_a_claim_from_another_site_opens_nothing(developer: User, program: Program) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(developer)
    assert client.post(url(program.handoff, "claim/"), {"idempotency_key": "k" * 32}).status_code == 403
    assert now(program.handoff).state is HandoffState.WAITING


@pytest.mark.parametrize(
    ("end", "says"),
    [
        ("claimed", r"Devika Rao already claimed this handoff on \d+ \w+ \d{4}, \d\d:\d\d"),
        ("claimed by oneself", r"You already claimed this handoff on .* from 192\.0\.2\.7"),
        ("claimed by program", r"The program of “Shift Planner” already claimed .* from 198\.51\.100\.9"),
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
        case "claimed by oneself":
            handoffs.claim(handoff=program.handoff, by=member, idempotency_key="k" * 32, address="192.0.2.7")
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


def test_an_owner_refuses_once_and_the_admin_is_told(owner: Client, program: Program, group_admin: User) -> None:
    form = form_to(owner.get(url(program.handoff, "refuse/")), url(program.handoff, "refuse/"))
    for _ in range(2):
        assert form.send(owner)["Location"] == url(program.handoff)
    assert (now(program.handoff).state, now(program.handoff).sealed) == (HandoffState.REFUSED, None)
    assert Notice.objects.get(template="connectors/handoff_refused").user == group_admin
    assert AuditEvent.objects.filter(tag="handoff:token:refused").count() == 1


def test_what_is_claimed_cannot_be_refused_and_what_waits_is_not_issued_again(owner: Client, program: Program) -> None:
    assert owner.get(url(program.handoff, "reissue/"))["Location"] == url(program.handoff)
    claim_form(owner, program.handoff).send(owner)
    for method in (owner.get, owner.post):
        assert method(url(program.handoff, "refuse/"))["Location"] == url(program.handoff)
    assert now(program.handoff).state is HandoffState.CLAIMED
    assert "already claimed this handoff" in text_of(owner.get(url(program.handoff)))
    assert "The old token is revoked at once." in text_of(owner.get(url(program.handoff, "reissue/")))


@pytest.mark.parametrize("who", ["developer", "group_admin"])
def test_either_side_has_it_issued_again_once(
    program: Program, developer: User, who: str, request: pytest.FixtureRequest, browser_of: Browser
) -> None:
    handoffs.refuse(handoff=program.handoff, by=developer)
    by = request.getfixturevalue(who)
    client, page = browser_of(by), url(program.handoff, "reissue/")
    form = form_to(client.get(page), page)
    answers = [form.send(client)["Location"] for _ in range(2)]
    again = Handoff.objects.waiting().get()
    assert answers == [url(again)] * 2
    assert (again.pk != program.handoff.pk, again.made_by) == (True, by)
    assert RefreshToken.objects.get(revoked_at__isnull=True) == again.refresh_token != program.handoff.refresh_token


def test_access_that_was_removed_is_not_issued_again(owner: Client, program: Program, group_admin: User) -> None:
    grants.revoke(grant=program.grant, by=group_admin)
    assert owner.post(url(program.handoff, "reissue/"))["Location"] == url(program.handoff)
    assert "was removed on" in text_of(owner.get(url(program.handoff)))
    assert not Handoff.objects.waiting().exists()


# The line ------------------------------------------------------------------------------------------------------------


def line_of(handoff: Handoff) -> list[str]:
    return [step["state"] for step in views_handoffs.list_steps(now(handoff))]


def test_both_sides_see_the_same_line(owner: Client, program: Program, group_admin: User, browser_of: Browser) -> None:
    pages = [browser.get(url(program.handoff)) for browser in (owner, browser_of(group_admin))]
    lines = [re.findall(r"<ol class=\"handoff-line\".*?</ol>", page.content.decode(), re.DOTALL) for page in pages]
    assert lines[0] == lines[1] != []
    assert [any(form.action.endswith("claim/") for form in forms_of(page)) for page in pages] == [True, False]


def test_the_line_follows_from_made_to_works(owner: Client, program: Program) -> None:
    Notice.objects.update(sent_at=None, next_attempt_at=clock.now())
    assert line_of(program.handoff) == ["done", "done", "now", "todo", "todo"]
    Notice.objects.update(sent_at=clock.now(), next_attempt_at=None)
    assert line_of(program.handoff) == ["done", "done", "done", "now", "todo"]
    claim_form(owner, program.handoff).send(owner)
    assert line_of(program.handoff) == ["done", "done", "done", "done", "now"]
    Client().get("/v1/accessToken", headers=program.headers())
    assert line_of(program.handoff) == ["done", "done", "done", "done", "done"]
    assert "127.0.0.1" in text_of(owner.get(url(program.handoff)))


@pytest.mark.parametrize("ending", ["refused_at", "withdrawn_at", "expired_at", "expires_at"])
def test_the_line_says_where_it_stopped_even_before_the_worker_comes_by(program: Program, ending: str) -> None:
    at = clock.now() - dt.timedelta(days=1)
    sealed = b"x" if ending == "expires_at" else None
    Handoff.objects.update(made_at=at - dt.timedelta(days=7), **{ending: at}, sealed=sealed)
    assert line_of(program.handoff)[3:] == ["failed", "todo"]


@pytest.mark.parametrize("ended", [{"revoked_at": clock.now()}, {"expires_at": clock.now()}])
def test_a_token_that_ended_unused_never_works(owner: Client, program: Program, ended: dict[str, Any]) -> None:
    claim_form(owner, program.handoff).send(owner)
    RefreshToken.objects.update(issued_at=clock.now() - dt.timedelta(days=9), **ended)
    assert line_of(program.handoff)[4] == "failed"


def test_that_the_admin_had_it_shown_is_seen_by_both(
    owner: Client, program: Program, group_admin: User, browser_of: Browser
) -> None:
    handoffs.reveal(handoff=program.handoff, by=group_admin, idempotency_key="k" * 32)
    for browser in (owner, browser_of(group_admin)):
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
def test_a_part_of_the_name_finds_handoffs(owner: Client, canteen: Connector, words: str, names: list[str]) -> None:
    assert found(owner, f"?q={words}") == names


def test_the_search_is_kept_between_the_lists(owner: Client, developer: User, canteen: Connector) -> None:
    handoffs.refuse(handoff=Handoff.objects.get(grant__target_name="Depot Pune"), by=developer)
    assert found(owner, "?q=depot") == ["Depot Nagpur"]
    assert found(owner, "?q=depot&show=earlier") == found(owner, "?show=earlier") == ["Depot Pune"]
    page = owner.get(f"{INBOX}?q=depot&show=earlier").content.decode()
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
    page = handoff_queries.get_handoff_page(developer, search=search, size=2)
    pages = [page.items]
    while page.next_cursor is not None:
        page = handoff_queries.get_handoff_page(developer, search=search, cursor=page.next_cursor, size=2)
        pages.append(page.items)
    newest_first = sorted(made, key=lambda row: (row.made_at, row.pk), reverse=True)
    assert [row.pk for items in pages for row in items] == [row.pk for row in newest_first]
    for items in reversed(pages[:-1]):
        page = handoff_queries.get_handoff_page(developer, search=search, cursor=page.previous_cursor, size=2)
        assert page.items == items


def test_the_next_page_on_the_screen_keeps_the_search(owner: Client, canteen: Connector, group_admin: User) -> None:
    for number in range(queries.PAGE_SIZE):
        let_in(canteen, group_admin, target_name=f"Quay {number}")
    assert "cursor=" not in owner.get(f"{INBOX}?q=quay").content.decode()
    let_in(canteen, group_admin, target_name="Quay of today")
    assert f'href="{INBOX}?q=quay&amp;cursor=' in owner.get(f"{INBOX}?q=quay").content.decode()
