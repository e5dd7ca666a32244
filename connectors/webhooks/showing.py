"""The signing secret on its owner's screen: the same form sent again shows the same secret, for some minutes."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from accounts.models import User
from accounts.policy import require_unlocked
from connectors import policy
from connectors.models import Webhook
from connectors.services import shown_secrets
from connectors.webhooks import upkeep
from kaizala_console.lib.errors import NotFound


@sensitive_variables("form_key")
def show(*, webhook: Webhook, by: User, form_key: str) -> str:
    """`upkeep.show_secret`, for a form with a key. Raises as that, and RuleBroken for what is no form key of ours."""
    return _once(webhook, by, form_key, upkeep.show_secret)


@sensitive_variables("form_key")
def rotate(*, webhook: Webhook, by: User, form_key: str) -> str:
    """`upkeep.rotate_secret`, for a form with a key: twice is one new secret. Raises as `show`."""
    return _once(webhook, by, form_key, upkeep.rotate_secret)


@sensitive_variables("form_key", "secret")
@transaction.atomic
def _once(webhook: Webhook, by: User, form_key: str, act: Callable[..., str]) -> str:
    policy.require_owner(by, webhook.connector)
    require_unlocked(by)  # for what is shown again, too
    shown_secrets.require_form_key(form_key)
    # The row is held, so that a double click waits here and finds what the first one has shown.
    if upkeep.hold(webhook.pk) is None:
        raise NotFound
    secret = shown_secrets.recall(user=by, form_key=form_key, subject=webhook)
    if secret is None:
        secret = act(webhook=webhook, by=by)
        shown_secrets.forget(shown_secrets.kind_of(webhook), [str(webhook.pk)])
        shown_secrets.remember(user=by, form_key=form_key, subject=webhook, token=secret)
    return secret
