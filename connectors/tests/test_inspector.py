"""The token inspector: what it tells to whom, and what it never tells."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from connectors import authentication, hooks, policies, token_format
from connectors.services import connectors, grants, introspection, leak_reports, secrets
from connectors.tests.factories import Program
from connectors.tests.test_tokens import exchange
from connectors.token_format import CredentialKind
from connectors.views.introspection import list_calls
from kaizala_console.api.errors import RefreshTokenRefused, TokenInvalid, WrongConnectorCredentials

pytestmark = pytest.mark.django_db
PAGE = "/console/connectors/inspector/"
Browser = Callable[..., Client]
Travel = Callable[..., dt.datetime]
# What happens, and which checks fail then.
ENDINGS: dict[str, tuple[set[str], Callable[[Program, User, Travel], object]]] = {
    "nothing": (set(), lambda program, admin, travel: None),
    "a day": ({"Validity"}, lambda program, admin, travel: travel(hours=25)),
    "a year": ({"Validity", "Refresh token"}, lambda program, admin, travel: travel(days=366)),
    "suspended connector": (
        {"Connector"},
        lambda program, admin, travel: connectors.suspend(connector=program.connector, by=program.connector.owner),
    ),
    "deleted connector": (
        {"Connector", "Access", "Refresh token", "Secret"},
        lambda program, admin, travel: connectors.delete(connector=program.connector, by=program.connector.owner),
    ),
    "suspended access": ({"Access"}, lambda program, admin, travel: grants.suspend(grant=program.grant, by=admin)),
    "removed access": (
        {"Access", "Refresh token"},
        lambda program, admin, travel: grants.revoke(grant=program.grant, by=admin),
    ),
    "regenerated token": (
        {"Refresh token"},
        lambda program, admin, travel: grants.regenerate(grant=program.grant, by=admin),
    ),
    "leaked token": (
        {"Refresh token"},
        lambda program, admin, travel: leak_reports.report(text=program.refresh_token, address="192.0.2.7"),
    ),
    "leaked secret": (
        {"Secret"},
        lambda program, admin, travel: leak_reports.report(text=program.secret, address="192.0.2.7"),
    ),
    "revoked secret": (
        {"Secret"},
        lambda program, admin, travel: secrets.revoke(
            secret=program.connector.secrets.get(), by=program.connector.owner
        ),
    ),
}


def forged(token: str) -> str:
    """The true public part under a made-up secret, with a checksum that is right."""
    body = token[: 5 + 16] + "A" * 43
    return body + token_format._checksum(body)


def failed(text: str, by: User) -> list[str]:
    return [check.label for check in introspection.introspect(text=text, by=by).checks if not check.passed]


def test_whoever_presents_the_whole_credential_is_told_all_about_it(program: Program, outsider: User) -> None:
    for text, kind in ((program.refresh_token, CredentialKind.REFRESH), (program.secret, CredentialKind.SECRET)):
        found = introspection.introspect(text=text, by=outsider)
        assert (found.kind, found.connector, found.works) == (kind, program.connector, True)
    found = introspection.introspect(text=exchange(program).access_token, by=outsider)
    assert (found.kind, found.grant, found.works) == (CredentialKind.ACCESS, program.grant, True)
    assert "textmessage.write" in found.scopes


@pytest.mark.parametrize("paste", ["{}", " {}\n", "accessToken: {}", 'REFRESH_TOKEN="{}"', "Authorization: Bearer {}"])
def test_a_pasted_line_is_read_for_the_token_in_it(program: Program, developer: User, paste: str) -> None:
    assert introspection.introspect(text=paste.format(program.refresh_token), by=developer).works


@pytest.mark.parametrize("cut", [5 + 16, 40, -1])
def test_for_owner_and_admin_a_part_is_enough(program: Program, developer: User, group_admin: User, cut: int) -> None:
    for user in (developer, group_admin):
        found = introspection.introspect(text=program.refresh_token[:cut], by=user)
        assert found.grant == program.grant
        assert "Only the first" in found.checks[0].says
        public_part = program.refresh_token[5 : 5 + 16]
        assert introspection.introspect(text=public_part, by=user).grant == program.grant


def test_to_a_stranger_anothers_and_none_are_the_same(
    program: Program, stranger: User, outsider: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(introspection, "EVEN_SECONDS", 0.01)  # how long it takes is the next test's
    other = token_format.generate(CredentialKind.REFRESH).token
    for user in (stranger, outsider):
        for cut in (5 + 16, 30, -1):
            mine = introspection.introspect(text=program.refresh_token[:cut], by=user)
            assert mine == introspection.introspect(text=other[:cut], by=user)
            assert mine.connector is None
        assert failed(forged(program.refresh_token), user) == failed(other, user) == ["Known"]


@pytest.mark.parametrize("cut", [5 + 16, 30, 5 + 16 + 43 + 6])
def test_nor_does_the_time_that_the_answer_takes_tell_them_apart(
    program: Program, stranger: User, cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether somebody else's is theirs costs statements, and a slow database would show that."""
    may = policies.can_administer

    def slowly(*given: Any) -> bool:
        time.sleep(0.1)
        return may(*given)

    monkeypatch.setattr(policies, "can_administer", slowly)

    def seconds(text: str) -> float:
        began = time.monotonic()
        assert introspection.introspect(text=text[:cut], by=stranger).connector is None
        return time.monotonic() - began

    whole = forged(program.refresh_token)
    texts = (whole, token_format.generate(CredentialKind.REFRESH).token, whole[:-6], forged(program.secret)[:-6])
    took = [min(seconds(text) for _ in range(2)) for text in texts]
    for _ in range(7):  # what a busy machine adds it does not add each time; what the answer itself takes, it does
        if max(took) - min(took) >= 0.05:
            took = [min(least, seconds(text)) for least, text in zip(took, texts, strict=True)]
    assert min(took) >= introspection.EVEN_SECONDS
    assert max(took) - min(took) < 0.05, took


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("K9J2M4P1QX", "does not begin with kzcs_"),
        ("kzrt_" + "x" * 90, "instead of 70"),
        ("kzrt_" + "x" * 65, "The checksum is wrong"),
        ("kzat_" + "A" * 100 + "xxxxxx", "Not signed by this console, or changed when it was copied."),
        ("kzrt_", "Only the first 5"),
    ],
)
def test_what_is_no_credential_is_told_by_its_form(developer: User, text: str, says: str) -> None:
    found = introspection.introspect(text=text, by=developer)
    assert says in found.checks[0].says
    assert found.next_step


def test_a_call_is_explained_by_permission(program: Program, developer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = hooks.TokenAccess("Admin", frozenset(hooks.RequiredRole))
    monkeypatch.setattr(hooks, "token_access", lambda _grant, group_id, _bot: mine if group_id == "mine" else None)
    found = introspection.introspect(text=program.refresh_token, by=developer)
    post, me = list_calls()["POST /v1/groups/<group_id>/messages"], list_calls()["GET /v1/users/me"]
    for call, group_id, passed in ((post, "mine", [True, True]), (post, "other", [True, False]), (me, "", [False])):
        assert [check.passed for check in introspection.explain_call(found, call, group_id)] == passed
    assert "User Profile" in introspection.explain_call(found, me, "")[0].says


def test_the_page_tells_and_forgets(program: Program, developer: User, browser_of: Browser) -> None:
    browser = browser_of(developer)
    response = browser.post(PAGE, {"token": program.refresh_token, "call": "GET /v1/users/me", "group_id": ""})
    assert "It works" in response.text
    assert "GET /v1/users/me would be refused" in response.text
    assert program.refresh_token not in response.text
    assert "no-store" in response.headers["Cache-Control"]
    assert program.refresh_token not in str(dict(browser.session))


def test_a_call_on_a_group_asks_which_one(program: Program, developer: User, browser_of: Browser) -> None:
    browser = browser_of(developer)
    form = {"token": program.refresh_token, "call": "POST /v1/groups/<group_id>/messages"}
    for group_id, asks in (("", True), ("somewhere", False)):
        page = browser.post(PAGE, {**form, "group_id": group_id}).text
        assert ("Enter a group ID to check access to that group." in page) is asks
        assert "would work" not in page


def test_nothing_pasted_and_an_unknown_call_come_back_with_a_reason(developer: User, browser_of: Browser) -> None:
    browser = browser_of(developer)
    assert "Paste a token first" in browser.post(PAGE, {"token": ""}).text
    assert browser.post(PAGE, {"token": "x", "call": "DELETE /everything"}).status_code == 400


def test_who_is_signed_out_signs_in_first_and_the_token_is_not_kept(client: Client, program: Program) -> None:
    response = client.post(PAGE, {"token": program.refresh_token})
    assert response.status_code == 302
    assert program.refresh_token not in response.headers["Location"]
    assert program.refresh_token not in str(dict(client.session))


@pytest.mark.usefixtures("travel")  # the window does not end between two of them
def test_trying_many_is_slowed_down(developer: User, browser_of: Browser) -> None:
    browser = browser_of(developer)
    statuses = [browser.post(PAGE, {"token": f"kzrt_{number}"}).status_code for number in range(31)]
    assert statuses[-1] == 429
    assert set(statuses[:-1]) == {200}


def test_a_look_changes_nothing(program: Program, developer: User, everything: Callable[[], Any]) -> None:
    before = everything()
    introspection.introspect(text=program.refresh_token, by=developer)
    introspection.introspect(text=program.secret, by=developer)
    assert everything() == before


@pytest.mark.parametrize("ending", ENDINGS)
def test_it_says_of_every_credential_what_the_token_service_and_a_call_would_say_and_why(
    ending: str, program: Program, developer: User, group_admin: User, travel: Travel
) -> None:
    access = exchange(program).access_token
    checks, happens = ENDINGS[ending]
    happens(program, group_admin, travel)

    def works(act: Callable[[], object]) -> bool:
        try:
            act()
        except (TokenInvalid, RefreshTokenRefused, WrongConnectorCredentials):
            return False
        return True

    of_access, *others = [
        introspection.introspect(text=text, by=developer) for text in (access, program.refresh_token, program.secret)
    ]
    assert of_access.works is works(lambda: authentication.get_access_context(access))
    assert all(found.works for found in others) is works(lambda: exchange(program))
    failing = [check for found in (of_access, *others) for check in found.checks if not check.passed]
    assert {check.label for check in failing} == checks
    assert all(check.next_step for check in failing)
