"""The kinds of cards, one module a kind, and the registry of them all (wire protocol §6, Actions)."""

from __future__ import annotations

import re
from typing import Final

from django.utils.translation import gettext_lazy as _

from groups.action_types.announcement import AnnouncementCard
from groups.action_types.base import CardType, Kind
from groups.action_types.job import JobCard
from groups.action_types.lets_meet import LetsMeetCard
from groups.action_types.location import LocationCard, PhotoCard
from groups.action_types.media import ImageCard, MediaCard
from groups.action_types.poll import PollCard
from groups.action_types.survey import PackageCard, SurveyCard
from kaizala_console.lib.errors import RuleBroken

PACKAGE_ID: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}"
_PACKAGE_ID: Final = re.compile(PACKAGE_ID, re.ASCII)

_TYPES: Final[dict[str, CardType]] = {
    card.kind.value: card
    for card in (
        ImageCard(),
        MediaCard(Kind.ALBUM),
        MediaCard(Kind.AUDIO),
        MediaCard(Kind.DOCUMENT),
        MediaCard(Kind.VIDEO),
        AnnouncementCard(),
        JobCard(),
        PollCard(),
        LetsMeetCard(),
        SurveyCard(),
        LocationCard(),
        PhotoCard(),
        PackageCard(),
    )
}
_BY_NAME: Final = {name.lower(): card for name, card in _TYPES.items() if card.kind != Kind.PACKAGE}


def of(kind: str) -> CardType:
    """The card type of an `Action.kind`."""
    return _TYPES[kind]


def names() -> list[str]:
    """What an `actionType` can be, but for the ids of packages."""
    return [card.kind.value for card in _BY_NAME.values()]


def all_types() -> list[CardType]:
    """Every kind of card."""
    return list(_TYPES.values())


def chosen(action_type: str, package_id: str) -> tuple[CardType, str]:
    """The card type that a program means by `actionType` (in any case) or `id`, and the id of the package, or "".

    An `actionType` with a dot in it is the id of a package too: that is how lists spell it. Raises RuleBroken.
    """
    name, package = action_type.strip(), package_id.strip()
    if name and package:
        raise RuleBroken(
            _("Give actionType, or id for an action package: not both."), field="actionType", code="both_types"
        )
    if not name and not package:
        raise RuleBroken(_("actionType is missing, or id for an action package."), field="actionType", code="required")
    found = _BY_NAME.get(name.lower())
    if found is not None:
        return found, ""
    if name and "." not in name:
        raise RuleBroken(
            _("actionType: expected one of %(names)s, or the id of an action package.") % {"names": ", ".join(names())},
            field="actionType",
            code="unknown_type",
        )
    package = package or name
    if not _PACKAGE_ID.fullmatch(package):
        field = "actionType" if name else "id"
        raise RuleBroken(
            _("%(field)s: expected the id of an action package, such as com.contoso.inspection.") % {"field": field},
            field=field,
            code="package_id",
        )
    return _TYPES[Kind.PACKAGE.value], package
