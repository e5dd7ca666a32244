"""Signing in with Office365, against a real OpenID provider on this machine; and who is kept out."""

from __future__ import annotations

import base64
import json
import logging
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.test import Client
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from pytest_django import Settings

from accounts import sandbox
from accounts.models import AuditEvent, Organisation, User
from accounts.models.session import SessionStore
from accounts.services import login
from accounts.services.login import read_identity
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
from kaizala_console.lib.errors import NotAllowed
from kaizala_console.lib.tests.cast import Together

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")]


@pytest.mark.postgresql
def test_the_first_sign_in_makes_the_account_and_its_organisation(client: Client, office365: Office365) -> None:
    office365.add_person("anita", claims_of("Anita Desai", oid="aaaaaaaa-0000-4000-8000-000000000001"))
    answer = sign_in_as(client, office365, "anita")
    assert (answer.status_code, answer["Location"]) == (302, "/console/")
    assert is_signed_in(client)
    user = User.objects.get()
    assert user.subject == f"{TENANT}:aaaaaaaa-0000-4000-8000-000000000001"
    assert (user.name, user.email) == ("Anita Desai", "anita.desai@contoso.example")
    assert (user.organisation.entra_tenant_id, user.organisation.name) == (TENANT, "contoso.example")
    assert [user.is_organisation_admin, user.is_staff, user.is_superuser] == [False] * 3
    assert not user.has_usable_password()
    assert list(AuditEvent.objects.order_by("id").values_list("tag", flat=True)) == [
        "organisation:tenant:added",
        "user:account:created",
        "user:session:started",
    ]


@pytest.mark.postgresql
def test_a_person_is_the_same_account_for_ever_whatever_the_name_and_address(office365: Office365) -> None:
    oid = str(uuid4())
    office365.add_person("anita", claims_of("Anita Desai", oid=oid))
    sign_in_as(Client(), office365, "anita")
    office365.add_person("anita", claims_of("Anita Sharma", oid=oid))
    sign_in_as(Client(), office365, "anita")
    user = User.objects.get()
    assert (user.name, user.email) == ("Anita Sharma", "anita.sharma@contoso.example")
    event = AuditEvent.objects.get(tag="user:account:changed")
    assert event.before == {"name": "Anita Desai", "email": "anita.desai@contoso.example"}
    assert Organisation.objects.count() == 1
    office365.add_person("somebody", claims_of("Anita Sharma"))
    sign_in_as(Client(), office365, "somebody")
    assert User.objects.filter(email=user.email).count() == 2, "an address that changed hands opens no account"


def test_roles_stay_what_an_operator_made_them(office365: Office365) -> None:
    sign_in_as(Client(), office365, "anita")
    User.objects.update(is_organisation_admin=True)
    sign_in_as(Client(), office365, "anita")
    assert User.objects.get().is_organisation_admin
    office365.add_person("climber", claims_of("Cl Imber", roles=["admin"], is_staff=True, wids=["global admin"]))
    sign_in_as(Client(), office365, "climber")
    assert not User.objects.get(name="Cl Imber").is_organisation_admin


def test_office365_is_asked_with_pkce_and_a_new_session_begins(client: Client, office365: Office365) -> None:
    there = leave_for_office365(client)
    asked = parse_qs(urlsplit(there).query)
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert set(asked["scope"][0].split()) >= {"openid", "profile", "email"}
    come_back(client, office365.refuse(there))
    assert not is_signed_in(client), "who cancels"
    there = leave_for_office365(client)
    before = client.session.session_key
    come_back(client, office365.sign_in(there, "anita"))
    (token_request,) = office365.token_requests
    assert token_request["client_secret"] == SECRET
    assert len(token_request["code_verifier"]) >= 43
    assert client.session.session_key != before
    assert not SessionStore().exists(before or "")


def test_one_lands_where_one_wanted_to_go_and_never_elsewhere(office365: Office365) -> None:
    there = sign_in_as(Client(), office365, "anita", next="/console/settings/")
    assert there["Location"] == "/console/settings/"
    for elsewhere in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        assert sign_in_as(Client(), office365, "anita", next=elsewhere)["Location"] == "/console/"


@pytest.mark.postgresql
def test_no_token_of_office365_stays_in_a_session_a_table_or_a_log(
    client: Client, office365: Office365, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    callback = office365.sign_in(leave_for_office365(client), "anita")
    come_back(client, callback)
    kept = str(client.session.items()) + str(list(AuditEvent.objects.values())) + caplog.text + capsys.readouterr().out
    begun = [urlsafe_b64decode(word) for word in re.findall(r"eyJ[\w-]{5}", kept)]
    assert not [head for head in begun if re.match(rb'\{"[a-z_]{3}', head)], "an id token or access token, or a part"
    assert SECRET not in kept
    assert not SocialToken.objects.exists()
    assert not SocialAccount.objects.exists()
    assert not EmailAddress.objects.exists()


def test_the_sandbox_lets_its_own_tenant_in_alone(settings: Settings) -> None:
    assert login.allowed_tenants() == {sandbox.TENANT_ID}
    with pytest.raises(NotAllowed):
        read_identity(claims_of("Anita Desai", tid=TENANT))
    settings.SANDBOX, settings.OFFICE365_TENANTS = False, [TENANT]
    with pytest.raises(NotAllowed):
        read_identity(claims_of("Anita Desai", tid=sandbox.TENANT_ID))


def test_the_sandboxs_identities_are_no_way_in_outside_a_sandbox(client: Client, settings: Settings) -> None:
    settings.SANDBOX, settings.OFFICE365_TENANTS = False, [sandbox.TENANT_ID]
    for path in ("/accounts/dummy/login/", "/sandbox/identities", "/accounts/dummy/authenticate/?state=x"):
        client.post(path, {"identity": "operator", "id": "1"})
        assert not is_signed_in(client)
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("claims", "name", "email", "domain"),
    [
        ({"name": "  Anita   Desai ", "email": "a@b.example"}, "Anita Desai", "a@b.example", "b.example"),
        ({"preferred_username": "anita@b.example"}, "anita@b.example", "anita@b.example", "b.example"),
        ({"name": "A", "email": "no address", "preferred_username": "+919876543210"}, "A", "", ""),
        ({"name": ["A"], "email": 7, "preferred_username": None}, "22222222-2222-4222-8222-222222222222", "", ""),
        ({"name": "x" * 500, "email": "a" * 300 + "@b.example"}, "x" * 120, "", ""),
        ({"name": "A\nBcc: b", "email": "a@b.example\nBcc: c@d.example"}, "A Bcc: b", "", ""),
    ],
)
def test_whatever_the_claims_hold_the_account_gets_a_name(
    claims: dict[str, Any], name: str, email: str, domain: str
) -> None:
    ids = {"tid": sandbox.TENANT_ID, "oid": "22222222-2222-4222-8222-222222222222"}
    identity = read_identity({**ids, **claims})
    assert (identity.name, identity.email, identity.domain) == (name, email, domain)


@pytest.mark.django_db(transaction=True)
def test_two_first_sign_ins_at_once_make_one_account(together: Together) -> None:
    identity = read_identity(claims_of("Anita Desai", tid=sandbox.TENANT_ID))
    results = together(6, lambda: login.sign_in(identity=identity))
    assert {getattr(result, "pk", result) for result in results} == {User.objects.get().pk}, results
    assert AuditEvent.objects.filter(tag="user:account:created").count() == 1
    assert AuditEvent.objects.filter(tag="organisation:tenant:added").count() == 1


@pytest.mark.django_db(transaction=True)
def test_without_an_audit_row_nobody_comes_in(broken_trail: Callable[[], None]) -> None:
    identity = read_identity(claims_of("Anita Desai", tid=sandbox.TENANT_ID))
    broken_trail()
    with pytest.raises(OSError, match="audit"):
        login.sign_in(identity=identity)
    assert not User.objects.exists()
    assert not Organisation.objects.exists()


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


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        (claims_of("Olga Petrova", tid=OTHER_TENANT), "Your organisation does not use this console"),
        ({}, "work or school account"),
        ({"tid": TENANT}, "work or school account"),
        ({"oid": str(uuid4())}, "work or school account"),
        ({"tid": [TENANT], "oid": {"a": 1}}, "work or school account"),
    ],
)
def test_who_comes_from_no_tenant_or_one_that_is_not_allowed_is_told_so(
    client: Client, office365: Office365, claims: dict[str, Any], said: str
) -> None:
    office365.add_person("nobody", {"name": "No Body", **claims})
    assert said in refused(sign_in_as(client, office365, "nobody"), client, office365)


def test_an_issuer_that_is_not_configured_is_refused(client: Client, office365: Office365, settings: Settings) -> None:
    app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
    app["settings"]["openid_configuration_overrides"] = {"issuer": [f"{office365.base_url}/{OTHER_TENANT}/v2.0"]}
    refused(sign_in_as(client, office365, "anita"), client, office365)


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


def test_an_id_token_for_another_program_is_refused(client: Client, office365: Office365) -> None:
    office365.audience = "another-client-id"
    refused(sign_in_as(client, office365, "anita"), client, office365)


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
def test_an_id_token_that_office365_did_not_sign_is_refused(
    client: Client, office365: Office365, forge: Callable[[str], str]
) -> None:
    office365.forge = forge
    refused(sign_in_as(client, office365, "anita"), client, office365)
    office365.forge = None
    sign_in_as(client, office365, "anita")
    assert is_signed_in(client)


@pytest.mark.parametrize(
    "claims",
    [{"iat": 2**33}, {"iat": "now"}, {"nonce": "of-another-sign-in"}, {"nonce": ""}, {"exp": None}, {"nbf": 2**33}],
)
def test_an_id_token_of_another_time_or_another_sign_in_is_refused(
    client: Client, office365: Office365, claims: dict[str, Any]
) -> None:
    office365.add_person("anita", claims_of("Anita Desai", **claims))
    refused(sign_in_as(client, office365, "anita"), client, office365)


def test_an_answer_of_another_issuer_is_refused_before_its_code_is_used(client: Client, office365: Office365) -> None:
    for wrong in ("https://evil.example", ""):
        callback = office365.sign_in(leave_for_office365(client), "anita")
        refused(come_back(client, f"{callback}&iss={wrong}"), client, office365, token=None)
    come_back(client, f"{office365.sign_in(leave_for_office365(client), 'anita')}&iss={office365.base_url}")
    assert is_signed_in(client)


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


def test_an_answer_works_once(client: Client, office365: Office365) -> None:
    callback = office365.sign_in(leave_for_office365(client), "anita")
    come_back(client, callback)
    other = Client()
    assert come_back(other, callback).status_code == 401
    assert not is_signed_in(other)
    code = parse_qs(urlsplit(callback).query)["code"][0]
    state = parse_qs(urlsplit(leave_for_office365(other)).query)["state"][0]
    assert other.get(f"{LOGIN}callback/", {"code": code, "state": state}).status_code == 401
    assert not is_signed_in(other)


def test_a_deactivated_account_is_told_so_and_the_trail_tells_of_it(client: Client, office365: Office365) -> None:
    sign_in_as(Client(), office365, "anita")
    User.objects.update(is_active=False)
    answer = sign_in_as(client, office365, "anita")
    assert answer.status_code == 401
    assert "deactivated" in answer.content.decode()
    assert not is_signed_in(client)
    assert AuditEvent.objects.filter(tag="user:session:refused").count() == 1


def test_a_sandbox_has_no_answer_of_office365_to_take() -> None:
    assert Client().get(f"{LOGIN}callback/?code=x&state=y").status_code == 404


@pytest.mark.parametrize("process", ["connect", "redirect"])
def test_a_second_identity_cannot_be_connected_to_an_account(
    client: Client, office365: Office365, process: str
) -> None:
    sign_in_as(client, office365, "anita")
    anita = User.objects.get()
    office365.add_person("eve", claims_of("Eve"))
    answer = sign_in_as(client, office365, "eve", process=process)
    assert answer.status_code == 401
    assert not SocialAccount.objects.exists()
    assert User.objects.get() == anita


@pytest.mark.parametrize("path", ["/accounts/signup/", "/accounts/password/reset/", "/accounts/social/signup/"])
def test_there_is_no_local_account_to_make(client: Client, office365: Office365, path: str) -> None:
    form = {"email": "eve@evil.example", "password1": "x", "password2": "x"}
    for answer in (client.get(path, follow=True), client.post(path, form, follow=True)):
        assert answer.status_code in {200, 403, 404, 405}
        assert not is_signed_in(client)
    assert not User.objects.exists()


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:9", "{office365}/users", "{office365}/oauth2/authorize"])
def test_an_office365_that_is_down_or_not_itself_is_told_and_loses_nothing(
    client: Client, office365: Office365, settings: Settings, base_url: str
) -> None:
    callback = office365.sign_in(leave_for_office365(client), "anita")
    app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
    working, app["settings"]["server_url"] = (
        app["settings"]["server_url"],
        base_url.format(office365=office365.base_url),
    )
    for answer in (come_back(client, callback), client.post(LOGIN)):
        assert answer.status_code == 503
        assert "Office365 isn’t responding. Try again in a few minutes." in answer.content.decode()
        assert not is_signed_in(client)
    app["settings"]["server_url"] = working
    sign_in_as(client, office365, "anita")
    assert is_signed_in(client)
