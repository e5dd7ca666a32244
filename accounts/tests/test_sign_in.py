"""Signing in with Office365, against a real OpenID provider on this machine: code flow and PKCE."""

from __future__ import annotations

import logging
import re
from base64 import urlsafe_b64decode
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.test import Client

from accounts.models import AuditEvent, Organisation, User
from accounts.models.session import SessionStore
from accounts.tests.office365_server import Office365
from accounts.tests.sign_in_walk import (
    SECRET,
    TENANT,
    claims_of,
    come_back,
    is_signed_in,
    leave_for_office365,
    sign_in_as,
)

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")]


@pytest.mark.postgresql
def test_the_first_sign_in_makes_the_account_and_its_organisation(office365: Office365) -> None:
    office365.add_person("anita", claims_of("Anita Desai", oid="aaaaaaaa-0000-4000-8000-000000000001"))
    browser = Client()
    answer = sign_in_as(browser, office365, "anita")
    assert (answer.status_code, answer["Location"]) == (302, "/console/")
    assert is_signed_in(browser)
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
def test_a_person_is_the_same_account_for_ever_and_name_and_address_are_those_of_today(office365: Office365) -> None:
    oid = str(uuid4())
    office365.add_person("anita", claims_of("Anita Desai", oid=oid))
    sign_in_as(Client(), office365, "anita")
    first = User.objects.get()
    office365.add_person("anita", claims_of("Anita Sharma", oid=oid))
    sign_in_as(Client(), office365, "anita")
    user = User.objects.get()
    assert user.pk == first.pk
    assert (user.name, user.email) == ("Anita Sharma", "anita.sharma@contoso.example")
    event = AuditEvent.objects.get(tag="user:account:changed")
    assert event.before == {"name": "Anita Desai", "email": "anita.desai@contoso.example"}
    assert Organisation.objects.count() == 1


def test_an_address_that_changed_hands_opens_no_account(office365: Office365) -> None:
    sign_in_as(Client(), office365, "anita")
    office365.add_person("somebody", claims_of("Anita Desai"))
    sign_in_as(Client(), office365, "somebody")
    assert User.objects.filter(email="anita.desai@contoso.example").count() == 2


def test_roles_stay_what_an_operator_made_them(office365: Office365) -> None:
    sign_in_as(Client(), office365, "anita")
    User.objects.update(is_organisation_admin=True)
    sign_in_as(Client(), office365, "anita")
    assert User.objects.get().is_organisation_admin
    office365.add_person("climber", claims_of("Cl Imber", roles=["admin"], is_staff=True, wids=["global admin"]))
    sign_in_as(Client(), office365, "climber")
    assert not User.objects.get(name="Cl Imber").is_organisation_admin


def test_office365_is_asked_with_pkce_and_a_state_of_this_browser(office365: Office365) -> None:
    browser = Client()
    there = leave_for_office365(browser)
    asked = parse_qs(urlsplit(there).query)
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert set(asked["scope"][0].split()) >= {"openid", "profile", "email"}
    come_back(browser, office365.sign_in(there, "anita"))
    (token_request,) = office365.token_requests
    assert token_request["client_secret"] == SECRET
    assert len(token_request["code_verifier"]) >= 43


def test_one_lands_where_one_wanted_to_go_and_never_elsewhere(office365: Office365) -> None:
    there = sign_in_as(Client(), office365, "anita", next="/console/settings/")
    assert there["Location"] == "/console/settings/"
    for elsewhere in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        assert sign_in_as(Client(), office365, "anita", next=elsewhere)["Location"] == "/console/"


def test_a_new_session_begins_with_the_sign_in(office365: Office365) -> None:
    browser = Client()
    there = leave_for_office365(browser)
    before = browser.session.session_key
    come_back(browser, office365.sign_in(there, "anita"))
    assert browser.session.session_key != before
    assert not SessionStore().exists(before or "")


@pytest.mark.postgresql
def test_no_token_of_office365_stays_in_a_session_a_table_or_a_log(
    office365: Office365, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    browser = Client()
    callback = office365.sign_in(leave_for_office365(browser), "anita")
    come_back(browser, callback)
    kept = str(browser.session.items()) + str(list(AuditEvent.objects.values())) + caplog.text + capsys.readouterr().out
    begun = [urlsafe_b64decode(word) for word in re.findall(r"eyJ[\w-]{5}", kept)]
    assert not [head for head in begun if re.match(rb'\{"[a-z_]{3}', head)], "an id token or access token, or a part"
    assert SECRET not in kept
    assert not SocialToken.objects.exists()
    assert not SocialAccount.objects.exists()
    assert not EmailAddress.objects.exists()
