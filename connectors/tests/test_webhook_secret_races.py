"""The button under the signing secret, pressed twice at once, on PostgreSQL with real threads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from accounts.models import AuditEvent, User
from connectors.models import OneTimeSecret
from connectors.services.one_time_secrets import new_form_key
from connectors.tests.factories import Program
from connectors.tests.test_races import at_once, refusals, wins
from connectors.tests.webhook_history import quiet
from connectors.webhooks import management

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("service", [management.show_secret, management.rotate_secret])
def test_one_form_pressed_twice_at_once_shows_one_secret(
    told_program: Program, developer: User, service: Callable[..., str]
) -> None:
    webhook, idempotency_key = quiet(told_program.grant), new_form_key()
    act = partial(management.act_once, service, webhook=webhook, by=developer, idempotency_key=idempotency_key)
    results = at_once(*[act] * 4)
    assert len(set(wins(results))) == 1
    assert refusals(results) == []
    assert AuditEvent.objects.filter(tag__startswith="connector:webhook:").count() == 1
    assert OneTimeSecret.objects.count() == 1


def test_two_forms_at_once_show_it_to_one(told_program: Program, developer: User) -> None:
    webhook = quiet(told_program.grant)
    acts = [
        partial(
            management.act_once, management.show_secret, webhook=webhook, by=developer, idempotency_key=new_form_key()
        )
        for _ in range(4)
    ]
    results = at_once(*acts)
    assert len(wins(results)) == 1
    assert {refusal.code for refusal in refusals(results)} == {"secret_shown"}
