"""The first use of a token against its end, on PostgreSQL with real threads: the trail tells no use after an end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.db import connection

from accounts.models import AuditEvent, User
from connectors.models import RefreshToken
from connectors.services import connectors, grants, token_exchange
from connectors.tests import factories
from connectors.tests.factories import Program
from connectors.tests.test_races import at_once
from connectors.tests.test_successors import exchange
from kaizala_console.api.errors import RefreshTokenRefused
from kaizala_console.lib.errors import ConsoleError

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

End = Callable[[Program], Any]


@pytest.fixture(autouse=True)
def _on_postgresql() -> Iterator[None]:
    assert connection.vendor == "postgresql"
    yield
    connection.close()


@pytest.fixture
def ends(developer: User, group_admin: User) -> dict[str, End]:
    return {
        "revoke": lambda program: grants.revoke(grant=program.grant, by=group_admin),
        "regenerate": lambda program: grants.regenerate(grant=program.grant, by=group_admin),
        "delete": lambda program: connectors.delete(connector=program.connector, by=developer),
    }


@pytest.mark.parametrize("end", ["revoke", "regenerate", "delete"])
def test_a_token_that_was_ended_between_the_look_and_the_note_is_refused(
    developer: User, group_admin: User, ends: dict[str, End], end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unlucky moment itself: the exchange has found the token alive, and the end is committed before it goes on."""
    program = factories.make_program(factories.make_connector(developer), group_admin)
    looked: Callable[..., Any] = token_exchange._get_access_end

    def slowly(*arguments: Any) -> Any:
        _, ended = at_once(lambda: None, partial(ends[end], program))
        assert not isinstance(ended, ConsoleError)
        return looked(*arguments)

    monkeypatch.setattr(token_exchange, "_get_access_end", slowly)
    with pytest.raises(RefreshTokenRefused):
        exchange(program)
    assert RefreshToken.objects.get(pk=program.handoff.refresh_token_id).first_used_at is None
    assert not AuditEvent.objects.filter(tag="grant:token:used").exists()


@pytest.mark.parametrize("end", ["revoke", "regenerate", "delete"])
def test_in_the_trail_no_token_is_used_after_its_end(
    developer: User, group_admin: User, ends: dict[str, End], end: str
) -> None:
    for _ in range(6):
        program = factories.make_program(factories.make_connector(developer), group_admin)
        *answers, ended = at_once(*[partial(exchange, program)] * 3, partial(ends[end], program))
        assert not isinstance(ended, ConsoleError)
        told = AuditEvent.objects.filter(connector_id=program.connector.pk).order_by("pk")
        tags = [tag for tag in told.values_list("tag", flat=True) if tag != "secret:use"]
        over = {"revoke": "grant:access:revoked", "regenerate": "grant:token:regenerated", "delete": "connector"}[end]
        last = max(number for number, tag in enumerate(tags) if tag.startswith(over))
        assert "grant:token:used" not in tags[last:]
        used = tags.count("grant:token:used")
        assert used == int(any(not isinstance(answer, ConsoleError) for answer in answers))
