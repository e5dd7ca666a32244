"""The signing secret on its owner's screen: the same form sent again shows the same secret, for some minutes."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from accounts.models import User
from accounts.policies import require_no_credential_hold
from connectors import policies
from connectors.models import Webhook
from connectors.services import one_time_secrets
from connectors.webhooks import management
from kaizala_console.lib.errors import NotFound


@sensitive_variables("idempotency_key")
def show(*, webhook: Webhook, by: User, idempotency_key: str) -> str:
    """`upkeep.show_secret`, for a form with a key. Raises as that, and RuleBroken for what is no form key of ours."""
    return _once(webhook, by, idempotency_key, management.show_secret)


@sensitive_variables("idempotency_key")
def rotate(*, webhook: Webhook, by: User, idempotency_key: str) -> str:
    """`upkeep.rotate_secret`, for a form with a key: twice is one new secret. Raises as `show`."""
    return _once(webhook, by, idempotency_key, management.rotate_secret)


@sensitive_variables("idempotency_key", "secret")
@transaction.atomic
def _once(webhook: Webhook, by: User, idempotency_key: str, act: Callable[..., str]) -> str:
    policies.require_owner(by, webhook.connector)
    require_no_credential_hold(by)  # for what is shown again, too
    one_time_secrets.require_form_key(idempotency_key)
    # The row is held, so that a double click waits here and finds what the first one has shown.
    if management.get_locked(webhook.pk) is None:
        raise NotFound
    secret = one_time_secrets.recall(user=by, idempotency_key=idempotency_key, subject=webhook)
    if secret is None:
        secret = act(webhook=webhook, by=by)
        one_time_secrets.forget(one_time_secrets.kind_of(webhook), [str(webhook.pk)])
        one_time_secrets.remember(user=by, idempotency_key=idempotency_key, subject=webhook, token=secret)
    return secret
