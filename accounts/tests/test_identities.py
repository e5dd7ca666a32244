"""From claims to an account: what identifies, what is shown, and at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from pytest_django import Settings

from accounts import sandbox
from accounts.models import AuditEvent, Organisation, User
from accounts.services import login
from accounts.services.login import read_identity
from accounts.tests.sign_in_walk import (
    TENANT,
    claims_of,
    is_signed_in,
)
from kaizala_console.lib.errors import NotAllowed

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")]


def test_the_sandbox_lets_its_own_tenant_in_alone(settings: Settings) -> None:
    assert login.allowed_tenants() == {sandbox.TENANT_ID}
    with pytest.raises(NotAllowed):
        read_identity(claims_of("Anita Desai", tid=TENANT))
    settings.SANDBOX, settings.OFFICE365_TENANTS = False, [TENANT]
    with pytest.raises(NotAllowed):
        read_identity(claims_of("Anita Desai", tid=sandbox.TENANT_ID))


def test_the_sandboxs_identities_are_no_way_in_outside_a_sandbox(settings: Settings) -> None:
    settings.SANDBOX, settings.OFFICE365_TENANTS = False, [sandbox.TENANT_ID]
    browser = Client()
    for path in ("/accounts/dummy/login/", "/sandbox/identities", "/accounts/dummy/authenticate/?state=x"):
        browser.post(path, {"identity": "operator", "id": "1"})
        assert not is_signed_in(browser)
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
def test_two_first_sign_ins_at_once_make_one_account(together: Callable[..., list[Any]]) -> None:
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


def test_the_database_knows_a_subject_and_a_tenant_once(developer: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user(developer.subject, organisation=developer.organisation, name="Again")
    with pytest.raises(IntegrityError), transaction.atomic():
        Organisation.objects.create(name="Again", entra_tenant_id=developer.organisation.entra_tenant_id)
