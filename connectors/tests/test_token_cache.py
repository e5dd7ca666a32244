"""An access token kept warm: entrusted on a page, fetched over HTTP, sealed, renewed in time, given, and stopped."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django import Settings

from accounts.models import AuditEvent, Notice, User
from accounts.services import notifications
from accounts.tests.pages import url_with, words
from connectors import authentication
from connectors.models import CachedToken, Connector, ConnectorSecret, Grant, RefreshToken
from connectors.services import connectors, grants, secrets, token_cache
from connectors.services.token_cache import CredentialsRefused, TokenServiceUnavailable
from connectors.tests import factories
from connectors.tests.answering_server import Answering, answering
from connectors.tests.factories import Program
from connectors.tests.test_models import refused
from kaizala_console.api.errors import WrongConnectorCredentials
from kaizala_console.lib import clock
from kaizala_console.lib.errors import Conflict, NotFound, RuleBroken

pytestmark = pytest.mark.postgresql
Browsers = Callable[..., Client]
OpenPage = Callable[..., Page]
Everything = Callable[[], dict[str, list[str]]]


@pytest.fixture
def token_service(live_server: Any, settings: Settings) -> None:
    """The worker's address of the Token Service is that of a real one."""
    settings.TOKEN_SERVICE_URL = live_server.url


@pytest.fixture
def service(settings: Settings) -> Iterator[Answering]:
    """A Token Service that answers what the test says."""
    with answering() as (what, address):
        settings.TOKEN_SERVICE_URL = address
        yield what


def keep(program: Program, by: User) -> CachedToken:
    return token_cache.enable(grant=program.grant, by=by, secret=program.secret, refresh_token=program.refresh_token)


def give(program: Program, grant_id: str = "") -> str:
    _warm, token = token_cache.get_token(
        connector_id=str(program.connector.pk), secret=program.secret, grant_id=grant_id
    )
    return token


def the_row() -> CachedToken:
    return CachedToken.objects.get()


def fetch_now() -> bool:
    """The worker comes by when the next try is due."""
    CachedToken.objects.update(next_attempt_at=clock.now())
    return token_cache.fetch(cached_token_id=the_row().pk)


@pytest.fixture
def cached(token_service: None, program: Program, developer: User) -> CachedToken:
    """A token of the program's grant is ready, fetched from the real Token Service."""
    keep(program, developer)
    fetch_now()
    return the_row()


def take(client: Client, program: Program, path: str = "/v1/accessToken/warm", **headers: str) -> Any:
    sent = {"applicationId": str(program.connector.pk), "applicationSecret": program.secret, **headers}
    return client.get(path, headers=sent)


# Against the real Token Service ---------------------------------------------------------------------------------------


def test_entrusted_credentials_become_a_token(cached: CachedToken, program: Program) -> None:
    assert authentication.get_access_context(give(program)).grant.pk == program.grant.pk
    assert (cached.state(clock.now()), cached.failures, cached.last_error) == ("ready", 0, "")
    left = (cached.next_attempt_at or clock.now()) - clock.now()
    assert dt.timedelta(hours=17, minutes=50) < left < dt.timedelta(hours=20, minutes=30)


def test_nothing_of_it_can_be_read_in_the_database(cached: CachedToken, program: Program) -> None:
    stored = str(
        [bytes(value) if isinstance(value, memoryview) else value for value in CachedToken.objects.values_list()[0]]
    )
    stored += str(list(AuditEvent.objects.values())) + str(list(Notice.objects.values()))
    for secret in (program.secret, program.refresh_token, give(program)):
        assert secret[5:] not in stored


def test_near_its_end_it_goes_over_to_the_successor(token_service: None, program: Program, developer: User) -> None:
    now = clock.now()
    RefreshToken.objects.update(issued_at=now - dt.timedelta(days=330), expires_at=now + dt.timedelta(days=35))
    keep(program, developer)
    fetch_now()
    assert fetch_now()
    assert RefreshToken.objects.get(predecessor__isnull=False).first_used_at is not None


def test_a_revoked_secret_ends_it_and_is_told_once(cached: CachedToken, developer: User) -> None:
    secrets.revoke(secret=ConnectorSecret.objects.get(), by=developer)
    assert not fetch_now()
    cached.refresh_from_db()
    assert cached.state(clock.now()) == "refused"
    assert {cached.sealed_secret, cached.sealed_refresh_token, cached.sealed_access_token} == {None}
    assert token_cache.sweep() == 0
    (notice,) = Notice.objects.filter(template="connectors/cached_token_refused")
    assert "Dont have correct applicationId and secret" in notifications.render(notice)[1]
    assert AuditEvent.objects.filter(tag="grant:warmtoken:refused").count() == 1


def test_a_regenerated_token_ends_it_with_the_services_reason(
    cached: CachedToken, program: Program, group_admin: User
) -> None:
    grants.regenerate(grant=program.grant, by=group_admin)
    with pytest.raises(NotFound):
        give(program)
    assert token_cache.sweep() == 1
    token_cache.fetch(cached_token_id=cached.pk)
    assert "superseded" in the_row().last_error


@pytest.mark.parametrize("end", ["revoke", "delete", "date"])
def test_the_end_of_the_access_wipes_it_silently(
    cached: CachedToken, program: Program, developer: User, group_admin: User, end: str
) -> None:
    if end == "revoke":
        grants.revoke(grant=program.grant, by=group_admin)
    elif end == "delete":
        connectors.delete(connector=program.connector, by=developer)
    else:
        past = clock.now() - dt.timedelta(days=1)
        Grant.objects.update(granted_at=past - dt.timedelta(days=1), ends_at=past)
    with pytest.raises((NotFound, WrongConnectorCredentials)):
        give(program)
    assert not fetch_now()
    assert not CachedToken.objects.exists()
    with pytest.raises((Conflict, NotFound, RuleBroken)):
        keep(program, developer)
    assert not Notice.objects.filter(template="connectors/cached_token_refused").exists()


def test_a_suspension_is_waited_out(token_service: None, program: Program, developer: User, group_admin: User) -> None:
    keep(program, developer)
    grants.suspend(grant=program.grant, by=group_admin)
    assert not fetch_now()
    assert (the_row().refused_at, the_row().failures) == (None, 0)
    grants.resume(grant=program.grant, by=group_admin)
    assert fetch_now()


# When the service fails -----------------------------------------------------------------------------------------------


def fails(cached: CachedToken) -> dt.timedelta:
    """One more try that fails; how long until the next."""
    assert not fetch_now()
    return (the_row().next_attempt_at or clock.now()) - clock.now()


def test_it_backs_off_and_says_so(service: Answering, program: Program, developer: User, travel: Any) -> None:
    cached = keep(program, developer)
    service.says(502, "")
    pauses = [fails(cached) for _ in range(3)]
    for pause, base in zip(pauses, (30, 60, 120), strict=True):
        assert dt.timedelta(seconds=base / 2) <= pause <= dt.timedelta(seconds=base * 1.5)
    assert (the_row().failures, the_row().state(clock.now())) == (3, "troubled")
    assert "status 502" in the_row().last_error
    CachedToken.objects.update(failures=40)
    assert dt.timedelta(minutes=30) <= fails(cached) <= dt.timedelta(minutes=90)


def test_it_waits_as_long_as_asked(service: Answering, program: Program, developer: User, travel: Any) -> None:
    cached = keep(program, developer)
    service.says(429, {}, Retry_After="4000")
    assert fails(cached) >= dt.timedelta(seconds=4000)


def test_what_is_down_is_left_alone(service: Answering, program: Program, developer: User, travel: Any) -> None:
    cached = keep(program, developer)
    service.says(500, "")
    for _ in range(5):
        fails(cached)
    assert len(service.asked) == 5
    fails(cached)
    assert len(service.asked) == 5
    assert the_row().failures == 5
    cache.delete("circuit:token-service:open")  # the pause is over
    fails(cached)
    fails(cached)
    assert len(service.asked) == 6


def test_what_comes_after_stop_or_with_older_credentials_is_thrown_away(
    service: Answering, program: Program, developer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = keep(program, developer)
    fetch = token_cache.request_token

    def and_meanwhile(**credentials: str) -> Any:
        keep(program, developer)
        return fetch(**credentials)

    monkeypatch.setattr(token_cache, "request_token", and_meanwhile)
    expiry = clock.epoch_ms(clock.now() + dt.timedelta(hours=24))
    service.says(200, {"accessToken": "late", "accessTokenExpiry": expiry, "refreshToken": "", "scope": "s"})
    assert not token_cache.fetch(cached_token_id=cached.pk)
    assert the_row().sealed_access_token is None


def test_it_is_fetched_once_at_a_time(service: Answering, program: Program, developer: User) -> None:
    cached = keep(program, developer)
    CachedToken.objects.update(next_attempt_at=clock.now() + token_cache.LEASE)
    assert not token_cache.fetch(cached_token_id=cached.pk)
    assert service.asked == []
    assert not token_cache.fetch(cached_token_id=cached.pk + 1)


# Who may --------------------------------------------------------------------------------------------------------------


def test_other_credentials_are_not_taken(
    program: Program, developer: User, group_admin: User, connector: Connector
) -> None:
    other = factories.make_program(factories.make_connector(developer), group_admin)
    elsewhere = factories.let_in(connector, group_admin)
    for secret, refresh_token, field in [
        (other.secret, program.refresh_token, "secret"),
        ("kzcs_", program.refresh_token, "secret"),
        (program.secret, other.refresh_token, "refresh_token"),
        (program.secret, program.secret, "refresh_token"),
    ]:
        with pytest.raises(RuleBroken) as rule:
            token_cache.enable(grant=program.grant, by=developer, secret=secret, refresh_token=refresh_token)
        assert rule.value.field == field
    with pytest.raises(RuleBroken):
        token_cache.enable(
            grant=elsewhere.grant, by=developer, secret=program.secret, refresh_token=program.refresh_token
        )
    assert not CachedToken.objects.exists()


def test_a_program_is_given_its_own(cached: CachedToken, program: Program, developer: User, group_admin: User) -> None:
    other = factories.make_program(factories.make_connector(developer), group_admin)
    for grant_id in ("", str(program.grant.pk), "nonsense"):
        with pytest.raises(NotFound):
            give(other, grant_id)
    assert take(Client(), program, applicationSecret=other.secret).status_code == 401
    assert give(program, str(program.grant.pk).upper())


def test_of_several_it_must_name_one(program: Program, developer: User, group_admin: User) -> None:
    keep(program, developer)
    granted = factories.make_program(program.connector, group_admin)
    keep(granted, developer)
    with pytest.raises(NotFound, match="name one"):
        give(program)
    with pytest.raises(NotFound, match="not ready"):
        give(program, str(granted.grant.pk))


def test_a_refused_row_holds_nothing_and_the_database_says_so(program: Program, developer: User) -> None:
    keep(program, developer)
    refused("refused_warm_token_holds_nothing", lambda: CachedToken.objects.update(refused_at=clock.now()))


@pytest.mark.parametrize("path", ["/V1/ACCESSTOKEN/Warm/", "/accessToken/warm"])
def test_it_answers_as_an_exchange_does(client: Client, program: Program, cached: CachedToken, path: str) -> None:
    answer = take(client, program, path)
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"accessToken", "endpointUrl", "accessTokenExpiry", "refreshToken", "scope"}
    assert body["refreshToken"] == ""
    assert body["scope"] == cached.scope
    called = client.get("/v1/users/me", headers={"accessToken": body["accessToken"]})
    assert called.status_code != 401


def test_wrong_credentials_get_the_protocols_answer(client: Client, program: Program, cached: CachedToken) -> None:
    for headers in ({"applicationSecret": "wrong"}, {"applicationId": str(cached.grant_id)}):
        answer = take(client, program, **headers)
        assert answer.status_code == 401
        assert answer.json()["message"] == "Dont have correct applicationId and secret in header!"


def test_without_one_the_answer_is_a_404_with_the_three_fields(client: Client, program: Program) -> None:
    answer = take(client, program)
    assert answer.status_code == 404
    assert set(answer.json()) == {"message", "errorCode", "errorCategoryKey"}
    assert client.post("/v1/accessToken/warm").status_code == 405


def test_it_costs_two_queries(
    client: Client, program: Program, cached: CachedToken, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(2):
        take(client, program)


GOOD = {"accessToken": "a", "endpointUrl": "x", "accessTokenExpiry": 1518481686294, "refreshToken": "", "scope": "s"}


def request() -> token_cache.FetchedToken:
    return token_cache.request_token(connector_id="c1", secret="kzcs_x", refresh_token="kzrt_y")


def test_it_sends_the_three_headers_and_reads_the_answer(service: Answering) -> None:
    service.says(200, GOOD | {"refreshToken": "kzrt_next"})
    fetched = request()
    assert (fetched.access_token, fetched.scope, fetched.successor) == ("a", "s", "kzrt_next")
    assert fetched.expires_at.isoformat() == "2018-02-13T00:28:06.294000+00:00"
    (asked,) = service.asked
    assert asked["path"] == "/v1/accessToken"
    assert (asked["applicationId"], asked["applicationSecret"], asked["refreshToken"]) == ("c1", "kzcs_x", "kzrt_y")


def test_a_401_is_a_refusal_in_the_services_own_words(service: Answering) -> None:
    service.says(401, {"message": "Refresh token expired on Monday."})
    with pytest.raises(CredentialsRefused, match="expired on Monday"):
        request()


@pytest.mark.parametrize(
    ("status", "body", "is_down"),
    [(500, "", True), (503, "<html>", True), (302, "", False), (308, "", False), (404, "{}", False), (429, "{}", False),
     (200, "[]", False),
     (200, "nonsense", False), (200, {**GOOD, "accessTokenExpiry": "soon"}, False), (200, {"accessToken": "a"}, False)],
)  # fmt: skip
def test_anything_else_is_no_refusal_of_credentials(service: Answering, status: int, body: Any, is_down: bool) -> None:
    service.says(status, body, Location="https://elsewhere.example/v1/accessToken")
    with pytest.raises(TokenServiceUnavailable) as caught:
        request()
    assert caught.value.is_down is is_down
    assert len(service.asked) == 1  # a redirect would carry the credentials elsewhere
    assert "kzcs_x" not in repr(caught.value)


def test_a_service_that_is_not_there_is_down(settings: Settings) -> None:
    with answering() as (_what, address):
        settings.TOKEN_SERVICE_URL = address
    with pytest.raises(TokenServiceUnavailable, match="cannot be reached") as caught:
        request()
    assert caught.value.is_down
    assert "kzcs_x" not in repr(caught.value)


# Pages ----------------------------------------------------------------------------------------------------------------


def page_of(grant: Grant, name: str = "cached_token") -> str:
    return reverse(f"connectors:{name}", args=[grant.connector_id, grant.pk])


def entrusted(program: Program, **other: str) -> dict[str, str]:
    return {"secret": program.secret, "refresh_token": program.refresh_token, **other}


def test_entrusted_it_says_how_it_stands_and_shows_no_credential(program: Program, owner: Client) -> None:
    assert "Keep it ready" in words(owner.get(page_of(program.grant)))
    answer = owner.post(page_of(program.grant), entrusted(program), follow=True)
    assert "The console now keeps an access token ready." in words(answer)
    page = owner.get(page_of(program.grant))
    assert "GET /v1/accessToken/warm" in words(page)
    assert str(program.grant.pk) in words(page)
    for secret in (program.secret, program.refresh_token):
        assert secret[5:] not in answer.text + page.text


def test_what_is_wrong_is_refused_and_nothing_typed_comes_back(program: Program, owner: Client) -> None:
    for data in ({}, entrusted(program, secret="kzcs_wrong"), entrusted(program, refresh_token=program.secret)):
        answer = owner.post(page_of(program.grant), data)
        assert answer.status_code == 400
        assert program.refresh_token[5:] not in answer.text
    assert not CachedToken.objects.exists()


def test_troubles_and_refusals_are_seen(program: Program, owner: Client) -> None:
    owner.post(page_of(program.grant), entrusted(program))
    CachedToken.objects.update(failures=3, last_error="The Token Service answered with status 502.")
    assert "status 502" in words(owner.get(page_of(program.grant)))
    CachedToken.objects.update(
        refused_at=clock.now(),
        next_attempt_at=None,
        sealed_secret=None,
        sealed_refresh_token=None,
        sealed_access_token=None,
        last_error="Refresh token superseded.",
    )
    page = words(owner.get(page_of(program.grant)))
    assert "Refresh token superseded." in page
    assert "Keep it ready" in page


def test_stop_wipes_it_and_a_second_click_does_nothing(program: Program, owner: Client) -> None:
    owner.post(page_of(program.grant), entrusted(program))
    for said in ("Stopped.", "No access token is kept ready."):
        assert said in words(owner.post(page_of(program.grant, "cached_token_stop"), follow=True))
        assert not CachedToken.objects.exists()
    assert AuditEvent.objects.filter(tag="grant:warmtoken:stopped").count() == 1


@pytest.mark.parametrize("name", ["cached_token", "cached_token_stop"])
def test_a_stranger_gets_the_same_answer_for_not_yours_and_not_there(
    program: Program,
    stranger: User,
    group_admin: User,
    browser_of: Browsers,
    everything: Everything,
    name: str,
) -> None:
    before = everything()
    for user in (stranger, group_admin):
        browser = browser_of(user)
        there = browser.post(page_of(program.grant, name), entrusted(program))
        nowhere = browser.post(
            reverse(f"connectors:{name}", args=[program.connector.pk, program.connector.pk]), entrusted(program)
        )
        assert (there.status_code, nowhere.status_code) == (404, 404)
        assert url_with(there, nowhere)
    assert everything() == before


def test_while_it_asks_for_a_fresh_confirmation_it_keeps_no_credential(
    program: Program, developer: User, browser_of: Browsers
) -> None:
    browser = browser_of(developer, confirmed=False)
    assert reverse("accounts:confirm") in browser.post(page_of(program.grant), entrusted(program))["Location"]
    kept = str(dict(browser.session))
    assert program.secret[5:] not in kept
    assert program.refresh_token[5:] not in kept
    assert not CachedToken.objects.exists()


def test_a_removed_access_has_no_page(program: Program, group_admin: User, owner: Client) -> None:
    grants.revoke(grant=program.grant, by=group_admin)
    assert owner.get(page_of(program.grant)).status_code == 404


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
@pytest.mark.capability
def test_entrust_see_and_stop(token_service: None, open_page: OpenPage, developer: User, program: Program) -> None:
    page = open_page(user=developer)
    page.goto(reverse("connectors:groups", args=[program.connector.pk]))
    page.get_by_role("link", name="Access token for Night shift").click()
    page.get_by_label("Connector secret").fill(program.secret)
    page.get_by_label("Refresh token").fill(program.refresh_token)
    page.get_by_role("button", name="Keep it ready").click()
    expect(page.get_by_text("The console now keeps an access token ready.")).to_be_visible()
    token_cache.fetch(cached_token_id=CachedToken.objects.get().pk)
    page.reload()
    expect(page.get_by_text("fetched", exact=False)).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped. The stored credentials and tokens are deleted.")).to_be_visible()
