"""The cast of this app's tests: a connector of the developer, and a program that has been let into a group."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.db import DatabaseError
from django.test import Client
from pytest_django import Settings

from accounts.models import AuditEvent, Notice, User
from connectors import hooks
from connectors.hooks import RequiredRole, TokenAccess
from connectors.models import Bot, Connector, Grant, Webhook
from connectors.permissions import PERMISSIONS
from connectors.services import token_exchange
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.oauth_app import BACK, App
from connectors.tests.pin_program import PinProgram
from connectors.tests.receiver import Receiver, receiving
from connectors.tests.webhook_cast import make_webhook
from kaizala_console.lib import ids, rate_limit
from kaizala_console.lib.errors import NotFound
from kaizala_console.tests.rows import rows_of

Administration = set[tuple[int, str]]


@pytest.fixture
def connector(developer: User) -> Connector:
    """The developer's connector, without secrets."""
    return factories.make_connector(developer, "Shift Planner")


@pytest.fixture
def program(connector: Connector, group_admin: User) -> Program:
    """The developer's program, let into a group by its admin, the token still sealed for the developer as well."""
    return factories.make_program(connector, group_admin)


@pytest.fixture
def owner(developer: User, browser_of: Callable[..., Client]) -> Client:
    """The browser of the connector's owner, freshly confirmed."""
    return browser_of(developer)


@pytest.fixture(params=["ordinary", "quick"])
def way(request: pytest.FixtureRequest, program: Program, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every exchange goes the ordinary way, or first the quick one, by a program that has used its token before."""
    if request.param == "quick":
        program.grant.refresh_tokens.update(first_used_at=program.grant.granted_at)
        monkeypatch.setattr(token_exchange, "exchange", factories.exchange_quickly)
    return str(request.param)


@pytest.fixture(autouse=True)
def resigned(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Groups are the app above's. Here the account that granted administers, until its key is put into `resigned`."""
    gone: set[int] = set()

    def administers(user: User, target: str) -> bool:
        return user.pk not in gone and Grant.objects.filter(target=target, granted_by=user).exists()

    monkeypatch.setattr(hooks, "administers", administers)
    return gone


@pytest.fixture
def patient_counters(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The counters of calls are waited for. Where they are given up, for which a pause of the machine is enough, calls
    pass uncounted.
    """
    monkeypatch.setattr(rate_limit, "_TIMEOUT_SECONDS", 30)
    rate_limit.reset()
    yield
    rate_limit.reset()


@pytest.fixture
def no_audit(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """`no_audit()`: from now on no audit row can be written."""

    def refuse(*_given: Any, **_columns: Any) -> None:
        raise DatabaseError("the audit trail is full")

    def no_audit() -> None:
        for name in ("create", "bulk_create"):
            monkeypatch.setattr(AuditEvent.objects, name, refuse)

    return no_audit


@pytest.fixture
def everything(db: None) -> Callable[[], dict[str, list[str]]]:
    """`everything()`: all rows of this app and all notices, to see that nothing has changed."""

    def everything() -> dict[str, list[str]]:
        models: list[Any] = [*apps.get_app_config("connectors").get_models(include_auto_created=True), Notice]
        return rows_of(models)

    return everything


@pytest.fixture
def app(connector: Connector, member: User, browser_of: Callable[..., Client]) -> App:
    """The developer’s program, which signs people in by OAuth; the member’s browser is freshly confirmed."""
    connector.redirect_urls = [BACK]
    connector.save(update_fields=["redirect_urls"])
    return App(connector, factories.make_secret(connector)[1], browser_of(member))


@pytest.fixture
def pin_program(connector: Connector, phones: Any) -> PinProgram:
    """The developer's program, which signs people in by PIN."""
    return PinProgram(connector, phones)


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    """A receiver of webhooks on this machine. One that lets others wait is for tests that say for how long at the most:
    what is meant to arrive arrives after a pause of the machine, too.
    """
    settings.SANDBOX = True
    with receiving() as what:
        yield what


@pytest.fixture
def roles(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The role of tokens in each group, as the app above would tell; Admin where nothing else is said."""
    found: dict[str, str] = {}

    def token_access(_grant: Grant, group_id: str, _bot: Bot | None) -> TokenAccess | None:
        role = found.get(group_id, "Admin")
        return TokenAccess(role, frozenset(RequiredRole)) if role else None

    def webhook_object(kind: str, grant: Grant, object_id: str) -> str:
        if kind == "Group" and not found.get(object_id, "Admin"):
            raise NotFound
        return object_id

    monkeypatch.setattr(hooks, "token_access", token_access)
    monkeypatch.setattr(hooks, "webhook_object", webhook_object)
    return found


@pytest.fixture
def told_program(developer: User, group_admin: User, roles: dict[str, str]) -> Program:
    """A program that may have webhooks."""
    connector = factories.make_connector(developer, "Shift Planner", permissions=PERMISSIONS)
    return factories.make_program(connector, group_admin)


@pytest.fixture
def group_id() -> UUID:
    """Groups are the app above's: here one is an id."""
    return ids.new_id()


@pytest.fixture
def webhook(told_program: Program, receiver: Receiver, group_id: UUID) -> Webhook:
    """The program's webhook on the group, for everything, to a receiver that behaves well."""
    return make_webhook(told_program.grant, receiver.url(), group_id)


@pytest.fixture
def is_genuine() -> Callable[..., bool]:
    """The function in Python by which docs/webhooks.md lets receivers check a delivery."""
    document = Path(__file__).resolve().parents[2] / "docs" / "webhooks.md"
    found = re.search(r"```python\n(.*?)```", document.read_text(), re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)  # noqa: S102 - the document is ours, and running it is the test
    function: Callable[..., bool] = names["is_genuine"]
    return function
