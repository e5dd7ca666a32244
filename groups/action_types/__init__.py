"""The kinds of cards, one module a kind, and the registry of them all (wire protocol §6, Actions)."""

from __future__ import annotations

import re
from typing import Final

from django.utils.translation import gettext_lazy as _

from groups.action_types.announcement import AnnouncementAction
from groups.action_types.base import ActionType, Kind
from groups.action_types.job import JobAction
from groups.action_types.lets_meet import LetsMeetAction
from groups.action_types.location import LocationAction, PhotoAction
from groups.action_types.media import ImageAction, MediaAction
from groups.action_types.poll import PollAction
from groups.action_types.survey import PackageAction, SurveyAction
from kaizala_console.lib.errors import RuleBroken

PACKAGE_ID: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}"
_PACKAGE_ID: Final = re.compile(PACKAGE_ID, re.ASCII)

_TYPES: Final[dict[str, ActionType]] = {
    card.kind.value: card
    for card in (
        ImageAction(),
        MediaAction(Kind.ALBUM),
        MediaAction(Kind.AUDIO),
        MediaAction(Kind.DOCUMENT),
        MediaAction(Kind.VIDEO),
        AnnouncementAction(),
        JobAction(),
        PollAction(),
        LetsMeetAction(),
        SurveyAction(),
        LocationAction(),
        PhotoAction(),
        PackageAction(),
    )
}
_BY_NAME: Final = {name.lower(): card for name, card in _TYPES.items() if card.kind != Kind.PACKAGE}


def get_type(kind: str) -> ActionType:
    """The card type of an `Action.kind`."""
    return _TYPES[kind]


def list_names() -> list[str]:
    """What an `actionType` can be, but for the ids of packages."""
    return [card.kind.value for card in _BY_NAME.values()]


def all_types() -> list[ActionType]:
    """Every kind of card."""
    return list(_TYPES.values())


def choose_type(action_type: str, package_id: str) -> tuple[ActionType, str]:
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
            _("actionType: expected one of %(names)s, or the id of an action package.")
            % {"names": ", ".join(list_names())},
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
