"""How audit rows spell what is about connectors, in words for people (`accounts.audit.values`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from connectors import permissions
from connectors.models.connector import ConnectorState
from connectors.models.webhook import Webhook

WORDS: Final[Mapping[str, Mapping[str, str | Promise]]] = {
    "permissions": {str(of): described.label for of, described in permissions.DESCRIPTIONS.items()},
    "reason": {each.value: each.label for each in Webhook.InactiveReason},
    "sealed_to": {"server": _("the key ring of this console")},
    "state": {
        ConnectorState.LIVE: _("live"),
        ConnectorState.DEACTIVATED: _("deactivated"),
        ConnectorState.SUSPENDED: _("suspended"),
    },
    "way": {"page": _("the page “Handoffs”"), "program": _("the connector’s own program")},
}
