"""Every operation of the OpenAPI document, called with made-up data: good, at the edge, and wrong.

What is added to the wire is called, too. A program with every permission calls, in a group that has content, and each
call is undone. The checks of schemathesis are on, but for EXCEPTIONS and that wrong data must be refused. (Two of them
find nothing to look at here: no header is a required parameter, because credentials are security schemes; and there is
one identity that calls.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.core import signals
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase
from schemathesis.config import SchemathesisConfig

from accounts.models import User
from connectors.services.api_description import get_description
from groups.models import Group
from groups.tests.factories import Program, make_group
from groups.tests.media_files import PNG
from kaizala_console.lib import http_client
from kaizala_console.tests.openapi_state import URL, Present, present

# Where one check cannot hold for one operation: by the check, the operation and why.
EXCEPTIONS = {
    "positive_data_acceptance": {
        "respond": "which answer fits is said by the questions of the very action, and no schema can say so",
        "uploadMedia": "a file must be what its name claims, which made-up bytes are not",
    },
}
CONFIGURATION = {
    "seed": 20231,
    "generation": {
        "deterministic": True,
        "database": "none",
        "max-examples": 3,
        "with-security-parameters": False,
        "allow-x00": False,  # no database stores it: it is refused in any text
    },
    # The document says what a new program sends. What is read besides, for old ones (wire protocol §2), is not refused.
    "checks": {"negative_data_rejection": {"enabled": False}},
    "operations": [
        {"include-operation-id": operation, "checks": {check: {"enabled": False}}}
        for check, operations in EXCEPTIONS.items()
        for operation in operations
    ],
}
schema = schemathesis.openapi.from_dict(get_description().document, config=SchemathesisConfig.from_dict(CONFIGURATION))
schema.app = get_wsgi_application()
# PostgreSQL has the stricter types: what SQLite makes of such calls says nothing more.
pytestmark = [pytest.mark.long, pytest.mark.services]


@pytest.fixture
def group(group_admin: User, member: User) -> Group:
    """One that has subscribers, too."""
    return make_group(
        organisation=group_admin.organisation, admins=[group_admin], members=[member], group_type="ConnectGroup"
    )


@pytest.fixture
def there(program: Program, group: Group, group_admin: User, member: User) -> Present:
    return present(program, group, group_admin, member)


@pytest.fixture(autouse=True)
def _the_outside_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """One address does: to a handshake with the token, else with a picture."""

    def reach(url: str) -> None:
        if url != URL:
            raise http_client.OutboundError("unreachable", "The other side cannot be reached.")

    def fetch(_method: str, url: str, *, params: dict[str, str], **_options: Any) -> http_client.OutboundResponse:
        reach(url)
        return http_client.OutboundResponse(200, {}, params["validationToken"].encode())

    def download(url: str, write: Any, **_options: Any) -> http_client.OutboundResponse:
        reach(url)
        write(PNG)
        return http_client.OutboundResponse(200, {"Content-Type": "image/png"}, b"")

    monkeypatch.setattr(http_client, "fetch", fetch)
    monkeypatch.setattr(http_client, "download", download)


@pytest.fixture(autouse=True)
def _on_one_connection() -> Iterator[None]:
    """As Django's own test client has it: what a real server closes after a request is the connection of this test."""
    signals.request_started.disconnect(close_old_connections)
    signals.request_finished.disconnect(close_old_connections)
    yield
    signals.request_started.connect(close_old_connections)
    signals.request_finished.connect(close_old_connections)


@pytest.fixture(autouse=True)
def _as_often_as_it_wants(settings: Any) -> None:
    """Throttling has tests of its own; here it would hide what stands behind it."""
    for name in dir(settings):
        if name.startswith("THROTTLE_") and isinstance(getattr(settings, name), int):
            setattr(settings, name, 10**9)


# Pages for browsers are no part of the wire.
@schema.exclude(func=lambda context: context.operation.definition.raw.get("x-page", False)).parametrize()
@hypothesis.settings(
    max_examples=3,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)
def test_an_operation_answers_as_its_description_says(
    case: schemathesis.Case, program: Program, there: Present
) -> None:
    there.put_into(case)
    with transaction.atomic():
        case.call_and_validate(headers={"accessToken": program.access_token})
        transaction.set_rollback(True)
