"""What the tests of signing in share: the way to Office365 and back."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from django.test import Client
from pytest_django import Settings

from accounts.tests.office365_server import Office365
from kaizala_console import configuration

TENANT, OTHER_TENANT = "11111111-2222-4333-8444-555555555555", "99999999-2222-4333-8444-555555555555"
SECRET = "a-client-secret-of-the-tests-only"
LOGIN = "/accounts/oidc/office365/login/"


def use(settings: Settings, office365: Office365, tenants: list[str]) -> None:
    """The settings of production, as `kaizala_console.settings` makes them, with this provider as the authority."""
    app = configuration.office365_app("a-client-id", SECRET, tenants, office365.base_url)
    app["settings"]["server_url"] = office365.base_url  # the mock has one issuer, at its root
    settings.SANDBOX = False
    settings.OFFICE365_TENANTS = tenants
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}


def claims_of(name: str, *, tid: str = TENANT, oid: str | None = None, **more: Any) -> dict[str, Any]:
    """What an id token of Entra says of somebody."""
    address = f"{name.lower().replace(' ', '.')}@contoso.example"
    return {
        "tid": tid,
        "oid": oid or str(uuid4()),
        "name": name,
        "email": address,
        "preferred_username": address,
        **more,
    }


def leave_for_office365(browser: Client, **fields: str) -> str:
    """Presses "Sign in with Office365"; returns where the browser is sent."""
    answer = browser.post(LOGIN, fields)
    assert answer.status_code == 302, answer.content
    return answer["Location"]


def come_back(browser: Client, callback: str) -> Any:
    """The browser follows where Office365 sends it."""
    parts = urlsplit(callback)
    return browser.get(f"{parts.path}?{parts.query}")


def sign_in_as(browser: Client, office365: Office365, sub: str, **fields: str) -> Any:
    """There and back."""
    return come_back(browser, office365.sign_in(leave_for_office365(browser, **fields), sub))


def is_signed_in(browser: Client) -> bool:
    """Whether its session belongs to an account."""
    return "_auth_user_id" in browser.session
