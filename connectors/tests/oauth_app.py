"""A program that signs its users in by OAuth, and one browser."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.test import Client

from accounts.models import User
from connectors.models import Connector
from connectors.tests.factories import person_of

AUTHORIZE, TOKEN = "/api/oauth/authorize", "/api/oauth/token"
BACK = "https://planner.example/callback?from=kaizala"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


@dataclass
class App:
    """A program that signs its users in, and one browser."""

    connector: Connector
    secret: str
    browser: Client

    def ask(self, path: str = AUTHORIZE, **parameters: str) -> Any:
        return self.browser.get(path, {"client_id": str(self.connector.pk), "redirect_uri": BACK, **parameters})

    def consent_page(self, **parameters: str) -> str:
        answer = self.ask(**parameters)
        assert answer.status_code == 302, answer.content
        assert answer["Location"].startswith("/console/consent/")
        return str(answer["Location"])

    def shown_on(self, page: str) -> str:
        """The scopes that the form says it was shown with."""
        found = re.search(r'name="shown" value="([^"]*)"', self.browser.get(page).content.decode())
        return found.group(1) if found else ""

    def answer(self, page: str, user: User, decision: str = "allow", shown: str | None = None) -> Any:
        """Press a button of the consent page as it stands now, or as it was when it was `shown`."""
        told = self.shown_on(page) if shown is None else shown
        return self.browser.post(page, {"decision": decision, "person": str(person_of(user).pk), "shown": told})

    def code(self, user: User, **parameters: str) -> str:
        answer = self.answer(self.consent_page(**parameters), user)
        assert answer.status_code == 302, answer.content.decode()
        return query_of(answer)["code"]

    def redeem(self, code: str, **other: str | None) -> Any:
        client = {"client_id": str(self.connector.pk), "client_secret": self.secret}
        body = {**client, "code": code, "redirect_uri": BACK, **other}
        return post_form({name: value for name, value in body.items() if value is not None})


def query_of(answer: Any) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(answer["Location"]).query).items()}


def post_form(body: dict[str, str], **headers: str) -> Any:
    return Client().post(TOKEN, urlencode(body), content_type="application/x-www-form-urlencoded", headers=headers)


def refused(answer: Any, status: int, oauth_code: str) -> str:
    assert answer.status_code == status, answer.content
    body = answer.json()
    assert set(body) == {"message", "errorCode", "errorCategoryKey", "error", "error_description"}
    assert body["error"] == oauth_code
    message: str = body["message"]
    return message
