"""Finds the row of a secret or a refresh token."""

from __future__ import annotations

from connectors.models import ConnectorSecret, RefreshToken
from connectors.token_format import CredentialKind


def get_by_public_part(kind: CredentialKind, public_part: str) -> ConnectorSecret | RefreshToken | None:
    """The secret, or else the refresh token, with its connector, organisation and owner. It proves nothing."""
    if kind is CredentialKind.SECRET:
        secrets = ConnectorSecret.objects.select_related("connector__organisation", "connector__owner")
        return secrets.filter(public_part=public_part).first()
    tokens = RefreshToken.objects.select_related("grant__connector__organisation", "grant__connector__owner")
    return tokens.filter(public_part=public_part).first()
