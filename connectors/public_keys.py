"""A connector's public key: read from what people paste, named by its fingerprint, and sealed to.

Pure: knows no database. X25519 and P-256, as JWK (RFC 7517, RFC 8037) or PEM (SPKI, RFC 7468). The fingerprint is the
JWK thumbprint of RFC 7638 with SHA-256, which any JOSE library computes. Sealed is a compact JWE (RFC 7516), ECDH-ES
with A256KW and A256GCM. See docs/adr/0022-sealed-to-a-key.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.utils.translation import gettext as _
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from kaizala_console.lib.errors import RuleBroken

LONGEST: Final = 4096  # characters of what is pasted; the longest that can be right has a few hundred
ALGORITHM: Final = "ECDH-ES+A256KW"
ENCRYPTION: Final = "A256GCM"
# What a public JWK consists of, by its curve: nothing else of what was pasted is kept.
MEMBERS: Final = {("OKP", "X25519"): ("kty", "crv", "x"), ("EC", "P-256"): ("kty", "crv", "x", "y")}
_FIELD = "public_key"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that can be sealed to: its public members, and its fingerprint (43 characters of base64url)."""

    jwk: dict[str, str]
    fingerprint: str

    @property
    def curve(self) -> str:
        """`X25519` or `P-256`."""
        return self.jwk["crv"]


def parse(text: str) -> PublicKey:
    """The key in what somebody pasted or uploaded.

    Raises RuleBroken, which says what is wrong and never repeats what was sent: it may have been the private key.
    """
    text = text.strip().removeprefix("\ufeff")
    if not text:
        raise _broken(_("Paste the public key, or choose its file."), "key_missing")
    if len(text) > LONGEST:
        raise _broken(_("This is too long for a public key."), "key_too_long")
    return _from_jwk(_object(text)) if text.startswith("{") else _from_pem(text)


def seal(text: str, *, jwk: dict[str, str], fingerprint: str) -> str:
    """The text as a compact JWE that only the holder of the private key opens; `kid` names the key."""
    header = {"alg": ALGORITHM, "enc": ENCRYPTION, "kid": fingerprint, "cty": "text/plain"}
    return jwe.encrypt_compact(header, text, _key(jwk), algorithms=[ALGORITHM, ENCRYPTION])


def _from_pem(text: str) -> PublicKey:
    if "PRIVATE KEY" in text:
        raise _private()
    if not text.startswith("-----BEGIN "):
        raise _broken(
            _("This is not a public key. It begins with “{” (JWK) or “-----BEGIN PUBLIC KEY-----”."), "key_form"
        )
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise _broken(
            _("This public key cannot be read. Check that nothing was cut off when it was copied."), "key_form"
        ) from None
    if isinstance(key, X25519PublicKey):
        return _check_jwk(OKPKey(key, key).as_dict(private=False))
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return _check_jwk(ECKey(key, key).as_dict(private=False))
    raise _wrong_kind()


def _from_jwk(members: dict[str, Any]) -> PublicKey:
    if isinstance(members.get("keys"), list):
        if len(members["keys"]) != 1 or not isinstance(members["keys"][0], dict):
            raise _broken(_("This is a set of keys. Paste only the one to use."), "key_set")
        members = members["keys"][0]
    if "d" in members or "k" in members:
        raise _private()
    if members.get("use") == "sig":
        raise _broken(_("This key is for signing (“use” is “sig”). Use an encryption key."), "key_use")
    return _check_jwk(members)


def _check_jwk(members: dict[str, Any]) -> PublicKey:
    names = MEMBERS.get((str(members.get("kty")), str(members.get("crv"))))
    if names is None:
        raise _wrong_kind()
    jwk = {name: value for name in names if isinstance(value := members.get(name), str)}
    if len(jwk) < len(names):
        raise _broken(_("A part of this key is missing. Paste all of it."), "key_form")
    try:
        fingerprint = _key(jwk).thumbprint()
        # Some points of X25519 agree on nothing with anybody (RFC 7748 §6.1): better found now than by a token.
        seal("", jwk=jwk, fingerprint=fingerprint)
    except (ValueError, TypeError, JoseError):
        raise _broken(_("This public key is invalid: it has no private key."), "key_invalid") from None
    return PublicKey(jwk, fingerprint)


def _key(jwk: dict[str, Any]) -> OKPKey | ECKey:
    return OKPKey.import_key(jwk) if jwk["kty"] == "OKP" else ECKey.import_key(jwk)


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _broken(_("This public key is not complete JSON. Paste all of it."), "key_form")
    return found


def _broken(message: str, code: str) -> RuleBroken:
    return RuleBroken(message, code=code, field=_FIELD)


def _private() -> RuleBroken:
    return _broken(
        _("This is the private key. We did not store it. Paste the public key instead."),
        "key_private",
    )


def _wrong_kind() -> RuleBroken:
    return _broken(_("Only X25519 and P-256 keys are supported."), "key_kind")
