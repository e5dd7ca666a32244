"""The form of every credential: connector secrets, refresh tokens and access tokens. Pure: knows no model.

A secret or refresh token reads `kzcs_` or `kzrt_`, a public part, the secret part, a checksum:

    kzrt_ 4pQ1…(16 characters, stored, finds the row)  9xZ…(43 characters, 256 bits)  0aB3dE (CRC-32)

The prefix and the checksum let a leak scanner find it in any text without asking us. Only the public part and a
peppered digest of the whole are stored (`kaizala_console.lib.crypto`).

An access token has no row at all: it carries the primary key of its refresh token, its grant, when it was issued and
when it ends, the scopes that it was narrowed to, and the bot that it acts as, under an HMAC by a key of
`ACCESS_TOKEN_KEYS`. That it is *true* is decided here, in microseconds; whether it is still *accepted* is decided by
its rows on every call (`connectors.authentication`).
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from enum import StrEnum
from struct import Struct
from typing import Final
from uuid import UUID

from django.conf import settings

from kaizala_console.lib import clock, crypto

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PUBLIC_LENGTH: Final = 16
SECRET_LENGTH: Final = 43
CHECKSUM_LENGTH: Final = 6
_BASE: Final = len(ALPHABET)
_PREFIX_LENGTH: Final = len("kzrt_")
_TEXT_LENGTH: Final = PUBLIC_LENGTH + SECRET_LENGTH
_ALL_TEXTS: Final = _BASE**_TEXT_LENGTH

_SUCCESSOR_PURPOSES: Final = ("refresh-successor/1", "refresh-successor/2")
_ACCESS_PURPOSE: Final = "access-token"
_ACCESS_VERSION: Final = 3
_BOT_VERSION: Final = 4
# Version, refresh token, grant, generation, issue and end in epoch milliseconds, a bit for each scope that it may have,
# bot (in version 4 alone); then the 32 bytes of the HMAC, and the id of its key.
_ACCESS: Final = Struct(">BQ16sIQQI")
_BOT: Final = Struct(">BQ16sIQQI16s")
EVERY_SCOPE: Final = 0xFFFF_FFFF
_TAG_LENGTH: Final = 32
_CLOCK_SKEW_MS: Final = 60_000  # between the machines of one console


class CredentialKind(StrEnum):
    """What a credential is for; the value is its recognisable prefix."""

    SECRET = "kzcs_"  # noqa: S105 (a prefix, no secret)
    REFRESH = "kzrt_"
    ACCESS = "kzat_"


# What may be a credential, wherever it stands: what comes before it may be the `n` of a `\n`, and what follows an
# access token may be letters that do not belong to it. The checksum decides (`begins`).
PATTERN: Final = re.compile(
    rf"kz(?:cs|rt)_[A-Za-z0-9]{{{_TEXT_LENGTH + CHECKSUM_LENGTH}}}|kzat_[A-Za-z0-9_-]{{90,160}}", re.ASCII
)
_SHORTEST_ACCESS: Final = _PREFIX_LENGTH + 90
_OPAQUE: Final = re.compile(rf"[A-Za-z0-9]{{{_TEXT_LENGTH + CHECKSUM_LENGTH}}}", re.ASCII)
_SIGNED: Final = re.compile(r"[A-Za-z0-9_-]{90,160}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential just made. `token` is shown once and never stored; the other three are stored."""

    token: str = field(repr=False)
    public_part: str
    pepper_id: str
    digest: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A text that has the form of a credential; nothing is known yet about whether it is true."""

    kind: CredentialKind
    token: str = field(repr=False)
    public_part: str

    def matches(self, pepper_id: str, digest: str) -> bool:
        """Tell, in constant time, whether this is the token of which that digest was stored."""
        return crypto.matches(self.token, pepper_id, digest)


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a true access token says."""

    refresh_token_id: int
    grant_id: UUID
    generation: int
    issued_at: dt.datetime
    expires_at: dt.datetime
    bot_id: UUID | None = None
    scope_bits: int = EVERY_SCOPE


# Secrets and refresh tokens -------------------------------------------------------------------------------------


def generate(kind: CredentialKind) -> Credential:
    """A new random secret or refresh token. ValueError for an access token: those are minted."""
    return _credential(kind, secrets.token_bytes(64))


def parse(kind: CredentialKind, text: str) -> Parsed | None:
    """Take `text` apart when it has the form of this kind and its checksum is right, else None.

    Spaces around it are forgiven: people paste. An access token has no public part.
    """
    token = text.strip()
    if not token.startswith(kind.value):
        return None
    form = _SIGNED if kind is CredentialKind.ACCESS else _OPAQUE
    if not form.fullmatch(token, _PREFIX_LENGTH):
        return None
    body, checksum = token[:-CHECKSUM_LENGTH], token[-CHECKSUM_LENGTH:]
    if _checksum(body) != checksum:
        return None
    public_part = "" if kind is CredentialKind.ACCESS else body[_PREFIX_LENGTH : _PREFIX_LENGTH + PUBLIC_LENGTH]
    return Parsed(kind, token, public_part)


def begins(candidate: str) -> Parsed | None:
    """The credential that a match of `PATTERN` is, or begins with: an access token does not say how long it is."""
    kind = CredentialKind(candidate[:_PREFIX_LENGTH])
    ends = range(len(candidate), _SHORTEST_ACCESS - 1, -1) if kind is CredentialKind.ACCESS else (len(candidate),)
    return next((parsed for end in ends if (parsed := parse(kind, candidate[:end])) is not None), None)


def derive_successor(digest: str, *, key_id: str | None = None) -> Credential:
    """The successor of the refresh token that has this digest: the same whenever it is asked for, and never stored.

    Derived by HMAC from the stored digest, so whoever has the row and the pepper `key_id` (the newest without one; the
    stored one when the successor's row exists already) makes the same one. Raises `crypto.UnknownKey` when that pepper
    has left the ring.
    """
    key_id = key_id or crypto.current_key_id()
    one, two = (crypto.hmac_tag(purpose, digest, key_id=key_id) for purpose in _SUCCESSOR_PURPOSES)
    return _credential(CredentialKind.REFRESH, one + two)


def _credential(kind: CredentialKind, material: bytes) -> Credential:
    if kind is CredentialKind.ACCESS:
        raise ValueError("access tokens are minted for a refresh token, not generated")
    # 512 bits folded into 351: what the remainder favours is too little to measure.
    text = _base62(int.from_bytes(material, "big") % _ALL_TEXTS, _TEXT_LENGTH)
    body = kind.value + text
    token = body + _checksum(body)
    pepper_id, digest = crypto.digest(token)
    return Credential(token, text[:PUBLIC_LENGTH], pepper_id, digest)


def _checksum(body: str) -> str:
    """Six characters of CRC-32 (ISO 3309), as GitHub's tokens carry them: proof of form, not of truth."""
    return _base62(zlib.crc32(body.encode("ascii")), CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    characters = []
    for _ in range(length):
        number, digit = divmod(number, _BASE)
        characters.append(ALPHABET[digit])
    characters.reverse()
    return "".join(characters)


# Access tokens --------------------------------------------------------------------------------------------------


def mint_access_token(
    *,
    refresh_token_id: int,
    grant_id: UUID,
    generation: int,
    expires_at: dt.datetime,
    bot_id: UUID | None = None,
    scope_bits: int = EVERY_SCOPE,
) -> str:
    """An access token that ends at `expires_at` (to the millisecond, as the wire tells it); a bot's with `bot_id`.

    It has those scopes of its grant whose bit is set (`permissions.to_bits`). `generation` is the connector's
    (`Connector.token_generation`), as the statement read it that checked the secret.
    """
    key_id = crypto.newest_signing_key_id()
    said = (clock.epoch_ms(clock.now()), clock.epoch_ms(expires_at), scope_bits)
    if bot_id is None:
        claims = _ACCESS.pack(_ACCESS_VERSION, refresh_token_id, grant_id.bytes, generation, *said)
    else:
        claims = _BOT.pack(_BOT_VERSION, refresh_token_id, grant_id.bytes, generation, *said, bot_id.bytes)
    raw = claims + crypto.sign(_ACCESS_PURPOSE, claims, key_id=key_id) + key_id.encode("ascii")
    body = CredentialKind.ACCESS.value + urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
    return body + _checksum(body)


def read_access_token(text: str) -> AccessClaims | None:
    """What the token says, when it is one of ours and unaltered; else None. Its end is for the caller to compare.

    None too for one that the console cannot have issued: under a key that was not the newest at its issue, issued in
    the future, or living longer than `ACCESS_TOKEN_HOURS`.
    """
    parsed = parse(CredentialKind.ACCESS, text)
    if parsed is None:
        return None
    encoded = parsed.token[_PREFIX_LENGTH:-CHECKSUM_LENGTH]
    if len(encoded) % 4 == 1:  # no bytes have this form
        return None
    raw = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    form = _BOT if raw[0] == _BOT_VERSION else _ACCESS
    claims, tag = raw[: form.size], raw[form.size : form.size + _TAG_LENGTH]
    try:
        key_id = raw[form.size + _TAG_LENGTH :].decode("ascii")
        expected = crypto.sign(_ACCESS_PURPOSE, claims, key_id=key_id)
    except (crypto.UnknownKey, UnicodeDecodeError):
        return None
    if not crypto.tags_equal(tag, expected):
        return None
    version, refresh_token_id, grant, generation, issued_ms, expires_ms, bits, *bot = form.unpack(claims)
    if version not in (_ACCESS_VERSION, _BOT_VERSION):
        return None
    longest_ms = settings.ACCESS_TOKEN_HOURS * 3_600_000 + _CLOCK_SKEW_MS
    if issued_ms > clock.epoch_ms(clock.now()) + _CLOCK_SKEW_MS or expires_ms - issued_ms > longest_ms:
        return None
    issued_at, expires_at = clock.from_epoch_ms(issued_ms), clock.from_epoch_ms(expires_ms)
    if not crypto.was_newest_signing_key(key_id, issued_at):
        return None
    bot_id = UUID(bytes=bot[0]) if bot else None
    return AccessClaims(refresh_token_id, UUID(bytes=grant), generation, issued_at, expires_at, bot_id, bits)
