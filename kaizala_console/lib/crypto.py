"""Keyed digests, signatures and sealing, over three key rings in the settings, newest key first.

``CREDENTIAL_PEPPERS`` (id and key) digests credentials. ``ACCESS_TOKEN_KEYS`` (id and key) signs access tokens.
``ENCRYPTION_KEYS`` seals what has to be opened again. None is ``SECRET_KEY``, so each can be rotated alone. Every use
derives a key of its own, so that what was made for one purpose is worthless for another.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

_SHORTEST_KEY: Final = 32
_SHORTEST_EXTRA_SECRET: Final = 16
_DIGEST_PURPOSE: Final = "token-digest"
_PRODUCT: Final = b"kaizala-console/"


class UnknownKey(LookupError):
    """No key of this id is in the ring (any more): whatever it made has to be refused."""


class WrongKey(Exception):
    """What was sealed cannot be opened: another key, another context, another secret, or damage."""


# Digests and tags ----------------------------------------------------------------------------------------------


def current_key_id() -> str:
    """Return the id of the newest pepper, with which new digests and tags are made."""
    return _ring("CREDENTIAL_PEPPERS")[0][0]


def known_key_ids() -> list[str]:
    return [key_id for key_id, _ in _ring("CREDENTIAL_PEPPERS")]


def digest(token: str) -> tuple[str, str]:
    """Return (pepper id, hexadecimal HMAC-SHA256) of a high-entropy ``token``; store both.

    A fast hash is right here, because nobody can try 2^128 tokens. Six digits need a slow one.
    """
    key_id = current_key_id()
    return key_id, hmac_tag(_DIGEST_PURPOSE, token, key_id=key_id).hex()


def matches(token: str, pepper_id: str, digest: str) -> bool:
    """Tell, in constant time, whether ``token`` has this digest. False when the pepper left the ring."""
    try:
        made = hmac_tag(_DIGEST_PURPOSE, token, key_id=pepper_id)
    except UnknownKey:
        return False
    return hmac.compare_digest(made.hex().encode(), digest.encode())


def hmac_tag(purpose: str, *parts: str | bytes, key_id: str | None = None) -> bytes:
    """Return the 32 bytes of an HMAC-SHA256 over ``parts`` under a key for ``purpose`` alone.

    Each part is preceded by its length, so that ("ab", "c") and ("a", "bc") differ. Text is taken as UTF-8.
    Without ``key_id`` the newest pepper is used. Raises UnknownKey for one that is not in the ring.
    """
    ring = _ring("CREDENTIAL_PEPPERS")
    return _hmac(ring[0][1] if key_id is None else _find(ring, key_id), purpose, parts)


def tags_equal(one: bytes, other: bytes) -> bool:
    return hmac.compare_digest(one, other)


# Signatures ----------------------------------------------------------------------------------------------------


def newest_signing_key_id() -> str:
    """Return the id of the key that signs; the others in the ring only check what they signed before."""
    return _ring("ACCESS_TOKEN_KEYS")[0][0]


def sign(purpose: str, message: bytes, *, key_id: str) -> bytes:
    """Return the 32 bytes of an HMAC-SHA256 under that signing key. Raises UnknownKey for one not in the ring."""
    return _hmac(_find(_ring("ACCESS_TOKEN_KEYS"), key_id), purpose, (message,))


def was_newest_signing_key(key_id: str, at: datetime) -> bool:
    """Tell whether that key of the ring can have signed at that moment: until the day of the next newer key is over.

    An id begins with the day on which its key was made.
    """
    ids = [known for known, _ in _ring("ACCESS_TOKEN_KEYS")]
    place = ids.index(key_id)
    return place == 0 or at < parse_key_day(ids[place - 1]) + timedelta(days=1)


def parse_key_day(key_id: str) -> datetime:
    """Return the beginning of the day that the id of a signing key begins with. ValueError when it is none."""
    return datetime.strptime(key_id[:8], "%Y%m%d").replace(tzinfo=UTC)


# Sealing -------------------------------------------------------------------------------------------------------


def seal(data: bytes, *, context: bytes) -> bytes:
    """Encrypt and authenticate ``data`` (Fernet) so that it opens only in the same ``context``.

    The context names the place, such as ``b"connectors.Handoff:" + handoff.id.bytes``: ciphertext that is
    copied to another row or column does not open there.
    """
    return _fernet(context).encrypt(data)


def open_sealed(sealed: bytes | memoryview, *, context: bytes) -> bytes:
    """Return what was sealed in ``context`` with any key of the ring. Raises WrongKey."""
    return _decrypt(_fernet(context), sealed)


def seal_with_secret(data: bytes, *, context: bytes, extra_secret: bytes) -> bytes:
    """Like ``seal``, but a secret that only the other side keeps is needed as well.

    For pages that show a thing once: the database and the server's keys together cannot open it, because the
    secret lives in the browser alone. Raises ValueError for an ``extra_secret`` under 16 bytes.
    """
    return _fernet(context, extra_secret).encrypt(data)


def open_with_secret(sealed: bytes | memoryview, *, context: bytes, extra_secret: bytes) -> bytes:
    """Return what ``seal_with`` sealed in ``context`` with the same ``extra_secret``. Raises WrongKey."""
    if len(extra_secret) < _SHORTEST_EXTRA_SECRET:
        raise WrongKey("what was sealed cannot be opened")
    return _decrypt(_fernet(context, extra_secret), sealed)


# Keys ----------------------------------------------------------------------------------------------------------


def _decrypt(fernet: MultiFernet, sealed: bytes | memoryview) -> bytes:
    try:
        return fernet.decrypt(bytes(sealed))
    except InvalidToken:
        raise WrongKey("what was sealed cannot be opened") from None


def _fernet(context: bytes, extra_secret: bytes | None = None) -> MultiFernet:
    if not context:
        raise ValueError("sealing needs a context that names where the ciphertext belongs")
    if extra_secret is not None and len(extra_secret) < _SHORTEST_EXTRA_SECRET:
        raise ValueError(f"an extra secret has at least {_SHORTEST_EXTRA_SECRET} bytes")
    _check_keys("ENCRYPTION_KEYS", settings.ENCRYPTION_KEYS)
    return MultiFernet([_derived(key, context, extra_secret) for key in settings.ENCRYPTION_KEYS])


def _derived(key: bytes, context: bytes, extra_secret: bytes | None) -> Fernet:
    """Derive a Fernet key by HKDF-SHA256 (RFC 5869) from the key, the context, and the extra secret if any."""
    material = key if extra_secret is None else len(key).to_bytes(8, "big") + key + extra_secret
    label = b"seal/v1\0" if extra_secret is None else b"seal-with/v1\0"
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PRODUCT + label + context)
    return Fernet(urlsafe_b64encode(kdf.derive(material)))


@lru_cache(maxsize=64)
def _purpose_key(key: bytes, purpose: str) -> bytes:
    return hmac.digest(key, _PRODUCT + b"tag/v1\0" + purpose.encode(), "sha256")


def _hmac(key: bytes, purpose: str, parts: Iterable[str | bytes]) -> bytes:
    message = bytearray()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        message += len(raw).to_bytes(8, "big")
        message += raw
    return hmac.digest(_purpose_key(key, purpose), message, "sha256")


def _find(ring: list[tuple[str, bytes]], key_id: str) -> bytes:
    try:
        return dict(ring)[key_id]
    except KeyError:
        raise UnknownKey("no key of this id is in the ring") from None


def _ring(setting: str) -> list[tuple[str, bytes]]:
    ring: list[tuple[str, bytes]] = getattr(settings, setting)
    _check_keys(setting, [key for _, key in ring])
    return ring


def _check_keys(setting: str, keys: list[bytes]) -> None:
    if not keys:
        raise ImproperlyConfigured(f"{setting} is empty: give at least one key, newest first.")
    if min(map(len, keys)) < _SHORTEST_KEY:
        raise ImproperlyConfigured(f"{setting} holds a key under {_SHORTEST_KEY} bytes: make a longer one.")
