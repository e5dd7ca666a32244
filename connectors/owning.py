"""Whose connectors are asked for: an account's own few by the index of who owns them, or one by one whether they are
its own (ADR 0064).

Own connectors, and what stands on them, are found through their owner, and sorted. Of more than a thousand that takes
long, and then a list in its own order soon meets some that are own: so each row on that way is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, Subquery

from accounts.models import User
from connectors.models import Connector
from connectors.models.connector import ConnectorQuerySet
from kaizala_console.lib import context
from kaizala_console.lib.bounded import BoundedCount

_KEPT = "console_own_connectors"
_Shared = Connector.co_owners.through


@dataclass(frozen=True, slots=True)
class Own:
    """The connectors that an account owns or co-owns, those that were deleted left out."""

    user: User
    are_none: bool
    are_many: bool

    def connectors(self) -> ConnectorQuerySet:
        """They themselves, for a list in an order that an index of their organisation has."""
        present = Connector.objects.present()
        if not self.are_many:
            return present.owned_by(self.user.pk)
        return present.filter(self._is_own("pk"), organisation_id=self.user.organisation_id)

    def rows(self, path: str) -> Q:
        """Rows that belong to one of them by this foreign key, for a list in an order that their index has."""
        if not self.are_many:
            return Q((f"{path}__in", self.connectors().order_by().values("pk")))
        # As a value: of an EXISTS, PostgreSQL reads all connectors first, and sorts whatever belongs to them.
        asked = Connector.objects.present().filter(self._is_own("pk"), pk=OuterRef(f"{path}_id")).order_by()
        return Q((path, Subquery(asked.values("pk")[:1])))

    def _is_own(self, key: str) -> Q:
        shared = _Shared.objects.filter(connector_id=OuterRef(key), user_id=self.user.pk)
        return Q(owner_id=self.user.pk) | Q(Exists(shared))


def of(user: User) -> Own:
    """What the account owns. One statement, and none when this request has asked before: a page, its menu and what may
    arrive while it is open all ask.
    """
    here = context.current().request_id
    kept: tuple[str, Own] | None = user.__dict__.get(_KEPT)
    if kept is not None and kept[0] == here:
        return kept[1]
    own = _counted(user)
    if here:
        user.__dict__[_KEPT] = (here, own)
    return own


def _counted(user: User) -> Own:
    owned = Connector.objects.present().filter(owner_id=OuterRef("pk")).order_by()
    shared = _Shared.objects.filter(user_id=OuterRef("pk"), connector__deleted_at__isnull=True).order_by()
    counted = User.objects.filter(pk=user.pk).values_list(BoundedCount(owned), BoundedCount(shared)).first()
    counts = counted or ()
    return Own(user, are_none=not any(counts), are_many=any(count.is_more for count in counts))
