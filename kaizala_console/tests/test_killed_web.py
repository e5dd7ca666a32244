"""The web process is killed before every statement that writes: of a grant and of a claim there is all, or nothing.

And then the person presses the button again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, Notice, User
from connectors.models import Connector, Grant, Handoff, OneTimeSecret, RefreshToken
from connectors.tests.factories import let_in, make_connector
from groups.models import Group, GroupGrant
from groups.tests.factories import make_group
from kaizala_console.tests.dying import HEADER
from kaizala_console.tests.ports import free_port
from kaizala_console.tests.test_processes import eventually

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]
ROOT = Path(__file__).resolve().parent.parent.parent
CSRF = "c" * 32


class Web:
    """A real web server on the test's database, started anew whenever it has died."""

    def __init__(self) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.stop()
        variables = {
            "DJANGO_SETTINGS_MODULE": "kaizala_console.tests.worker",
            "CONSOLE_TEST_DATABASE": str(connection.settings_dict["NAME"]),
            "CONSOLE_TEST_SMTP_PORT": "1",
            "CONSOLE_TEST_PORT": str(self.port),
        }
        self._server = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=ROOT,
            env=os.environ | variables,
            start_new_session=True,
        )
        assert eventually(lambda: answers(self.address), seconds=60)

    def stop(self) -> None:
        if self._server is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait(timeout=10)


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    server.start()
    yield server
    server.stop()


def answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/healthz", timeout=5).status_code == 200
    except requests.RequestException:
        return False


class Person:
    """Somebody at a browser: signed in, freshly confirmed, with the console's own CSRF cookie."""

    def __init__(self, web: Web, browser: Client) -> None:
        self.web = web
        self.session = requests.Session()
        self.session.cookies.set(settings.SESSION_COOKIE_NAME, browser.cookies[settings.SESSION_COOKIE_NAME].value)
        self.session.cookies.set(settings.CSRF_COOKIE_NAME, CSRF)

    def press(self, path: str, data: dict[str, str], *, die_before: int = 0) -> requests.Response | None:
        """The answer, or None when the process died under the request."""
        headers = {"X-CSRFToken": CSRF, "Referer": self.web.address}
        if die_before:
            headers[HEADER] = str(die_before)
        address = self.web.address + path
        try:
            return self.session.post(address, data=data, headers=headers, timeout=20, allow_redirects=False)
        except requests.ConnectionError:
            self.web.start()
            return None


def state() -> tuple[int, ...]:
    """How many rows there are of everything that a grant and a claim write."""
    models: list[Any] = [Grant, GroupGrant, RefreshToken, Handoff, Notice, OneTimeSecret, AuditEvent]
    return tuple(model.objects.count() for model in models)


@pytest.fixture
def connector(developer: User) -> Connector:
    return make_connector(developer, "Shift Planner")


@pytest.fixture
def group(group_admin: User) -> Group:
    return make_group("Night Shift", organisation=group_admin.organisation, admins=[group_admin])


def steps(answer: requests.Response | None, *, fewest: int = 4) -> list[int]:
    """Statements to die before, spread over all that an undisturbed request wrote; the last are past its commit."""
    assert answer is not None
    assert answer.status_code < 400, answer.text
    count = int(answer.headers["X-Statements"])
    assert count >= fewest
    return sorted({1, 2, count - 1, count, *range(3, count, max(1, count // 6))})


def test_killed_anywhere_in_a_grant_there_is_all_of_it_or_nothing(
    web: Web,
    browser_of: Callable[..., Client],
    group_admin: User,
    developer: User,
    group: Group,
    connector: Connector,
) -> None:
    admin = Person(web, browser_of(group_admin))
    path = reverse("groups:connector_add", args=[group.pk])
    undisturbed = admin.press(path, {"connector": str(make_connector(developer, "Another").pk)})
    before = state()
    for step in steps(undisturbed):
        admin.press(path, {"connector": str(connector.pk)}, die_before=step)
        if Grant.objects.filter(connector=connector).exists():
            break  # it died past the commit: the grant stands whole, though its answer was lost
        assert state() == before, f"killed before statement {step}, something is left of the grant"
    # The person presses the button again, whatever became of the first time.
    assert admin.press(path, {"connector": str(connector.pk)}) is not None
    assert Grant.objects.filter(connector=connector, group_grant__group=group).count() == 1
    assert RefreshToken.objects.filter(grant__connector=connector).count() == 1
    handoff = Handoff.objects.get(connector=connector)
    assert handoff.sealed is not None
    assert Notice.objects.filter(user=developer).count() == 2, "one for each connector"


def test_killed_anywhere_in_a_claim_the_token_is_not_lost(
    web: Web, browser_of: Callable[..., Client], group_admin: User, developer: User, connector: Connector
) -> None:
    first, handoff = (let_in(connector, group_admin).handoff for _number in range(2))
    owner, form = Person(web, browser_of(developer)), {"idempotency_key": "k" * 32}
    undisturbed = owner.press(reverse("connectors:handoff_claim", args=[first.pk]), {"idempotency_key": "f" * 32})
    path = reverse("connectors:handoff_claim", args=[handoff.pk])
    before = state()
    for step in steps(undisturbed):
        owner.press(path, form, die_before=step)
        handoff.refresh_from_db()
        if handoff.claimed_at:
            break  # it died past the commit: the answer was lost, and the token must not be
        assert state() == before, f"killed before statement {step}, something is left of the claim"
        assert handoff.sealed is not None
    again = owner.press(path, form)
    assert again is not None
    assert "kzrt_" in again.text
    handoff.refresh_from_db()
    assert (handoff.claimed_by, handoff.sealed) == (developer, None)
