"""The nine permissions as boxes to tick, and the summary beside them that follows without a script."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.utils.functional import Promise

from connectors.permissions import DESCRIPTIONS, ORGANISATION_WIDE, PERMISSIONS, Permission, in_order


@dataclass(frozen=True, slots=True)
class Choice:
    """One box: `value` is sent, `label` is the portal's, the rest says what it means."""

    value: str
    label: Promise
    can: Promise
    why: Promise
    chosen: bool
    is_organisation_wide: bool


def rows(chosen: Collection[str], among: Collection[Permission] = PERMISSIONS) -> list[Choice]:
    """One row for each permission of `among`, in the portal's order."""
    return [
        Choice(
            value=permission.value,
            label=DESCRIPTIONS[permission].label,
            can=DESCRIPTIONS[permission].can,
            why=DESCRIPTIONS[permission].why,
            chosen=permission.value in chosen,
            is_organisation_wide=permission in ORGANISATION_WIDE,
        )
        for permission in in_order(among)
    ]


def summary() -> dict[str, list[tuple[str, Promise]]]:
    """Every sentence of both columns with its permission: the style sheet shows those that the boxes call for."""
    return {
        "can": [(permission.value, DESCRIPTIONS[permission].can) for permission in PERMISSIONS],
        "cannot": [(permission.value, DESCRIPTIONS[permission].cannot) for permission in PERMISSIONS],
    }
