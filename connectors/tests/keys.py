"""Key pairs that tests seal to, and the private half's side of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from joserfc import jwe
from joserfc.jwk import ECKey, OKPKey

from connectors.models import ConnectorKey
from connectors.services import public_keys

ALGORITHMS = ["ECDH-ES+A256KW", "A256GCM"]


@dataclass(frozen=True)
class Pair:
    """What a developer holds."""

    key: Any

    @property
    def public_jwk(self) -> str:
        return json.dumps(self.key.as_dict(private=False))

    @property
    def public_pem(self) -> str:
        return str(self.key.as_pem(private=False).decode())

    @property
    def private_jwk(self) -> str:
        return json.dumps(self.key.as_dict(private=True))

    @property
    def private_pem(self) -> str:
        return str(self.key.as_pem(private=True).decode())

    @property
    def fingerprint(self) -> str:
        return str(self.key.thumbprint())

    def opens(self, sealed: str) -> str:
        """The refresh token in a compact JWE."""
        opened = jwe.decrypt_compact(sealed, self.key, algorithms=ALGORITHMS).plaintext
        assert opened is not None
        return opened.decode()


def x25519() -> Pair:
    return Pair(OKPKey.generate_key("X25519", private=True))


def p256() -> Pair:
    return Pair(ECKey.generate_key("P-256", private=True))


def registered(connector: Any, pair: Pair) -> ConnectorKey:
    """The pair's public half is the connector's key from now on."""
    return public_keys.register(connector=connector, by=connector.owner, public_key=pair.public_jwk)
