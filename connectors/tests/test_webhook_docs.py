"""What docs/webhooks.md tells receivers to do accepts what is sent, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from accounts.models import User
from connectors.models import Webhook
from connectors.tests.receiver import Receiver
from connectors.tests.webhook_cast import CALLBACK_TOKEN, happen
from connectors.webhooks import delivery, management

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "webhooks.md"


@pytest.fixture
def is_genuine() -> Callable[..., bool]:
    """The function in Python, as the document has it."""
    found = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)  # noqa: S102 - the document is ours, and running it is the test
    function: Callable[..., bool] = names["is_genuine"]
    return function


@pytest.mark.django_db
def test_the_documented_check_takes_a_delivery_and_refuses_a_forged_one(
    webhook: Webhook, receiver: Receiver, group_id: UUID, developer: User, is_genuine: Callable[..., bool]
) -> None:
    secret = management.show_secret(webhook=webhook, by=developer)
    happen(group_id, "Rain ☔")
    delivery.deliver_due()
    _path, headers, body = receiver.arrived[0]
    assert is_genuine(headers, body, secret, CALLBACK_TOKEN)
    assert not is_genuine(headers, body + b" ", secret, CALLBACK_TOKEN)
    assert not is_genuine(headers, body, secret, "another")
    assert not is_genuine({**headers, "webhook-timestamp": "1764000000"}, body, secret, CALLBACK_TOKEN)
    assert not is_genuine({**headers, "webhook-id": "another"}, body, secret, CALLBACK_TOKEN)
