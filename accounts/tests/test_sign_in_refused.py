"""Who is kept out: state, PKCE, issuer, audience, expiry, tenant; and an Office365 that is down."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from pytest_django import Settings

from accounts.models import AuditEvent, Organisation, User
from accounts.tests import office365_server
from accounts.tests.office365_server import Office365
from accounts.tests.sign_in_walk import (
    LOGIN,
    OTHER_TENANT,
    SECRET,
    TENANT,
    claims_of,
    come_back,
    is_signed_in,
    leave_for_office365,
    sign_in_as,
    use,
)

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")]


def refused(answer: Any, browser: Client, office365: Office365, *, token: str | None = "200 OK") -> str:
    """The text of the page that refuses; nobody is signed in, and nobody was made.

    `token` is what Office365 answered when the console asked for the id token; None when it was not even asked.
    """
    assert office365.token_answers[-1:] == ([token] if token else []), office365.token_answers
    assert answer.status_code in {401, 403}, answer.content
    assert not is_signed_in(browser)
    assert not User.objects.exists()
    assert not Organisation.objects.exists()
    return answer.content.decode()


def test_a_tenant_that_is_not_allowed_is_told_so(office365: Office365) -> None:
    office365.add_person("olga", claims_of("Olga Petrova", tid=OTHER_TENANT))
    browser = Client()
    page = refused(sign_in_as(browser, office365, "olga"), browser, office365)
    assert "Your organisation does not use this console" in page


@pytest.mark.parametrize(
    "claims", [{}, {"tid": TENANT}, {"oid": str(uuid4())}, {"tid": "", "oid": ""}, {"tid": [TENANT], "oid": {"a": 1}}]
)
def test_who_comes_without_tenant_or_object_id_is_told_so(office365: Office365, claims: dict[str, Any]) -> None:
    office365.add_person("nobody", {"name": "No Body", "email": "no.body@contoso.example", **claims})
    browser = Client()
    page = refused(sign_in_as(browser, office365, "nobody"), browser, office365)
    assert "work or school account" in page


def test_an_issuer_that_is_not_configured_is_refused(office365: Office365, settings: Settings) -> None:
    app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
    app["settings"]["openid_configuration_overrides"] = {"issuer": [f"{office365.base_url}/{OTHER_TENANT}/v2.0"]}
    browser = Client()
    refused(sign_in_as(browser, office365, "anita"), browser, office365)


def test_of_several_tenants_those_on_the_list_come_in_and_no_other(office365: Office365, settings: Settings) -> None:
    use(settings, office365, [TENANT, OTHER_TENANT])
    app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
    app["settings"]["openid_configuration_overrides"]["issuer"].append(office365.base_url)  # the mock's only issuer
    office365.add_person("olga", claims_of("Olga Petrova", tid=OTHER_TENANT.upper()))
    office365.add_person("eve", claims_of("Eve", tid=str(uuid4())))
    for sub, comes_in in (("anita", True), ("olga", True), ("eve", False)):
        browser = Client()
        sign_in_as(browser, office365, sub)
        assert is_signed_in(browser) is comes_in, sub
    assert set(Organisation.objects.values_list("entra_tenant_id", flat=True)) == {TENANT, OTHER_TENANT}


def test_an_id_token_that_has_expired_is_refused(settings: Settings) -> None:
    with office365_server.running(token_lifetime=timedelta(seconds=-120)) as office365:
        use(settings, office365, [TENANT])
        office365.add_person("anita", claims_of("Anita Desai"))
        browser = Client()
        refused(sign_in_as(browser, office365, "anita"), browser, office365)


def test_an_id_token_for_another_program_is_refused(office365: Office365) -> None:
    browser = Client()
    office365.audience = "another-client-id"
    refused(sign_in_as(browser, office365, "anita"), browser, office365)


def _without_signature(id_token: str) -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    return f"{header}.{id_token.split('.')[1]}."


def _signed_by_somebody_else(id_token: str) -> str:
    key = RSAKey.generate_key(2048, auto_kid=True)
    return jwt.encode({"alg": "RS256", "kid": key.kid}, _claims(id_token), key)


def _signed_with_the_client_secret(id_token: str) -> str:
    return jwt.encode({"alg": "HS256"}, _claims(id_token), OctKey.import_key(SECRET))


def _changed(id_token: str) -> str:
    header, _claims_part, signature = id_token.split(".")
    changed = json.dumps({**_claims(id_token), "oid": str(uuid4())}).encode()
    return ".".join((header, base64.urlsafe_b64encode(changed).rstrip(b"=").decode(), signature))


def _claims(id_token: str) -> dict[str, Any]:
    payload = id_token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


@pytest.mark.parametrize(
    "forge",
    [
        _without_signature,
        _signed_by_somebody_else,
        _signed_with_the_client_secret,
        _changed,
        lambda _id_token: "",
        lambda _id_token: "x.y.z",
    ],
)
def test_an_id_token_that_office365_did_not_sign_is_refused(office365: Office365, forge: Callable[[str], str]) -> None:
    browser = Client()
    office365.forge = forge
    refused(sign_in_as(browser, office365, "anita"), browser, office365)
    office365.forge = None
    sign_in_as(browser, office365, "anita")
    assert is_signed_in(browser)


@pytest.mark.parametrize(
    "claims",
    [{"iat": 2**33}, {"iat": "now"}, {"nonce": "of-another-sign-in"}, {"nonce": ""}, {"exp": None}, {"nbf": 2**33}],
)
def test_an_id_token_of_another_time_or_another_sign_in_is_refused(
    office365: Office365, claims: dict[str, Any]
) -> None:
    office365.add_person("anita", claims_of("Anita Desai", **claims))
    browser = Client()
    refused(sign_in_as(browser, office365, "anita"), browser, office365)


def test_an_answer_of_another_issuer_is_refused_before_its_code_is_used(office365: Office365) -> None:
    browser = Client()
    for wrong in ("https://evil.example", ""):
        callback = office365.sign_in(leave_for_office365(browser), "anita")
        refused(come_back(browser, f"{callback}&iss={wrong}"), browser, office365, token=None)
    come_back(browser, f"{office365.sign_in(leave_for_office365(browser), 'anita')}&iss={office365.base_url}")
    assert is_signed_in(browser)


def test_the_answer_to_somebody_else_signs_nobody_in(office365: Office365) -> None:
    victim, attacker = Client(), Client()
    callback = office365.sign_in(leave_for_office365(victim), "anita")
    refused(come_back(attacker, callback), attacker, office365, token=None)


def test_an_answer_nobody_asked_for_signs_nobody_in(office365: Office365) -> None:
    """Login CSRF: the attacker's own answer is pushed into the victim's browser."""
    attacker, victim = Client(), Client()
    callback = office365.sign_in(leave_for_office365(attacker), "anita")
    leave_for_office365(victim)
    refused(come_back(victim, callback), victim, office365, token=None)
    for forged in ("", "state=", "state=forged&code=forged", "code=forged", "error=access_denied"):
        refused(victim.get(f"{LOGIN}callback/?{forged}"), victim, office365, token=None)


def test_a_stolen_code_is_worthless_in_another_browser(office365: Office365) -> None:
    victim, attacker = Client(), Client()
    stolen = parse_qs(urlsplit(office365.sign_in(leave_for_office365(victim), "anita")).query)["code"][0]
    state = parse_qs(urlsplit(leave_for_office365(attacker)).query)["state"][0]
    refused(attacker.get(f"{LOGIN}callback/", {"code": stolen, "state": state}), attacker, office365, token="400 PKCE")
    assert office365.token_requests[-1]["code_verifier"]


def test_an_answer_works_once(office365: Office365) -> None:
    browser = Client()
    callback = office365.sign_in(leave_for_office365(browser), "anita")
    come_back(browser, callback)
    other = Client()
    assert come_back(other, callback).status_code == 401
    assert not is_signed_in(other)
    code = parse_qs(urlsplit(callback).query)["code"][0]
    state = parse_qs(urlsplit(leave_for_office365(other)).query)["state"][0]
    assert other.get(f"{LOGIN}callback/", {"code": code, "state": state}).status_code == 401
    assert not is_signed_in(other)


def test_a_deactivated_account_is_told_so_and_the_trail_tells_of_it(office365: Office365) -> None:
    sign_in_as(Client(), office365, "anita")
    User.objects.update(is_active=False)
    browser = Client()
    answer = sign_in_as(browser, office365, "anita")
    assert answer.status_code == 401
    assert "deactivated" in answer.content.decode()
    assert not is_signed_in(browser)
    assert AuditEvent.objects.filter(tag="user:session:refused").count() == 1


def test_a_sandbox_has_no_answer_of_office365_to_take() -> None:
    assert Client().get(f"{LOGIN}callback/?code=x&state=y").status_code == 404


def test_who_cancels_at_office365_is_not_signed_in(office365: Office365) -> None:
    browser = Client()
    answer = come_back(browser, office365.refuse(leave_for_office365(browser)))
    assert answer.status_code == 302
    assert not is_signed_in(browser)


@pytest.mark.parametrize("process", ["connect", "redirect"])
def test_a_second_identity_cannot_be_connected_to_an_account(office365: Office365, process: str) -> None:
    browser = Client()
    sign_in_as(browser, office365, "anita")
    anita = User.objects.get()
    office365.add_person("eve", claims_of("Eve"))
    answer = sign_in_as(browser, office365, "eve", process=process)
    assert answer.status_code == 401
    assert not SocialAccount.objects.exists()
    assert User.objects.get() == anita


@pytest.mark.parametrize("path", ["/accounts/signup/", "/accounts/password/reset/", "/accounts/social/signup/"])
def test_there_is_no_local_account_to_make(office365: Office365, path: str) -> None:
    browser = Client()
    form = {"email": "eve@evil.example", "password1": "x", "password2": "x"}
    for answer in (browser.get(path, follow=True), browser.post(path, form, follow=True)):
        assert answer.status_code in {200, 403, 404, 405}
        assert not is_signed_in(browser)
    assert not User.objects.exists()


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:9", "{office365}/users", "{office365}/oauth2/authorize"])
def test_an_office365_that_is_down_or_not_itself_is_told_and_loses_nothing(
    office365: Office365, settings: Settings, base_url: str
) -> None:
    browser = Client()
    callback = office365.sign_in(leave_for_office365(browser), "anita")
    app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
    working, app["settings"]["server_url"] = (
        app["settings"]["server_url"],
        base_url.format(office365=office365.base_url),
    )
    for answer in (come_back(browser, callback), browser.post(LOGIN)):
        assert answer.status_code == 503
        assert "Office365 isn’t responding. Try again in a few minutes." in answer.content.decode()
        assert not is_signed_in(browser)
    app["settings"]["server_url"] = working
    sign_in_as(browser, office365, "anita")
    assert is_signed_in(browser)
