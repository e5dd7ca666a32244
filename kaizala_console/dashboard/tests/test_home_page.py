"""Home: what waits for a person, the most urgent first, and what happened lately."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import AuditEvent, Organisation, User
from accounts.tests import factories
from accounts.tests.pages import words
from kaizala_console.dashboard import pending_actions
from kaizala_console.dashboard.pending_actions import PendingAction, Urgency

HOME = "/console/"


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`waiting(user, action, …)`: these pending actions, for this person alone."""
    monkeypatch.setattr(pending_actions, "_of_own_connectors", lambda _user: ())

    def waiting(user: User, *given: PendingAction) -> None:
        def requests_to_answer(asked: User) -> Iterable[PendingAction]:
            return given if asked.pk == user.pk else ()

        monkeypatch.setattr(pending_actions, "_requests_to_answer", requests_to_answer)

    return waiting


def action(title: str, urgency: Urgency = Urgency.NORMAL) -> PendingAction:
    return PendingAction("handoffs", title, f"Text of {title}.", "/console/handoffs/", "Claim", urgency)


def test_what_waits_is_shown_the_most_urgent_first(
    member: User, stranger: User, browser_of: Callable[..., Client], waiting: Callable[..., None]
) -> None:
    waiting(member, action("Later"), action("At once", Urgency.BLOCKING), action("Soon", Urgency.SOON))
    shown = words(browser_of(member).get(HOME))
    assert shown.index("At once") < shown.index("Soon") < shown.index("Later")
    assert 'href="/console/handoffs/"' in browser_of(member).get(HOME).content.decode()
    assert "At once" not in words(browser_of(stranger).get(HOME))


def test_only_ones_own_acts_are_shown_lately(
    member: User, stranger: User, browser_of: Callable[..., Client], waiting: Callable[..., None]
) -> None:
    waiting(member)
    for user in (member, stranger):
        AuditEvent.objects.create(
            tag="user:session:started", actor_kind="user", actor_id=str(user.pk), actor_name=user.name,
            organisation=user.organisation, subject_kind="user", subject_id=str(user.pk),
        )  # fmt: skip
    shown = words(browser_of(member).get(HOME))
    assert "Meera Nair signed in." in shown
    assert "Sunil Verma" not in shown


def test_without_a_phone_nothing_but_the_phone_card_is_shown(
    organisation: Organisation, browser_of: Callable[..., Client], waiting: Callable[..., None]
) -> None:
    newcomer = factories.make_user("Nisha Patel", organisation, number=None)
    waiting(newcomer, action("At once"))
    shown = words(browser_of(newcomer, confirmed=False).get(HOME))
    assert "Welcome, Nisha" in shown
    assert "At once" not in shown


def test_without_a_session_it_leads_to_the_sign_in(client: Client, db: None) -> None:
    assert client.get(HOME).headers["Location"] == "/accounts/login/?next=%2Fconsole%2F"


def test_twenty_pending_actions_cost_no_more_queries_than_one(
    member: User,
    browser_of: Callable[..., Client],
    waiting: Callable[..., None],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    waiting(member, *(action(f"Action {number}") for number in range(20)))
    browser = browser_of(member)
    with django_assert_max_num_queries(10):  # two of them for what may arrive while it is open
        browser.get(HOME)
