"""A standard OAuth library signs a person in, over HTTP, with nothing written for this console but three addresses."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from authlib.integrations.requests_client import OAuth2Session
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from connectors.models import Connector
from connectors.tests.factories import make_secret, person_of

BACK = "https://planner.example/callback"


@pytest.mark.parametrize("auth_method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.django_db(transaction=True)
def test_authlib_completes_the_flow_and_refreshes(
    live_server: LiveServer, connector: Connector, member: User, browser_of: Any, auth_method: str
) -> None:
    Connector.objects.update(redirect_urls=[BACK], pkce_required=True)
    library = OAuth2Session(
        str(connector.pk),
        make_secret(connector)[1],
        redirect_uri=BACK,
        code_challenge_method="S256",
        token_endpoint_auth_method=auth_method,
        token_endpoint=f"{live_server}/api/oauth/token",
    )
    verifier = "a-verifier-that-is-long-enough-for-the-rfc-7636"
    url, state = library.create_authorization_url(f"{live_server}/api/Oauth/Authorize", code_verifier=verifier)
    answer = _allowed(browser_of(member), url, member)
    assert f"state={state}" in answer
    token = library.fetch_token(authorization_response=answer, code_verifier=verifier)
    assert token["token_type"] == "Bearer"
    me = library.get(f"{live_server}/v1/users/me")
    assert me.status_code == 403, "the connector did not ask for User Profile"
    assert library.get(f"{live_server}/v1/groups").json() == {"groups": []}
    again = library.refresh_token(f"{live_server}/api/oauth/token", refresh_token=token["refresh_token"])
    assert again["access_token"]
    assert library.get(f"{live_server}/v1/groups").status_code == 200


def _allowed(browser: Client, url: str, user: User) -> str:
    """What the person does in the browser, and where it is sent in the end."""
    parts = urlsplit(url)
    asked = browser.get(f"{parts.path}?{parts.query}")
    page = asked["Location"]
    shown = re.search(r'name="shown" value="([^"]+)"', browser.get(page).content.decode())
    assert shown
    answer = browser.post(page, {"decision": "allow", "person": str(person_of(user).pk), "shown": shown.group(1)})
    assert answer.status_code == 302
    return str(answer["Location"])
