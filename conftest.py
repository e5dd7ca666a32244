"""The cast of the tests, the outboxes, and a clock that tests set."""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.db import connection
from django.test import Client

from accounts.models import Organisation, SandboxSms, User
from accounts.services import reauthentication, sessions
from accounts.tests import factories
from kaizala_console.lib import clock
from kaizala_console.lib.prepared import Prepared
from kaizala_console.tests import migrated

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
pytest_plugins = [
    "kaizala_console.tests.plugin",
    "kaizala_console.tests.browser",
    "kaizala_console.tests.real_worker",
]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """As pytest-django's, kept as it is when it is new; and at the end nobody holds the database that it drops.

    Playwright runs an event loop in the tests' own thread. A test that asks for the database only then has another
    connection than the one that is closed at the end.
    """
    with django_db_blocker.unblock():
        migrated.keep()
    yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture
def compiled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """No statement is kept: for a test that changes what goes into them, like how far is counted."""
    monkeypatch.setattr(Prepared, "_compiled", property(lambda _self: None, lambda _self, _value: None), raising=False)


@pytest.fixture
def organisation(db: None) -> Organisation:
    """Where all of the cast but the outsider work."""
    return factories.make_organisation()


@pytest.fixture
def developer(organisation: Organisation) -> User:
    """Owns connectors."""
    return factories.make_user("Devika Rao", organisation)


@pytest.fixture
def group_admin(organisation: Organisation) -> User:
    """Runs the groups of the tests."""
    return factories.make_user("Arjun Mehta", organisation)


@pytest.fixture
def member(organisation: Organisation) -> User:
    """Is in the groups, and runs none."""
    return factories.make_user("Meera Nair", organisation)


@pytest.fixture
def stranger(organisation: Organisation) -> User:
    """A colleague who owns nothing and is in no group."""
    return factories.make_user("Sunil Verma", organisation)


@pytest.fixture
def organisation_admin(organisation: Organisation) -> User:
    """May do everything in the organisation's groups."""
    return factories.make_user("Farah Khan", organisation, is_organisation_admin=True)


@pytest.fixture
def second_admin(organisation: Organisation) -> User:
    """Another admin of the organisation, who confirms what the first may not decide alone."""
    return factories.make_user("Gita Pillai", organisation, is_organisation_admin=True)


@pytest.fixture
def operator(organisation: Organisation) -> User:
    """Runs the console."""
    return factories.make_user("Omar Dsouza", organisation, is_staff=True)


@pytest.fixture
def outsider(db: None) -> User:
    """Somebody of another organisation, an admin there."""
    return factories.make_user("Olga Petrova", factories.make_organisation("Fabrikam"), is_organisation_admin=True)


@pytest.fixture
def browser_of() -> Callable[..., Client]:
    """`browser_of(user)`: a browser that has just signed in and confirmed; `confirmed=False` for signed in only.

    `recent=False` leaves out that the sign-in was a short while ago.
    """

    def browser_of(user: User, *, confirmed: bool = True, recent: bool = True) -> Client:
        client = Client()
        client.force_login(user)
        session = client.session
        now = clock.now().timestamp()
        seen = {"began": now, "at": now, "address": "192.0.2.7", "user_agent": BROWSER}
        session[sessions.SESSION_KEY] = seen
        if recent:
            reauthentication.note_login(session, user, claims={"auth_time": int(clock.now().timestamp())})
        if confirmed:
            reauthentication.remember_confirmation(session, user)
        session.save()
        return client

    return browser_of


class Phones:
    """What arrived on people's phones: the sandbox's inbox."""

    def texts(self, number: str) -> list[str]:
        """The texts to a number, the newest first."""
        return list(SandboxSms.objects.filter(number=number).order_by("-id").values_list("text", flat=True))

    def pin(self, number: str) -> str:
        """The PIN in the newest SMS to a number."""
        found = re.search(r"\b\d{6}\b", self.texts(number)[0])
        assert found is not None
        return found.group()


@pytest.fixture
def phones(db: None) -> Phones:
    """Reads the SMS that the sandbox kept."""
    return Phones()


@pytest.fixture
def outbox(mailoutbox: list[EmailMessage]) -> list[EmailMessage]:
    """The mails that were sent."""
    return mailoutbox


@pytest.fixture
def travel(time_machine: Any) -> Callable[..., dt.datetime]:
    """`travel(minutes=11)` moves the clock on and returns the new moment; the clock then stands still."""
    now = clock.now()
    # In the midst of the next millisecond: what is made a microsecond later has the same moment on the wire.
    middle = now.replace(microsecond=now.microsecond // 1000 * 1000 + 500)
    time_machine.move_to(middle + dt.timedelta(milliseconds=1), tick=False)

    def travel(**delta: float) -> dt.datetime:
        time_machine.shift(dt.timedelta(**delta))
        return clock.now()

    return travel


@pytest.fixture
def together(transactional_db: None) -> Callable[..., list[Any]]:
    """`together(8, act)`: eight threads, each with its own database connection, call `act` at the same moment.

    Returns what each call returned or raised.
    """

    def together(number: int, act: Callable[[], Any]) -> list[Any]:
        gate = threading.Barrier(number)

        def run(_index: int) -> Any:
            try:
                gate.wait(timeout=20)
                return act()
            except Exception as error:  # noqa: BLE001 (what went wrong is what the test looks at)
                return error
            finally:
                connection.close()

        with ThreadPoolExecutor(max_workers=number) as threads:
            return list(threads.map(run, range(number)))

    return together
