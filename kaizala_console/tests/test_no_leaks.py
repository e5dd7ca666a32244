"""One whole journey with all its credentials, and then a look everywhere for each of them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from accounts.sandbox import BY_KEY
from accounts.tests.factories import make_organisation
from connectors import token_format
from connectors.services import token_exchange
from groups.models import Group
from kaizala_console.tests.leaks import Everything, watching

pytestmark = pytest.mark.django_db(transaction=True)


class Journey:
    """Two people and a program, by plain requests; `secrets` are all credentials that it met, by what they are."""

    def __init__(self, everything: Everything, pin_of: Callable[[str], str]) -> None:
        self.everything = everything
        self.pin_of = pin_of
        self.secrets: dict[str, str] = {}
        self.pages_with: dict[str, list[str]] = {}

    def get(self, client: Client, address: str, **headers: str) -> Any:
        return self._keep(client.get(address, headers=headers or None))

    def post(self, client: Client, address: str, **data: Any) -> Any:
        return self._keep(client.post(address, data))

    def follow(self, client: Client, response: Any) -> Any:
        while response.status_code in {301, 302, 303}:
            response = self.get(client, response.headers["Location"])
        return response

    def _keep(self, response: Any) -> Any:
        self.everything.saw(response)
        if response.get("Content-Type", "").startswith("text/html"):
            for found in token_format.PATTERN.findall(unescape(response.text)):
                self.pages_with.setdefault(found, []).append(response.request["PATH_INFO"])
        return response

    def come(self, key: str) -> Client:
        """Signs a ready identity in, and verifies their phone."""
        client, identity = Client(), BY_KEY[key]
        self.follow(client, self.post(client, reverse("accounts:identities"), identity=key))
        asked = self.post(client, reverse("accounts:phone_add"), region="IN", number=identity.number)
        pin = self.pin_of(identity.number)
        self.secrets[f"PIN of {key}"] = pin
        wrong = f"{(int(pin) + 1) % 1_000_000:06d}"
        assert self.post(client, asked.headers["Location"], pin=wrong).status_code == 400
        self.follow(client, self.post(client, asked.headers["Location"], pin=pin))
        return client


def _form_key(page: Any) -> str:
    found = re.search(r'name="idempotency_key" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return found.group(1)


def _credential(page: Any, kind: token_format.CredentialKind) -> str:
    found = [text for text in token_format.PATTERN.findall(unescape(page.text)) if text.startswith(kind)]
    assert found, page.text
    return str(found[0])


@pytest.mark.postgresql
def test_no_credential_of_a_whole_journey_is_left_anywhere(phones: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    call_command("demo", first_run=True, verbosity=0)
    with watching() as everything:
        journey = Journey(everything, phones.pin)
        _walk(journey, monkeypatch)

    assert len(journey.secrets) >= 8, "the journey met all kinds"
    assert _left(everything, journey.secrets) == {}
    # Not even the part that nobody could guess, without its prefix and checksum.
    parts = {name: secret[-40:-8] for name, secret in journey.secrets.items() if secret.startswith("kz")}
    assert _left(everything, parts) == {}
    # Each stood on the page that showed it, and on no other.
    assert {path.rsplit("/", 2)[-2] for paths in journey.pages_with.values() for path in paths} == {
        "permissions",
        "claim",
        "show",
    }


def _left(everything: Everything, secrets: dict[str, str]) -> dict[str, list[str]]:
    found = {name: everything.where(secret) for name, secret in secrets.items()}
    return {name: places for name, places in found.items() if places}


def test_the_watcher_finds_what_is_left_behind() -> None:
    """The test of the test: a secret put in each place is found there."""
    secret = token_format.generate(token_format.CredentialKind.REFRESH).token
    with watching() as everything:
        logging.getLogger("connectors").debug("exchanged %s", secret)
        make_organisation(secret)
        client = Client()
        session = client.session
        session["kept"] = secret
        session.save()
        everything.saw(client.get("/healthz", {"token": secret}))
    assert set(everything.where(secret)) == {
        "address",
        "log",
        "session",
        "sql",
        "table accounts_organisation",
        "table accounts_session",
    }


def _walk(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    developer, admin = journey.come("developer"), journey.come("group-admin")
    runs = Group.objects.filter(memberships__person__number=BY_KEY["group-admin"].number, memberships__role="Admin")
    group = runs.first()
    assert group is not None

    # 1: the connector, with a double click, a download, and "Done".
    details = {"name": "Shift Planner", "description": "", "home_page": "", "redirect_urls": ""}
    second = journey.post(developer, reverse("connectors:create"), **details)
    permissions = ["groupinfo", "groupmember", "textmessage"]
    form: dict[str, Any] = {**details, "idempotency_key": _form_key(second), "permissions": permissions}
    journey.secrets["form key"] = form["idempotency_key"]
    created = journey.post(developer, reverse("connectors:create_permissions"), **form)
    again = journey.post(developer, reverse("connectors:create_permissions"), **form)
    secret = _credential(created, token_format.CredentialKind.SECRET)
    assert _credential(again, token_format.CredentialKind.SECRET) == secret
    journey.secrets["connector secret"] = secret
    connector_id = re.search(r"connectors/([0-9a-f-]{36})/secret/done/", created.text)
    assert connector_id is not None
    at = [connector_id.group(1)]
    journey.post(
        developer,
        reverse("connectors:connector_download", args=at),
        idempotency_key=form["idempotency_key"],
        kind="env",
    )
    journey.post(
        developer, reverse("connectors:connector_done", args=at), idempotency_key=form["idempotency_key"], stored="1"
    )

    # 2: the grant, shown once to the admin.
    granted = journey.post(admin, reverse("groups:connector_add", args=[group.pk]), connector=at[0], end_date="")
    grant_page = journey.follow(admin, granted)
    show_url = granted.headers["Location"] + "show/"
    shown = journey.post(admin, show_url, idempotency_key=_form_key(grant_page))
    journey.secrets["refresh token"] = _credential(shown, token_format.CredentialKind.REFRESH)
    journey.post(admin, f"{show_url}done/", idempotency_key=_form_key(grant_page), stored="1")

    # 3: the claim.
    inbox = journey.get(developer, reverse("handoffs"))
    claim_url = re.search(r"/console/handoffs/[0-9a-f-]{36}/claim/", inbox.text)
    assert claim_url is not None
    claimed = journey.post(developer, claim_url.group(), idempotency_key=_form_key(inbox))
    assert _credential(claimed, token_format.CredentialKind.REFRESH) == journey.secrets["refresh token"]
    journey.secrets["form key of the claim"] = _form_key(inbox)
    done_url = claim_url.group().replace("/claim/", "/done/")
    journey.post(developer, done_url, idempotency_key=_form_key(inbox), stored="1")

    # 4: the program; also with everything wrong, and with a fault of ours in the middle.
    program = Client(raise_request_exception=False)
    three = {
        "applicationId": at[0],
        "applicationSecret": secret,
        "refreshToken": journey.secrets["refresh token"],
    }
    answer = journey.get(program, "/v1/accessToken", **three)
    assert answer.status_code == 200, answer.text
    journey.secrets["access token"] = answer.json()["accessToken"]
    headers = {"accessToken": answer.json()["accessToken"]}
    assert journey.get(program, "/v1/groups", **headers).status_code == 200
    journey.get(program, "/v1/users/me", **headers)
    for name in three:
        wrong = {**three, name: three[name][:-1] + ("a" if three[name][-1] != "a" else "b")}
        journey.secrets[f"almost the {name}"] = wrong[name]
        refused = journey.get(program, "/v1/accessToken", **wrong)
        assert refused.status_code == 401
        assert not any(value in refused.text for value in journey.secrets.values())
    del journey.secrets["almost the applicationId"]  # an ID is no secret

    def broken(**_arguments: Any) -> None:
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as patched:
        patched.setattr(token_exchange, "exchange", broken)
        assert journey.get(program, "/v1/accessToken", **three).status_code == 500
    journey.post(admin, granted.headers["Location"] + "remove/", typed="Shift Planner")
    assert journey.get(program, "/v1/groups", **headers).status_code == 401
