"""The seals on the chain: keyed digests of how far it went, which the database alone cannot forge.

One a thousand events. The newest is moved along with the trail, and says that it goes no further (`_NEWEST`); it is
sealed anew when the next thousand begins (`_PASSED`). So whoever cuts the trail off at an older seal has none that says
it ends there.
"""

from __future__ import annotations

import hmac
from typing import Final

import structlog

from accounts.models import AuditEvent, AuditSeal
from kaizala_console.lib import clock, crypto

logger = structlog.get_logger(__name__)

_PASSED: Final = "audit-seal"
_NEWEST: Final = "audit-head"


def newest() -> AuditSeal | None:
    """The seal that says how far the trail goes."""
    return AuditSeal.objects.order_by("-position").first()


def says_it_ends(seal: AuditSeal) -> bool:
    """Whether the console has sealed this place as the end of the trail. Raises `crypto.UnknownKey`."""
    return _has(seal, _NEWEST)


def says_it_went_on(seal: AuditSeal) -> bool:
    """Whether the console has sealed this place as one that the trail has gone past. Raises `crypto.UnknownKey`."""
    return _has(seal, _PASSED)


def as_the_end(seal: AuditSeal) -> str:
    """The tag that says so of this seal."""
    return _tag(_NEWEST, seal.position, seal.hash, seal.key_id)


def as_passed(seal: AuditSeal) -> str:
    """The tag that says of this seal that the trail has gone past it."""
    return _tag(_PASSED, seal.position, seal.hash, seal.key_id)


def put(old: AuditSeal | None, blocks: dict[int, tuple[int, str]]) -> None:
    """Seals the last event of each block, the latest as the end of the trail; `old` was the end until now."""
    if old is not None and old.block not in blocks:
        blocks = {old.block: (old.position, old.hash), **blocks}
    last = max(blocks)
    for block, (position, its_hash) in blocks.items():
        key_id = crypto.current_key_id()
        purpose = _NEWEST if block == last else _PASSED
        AuditSeal.objects.update_or_create(
            block=block,
            defaults={
                "position": position,
                "hash": its_hash,
                "key_id": key_id,
                "tag": _tag(purpose, position, its_hash, key_id),
                "sealed_at": clock.now(),
            },
        )
        if block != last:
            # Who keeps the log elsewhere has an anchor that this database cannot take back.
            logger.info("audit.sealed", position=position, hash=its_hash)


def may_go_on(seal: AuditSeal | None, last: AuditEvent | None) -> bool:
    """Whether the trail up to `last` is the one that was sealed, so that its end may be sealed further on.

    Else nothing is sealed any more: a seal over what was cut off or added would hide it for ever.
    """
    if seal is None or last is None:
        return seal is None and last is None
    try:
        return says_it_ends(seal) and (seal.position, seal.hash) == (last.position, last.hash)
    except crypto.UnknownKey:
        return False


def _has(seal: AuditSeal, purpose: str) -> bool:
    return hmac.compare_digest(_tag(purpose, seal.position, seal.hash, seal.key_id), seal.tag)


def _tag(purpose: str, position: int, its_hash: str, key_id: str) -> str:
    return crypto.hmac_tag(purpose, str(position), its_hash, key_id=key_id).hex()
