"""Home: what waits for a person, the first steps, and the search for pages and acts."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable

import pytest
from django.test import Client
from django.utils import translation
from pytest_django import DjangoAssertNumQueries

from accounts.models import AuditEvent, Organisation, User
from accounts.tests import factories
from accounts.tests.pages import words
from kaizala_console.dashboard import onboarding, pending_actions
from kaizala_console.dashboard.links import Link
from kaizala_console.dashboard.navigation import find_targets
from kaizala_console.dashboard.onboarding import OnboardingPath, OnboardingStep
from kaizala_console.dashboard.pending_actions import PendingAction, Urgency, Waiting
from kaizala_console.lib import clock
from kaizala_console.lib.tests.cast import BrowserOf


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`waiting(user, action, …)`: these pending actions, for this person alone."""
    monkeypatch.setattr(pending_actions, "count_waiting", lambda _user: Waiting(requests=1))

    def waiting(user: User, *given: PendingAction) -> None:
        def requests_to_answer(asked: User) -> Iterable[PendingAction]:
            return given if asked.pk == user.pk else ()

        monkeypatch.setattr(pending_actions, "_requests_to_answer", requests_to_answer)

    return waiting


def action(title: str, urgency: Urgency = Urgency.NORMAL) -> PendingAction:
    return PendingAction("handoffs", title, f"Text of {title}.", "/console/handoffs/", "Claim", urgency)


def test_what_waits_is_shown_the_most_urgent_first(
    member: User, stranger: User, browser_of: BrowserOf, waiting: Callable[..., None]
) -> None:
    waiting(member, action("Later"), action("At once", Urgency.BLOCKING), action("Soon", Urgency.SOON))
    shown = words(browser_of(member).get(HOME))
    assert shown.index("At once") < shown.index("Soon") < shown.index("Later")
    assert 'href="/console/handoffs/"' in browser_of(member).get(HOME).content.decode()
    assert "At once" not in words(browser_of(stranger).get(HOME))


def test_twenty_pending_actions_cost_no_more_queries_than_one(
    member: User,
    browser_of: BrowserOf,
    waiting: Callable[..., None],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    waiting(member, *(action(f"Action {number}") for number in range(20)))
    browser = browser_of(member)
    with django_assert_max_num_queries(10):  # two of them for what may arrive while it is open
        browser.get(HOME)


HOME, AWAY, BACK, HELP = (
    "/console/",
    "/console/first-steps/put-away/",
    "/console/first-steps/bring-back/",
    "/console/help/",
)
TO_DO = OnboardingStep("Second", "Do this.", links=(Link("Go on", "/console/connectors/add/"),))


def path(
    *, fits: bool = True, done: bool = False, finished_at: dt.datetime | None = None, title: str = "Way"
) -> OnboardingPath:
    second = OnboardingStep("Second", "", done=True) if done else TO_DO
    steps = (OnboardingStep("First", "", done=True), second)
    return OnboardingPath(title, steps, "connectors", fits, finished_at, for_all=title == "Developer")


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`paths(path, …)`: one or two, instead of what is found."""

    def paths(*given: OnboardingPath) -> None:
        monkeypatch.setattr(onboarding, "group_admin_path", lambda _user: given[0])
        monkeypatch.setattr(onboarding, "developer_path", lambda _user: given[-1])

    return paths


def steps_on(client: Client) -> str:
    found = re.search(r'<ol class="first-steps".*?</ol>', client.get(HOME).content.decode(), flags=re.S)
    return found.group() if found else ""


def test_the_step_that_is_next_has_the_only_button(
    member: User, browser_of: BrowserOf, paths: Callable[..., None]
) -> None:
    paths(path())
    page = browser_of(member).get(HOME).content.decode()
    assert 'aria-label="First steps: 1 of 2 done"' in page
    assert page.count("btn-primary") == 1
    assert 'href="/console/connectors/add/"' in steps_on(browser_of(member))
    assert "Connect a program to a group" not in page  # what Home offers besides would be a second beginning


def test_when_one_is_done_the_other_follows_and_then_none(member: User, paths: Callable[..., None]) -> None:
    old = clock.now() - dt.timedelta(days=30)
    paths(path(done=True, finished_at=old), path(title="Admin"))
    assert onboarding.get_path(member) == path(title="Admin")
    paths(path(done=True, finished_at=old), path(done=True, finished_at=old))
    assert onboarding.get_path(member) is None


def test_put_away_stays_away_on_every_device_until_it_is_brought_back(
    member: User, stranger: User, browser_of: BrowserOf, paths: Callable[..., None]
) -> None:
    paths(path())
    client, other = browser_of(member), browser_of(member)
    assert BACK not in client.get(HELP).content.decode()
    before = AuditEvent.objects.count()
    assert "in Help" in words(client.post(AWAY, follow=True))
    assert client.post(AWAY).status_code == 302
    assert steps_on(client) == steps_on(other) == ""
    assert f'action="{BACK}"' in other.get(HELP).content.decode()
    assert steps_on(browser_of(stranger)), "it is one's own"
    browser_of(stranger).post(BACK)
    assert steps_on(client) == ""
    assert other.post(BACK)["Location"] == HOME
    assert steps_on(client)
    assert AuditEvent.objects.count() == before


def test_before_a_phone_is_verified_nothing_but_the_phone_card_is_shown(
    organisation: Organisation, browser_of: BrowserOf, waiting: Callable[..., None], paths: Callable[..., None]
) -> None:
    paths(path())
    newcomer = factories.make_user("Nisha Patel", organisation, number=None)
    waiting(newcomer, action("At once"))
    client = browser_of(newcomer, confirmed=False)
    assert steps_on(client) == ""
    assert "At once" not in words(client.get(HOME))
    assert client.get(HOME).content.decode().count("btn-primary") == 1


def titles(user: User, text: str) -> list[str]:
    return [str(target.title) for target in find_targets(user, text, most=1_000)]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("add conn", "Add Connector"),
        ("  NEW program ", "Add Connector"),
        ("2fa", "Authenticator app"),
        ("logout", "Sign out"),
        ("why 401", "Inspect a token"),
    ],
)
def test_a_page_is_found_by_its_name_and_by_what_people_call_it(developer: User, text: str, title: str) -> None:
    assert title in titles(developer, text)
    with translation.override("hi"):
        hindi = translation.gettext("Add Connector")
        assert hindi in titles(developer, hindi)
        assert hindi in titles(developer, "add connector")


@pytest.mark.parametrize("text", ["usage of the organisation", "import people", "organisation policy", "archive"])
def test_pages_of_organisation_admins_and_operators_are_found_by_them_alone(
    developer: User, organisation_admin: User, operator: User, text: str
) -> None:
    assert titles(organisation_admin, text)
    assert titles(developer, text) == []
    assert "The operators’ pages" in titles(operator, "operators")
    assert "The operators’ pages" not in titles(developer, "operators")
