"""One question to every list of names that a person sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from accounts.audit import queries as trail
from accounts.audit.words import about
from accounts.models import AuditEvent, Person, User
from connectors.models import Connector
from connectors.queries import connectors as connector_queries
from groups.models import Action, Group
from groups.queries import actions as action_queries
from groups.queries import directory
from groups.queries import groups as queries
from kaizala_console.lib.pagination import Page

SHOWN: Final = 6
RECENT: Final = 5_000  # cards, and events a scope, that are looked through: said on the page

Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class Found(Generic[Kind]):
    """The first few that match, and whether there are more."""

    items: Sequence[Kind]
    more: bool


@dataclass(frozen=True, slots=True)
class Everything:
    """What was found, each kind as its own list finds it."""

    connectors: Found[Connector]
    groups: Found[Group]
    people: Found[Person]
    actions: Found[Action]
    events: Found[AuditEvent]

    @property
    def kinds(self) -> tuple[Found[Any], ...]:
        """All of them."""
        return (self.connectors, self.groups, self.people, self.actions, self.events)

    def __bool__(self) -> bool:
        return any(found.items for found in self.kinds)


def search(user: User, text: str) -> Everything:
    """What this person sees that has `text` in its name (a person also in the number), or as its whole ID.

    Of cards and of what happened, the newest `RECENT` are looked through: cards by title, events by the words in them.
    One statement a kind, and one for each scope of the activity.
    """
    actions = action_queries.recent_with(user, text, size=SHOWN + 1, among=RECENT)
    events = trail.recent(user, only=about(text), size=SHOWN + 1, among=RECENT)
    return Everything(
        connectors=_first(connector_queries.connector_page(user, everybodys=True, search=text, size=SHOWN)),
        groups=_first(queries.group_page(user, search=text, size=SHOWN)),
        people=_first(directory.page(user, search=text, size=SHOWN)),
        actions=Found(actions[:SHOWN], len(actions) > SHOWN),
        events=Found(events[:SHOWN], len(events) > SHOWN),
    )


def _first(page: Page[Kind]) -> Found[Kind]:
    return Found(page.items, page.next_cursor is not None)
