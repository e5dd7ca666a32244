"""What stands under a group, as a tree: two statements, however many groups there are."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, OuterRef

from groups.models import Group, GroupLink
from groups.models.group import GroupQuerySet
from groups.models.hierarchy import MOST_LEVELS, reached

_COLUMNS: Final = ("id", "name", "image_url", "group_type", "welcome_message", "organisation_id")
Below = dict[Any, list[tuple[Any, str, str, str, str, Any]]]


@dataclass(slots=True)
class Branch:
    """A group under another one, and what is under it. A group in several places has that in one of them alone."""

    key: UUID
    name: str
    image_url: str
    group_type: str
    welcome_message: str
    organisation_id: UUID | None
    has_more: bool
    is_repeated: bool = False
    under: list[Branch] = field(default_factory=list)

    @property
    def is_of_tenant(self) -> bool:
        """Whether it belongs to an organisation."""
        return self.organisation_id is not None


def directly_under(group: Group) -> list[Branch]:
    """The present groups directly under this one, by name. One statement."""
    more = GroupLink.objects.filter(parent_id=OuterRef("child_id"), child__removed_at__isnull=True)
    links = GroupLink.objects.filter(parent=group, child__removed_at__isnull=True)
    rows = links.order_by("child__name", "child_id").values_list(*_of_child(), Exists(more))
    return [Branch(*row) for row in rows]


def all_under(group: Group, open_to: GroupQuerySet) -> list[Branch]:
    """The present groups under this one, at any level, by name.

    What stands under a group is told where that group is among those that are `open_to` the asker: as in the console,
    where somebody sees the sub-groups of a group when they see the group.
    """
    line = reached(Group.objects.filter(pk=group.pk), "down")
    links = GroupLink.objects.filter(parent_id__in=line, child__removed_at__isnull=True)
    below: Below = {}
    rows = links.order_by("child__name", "child_id")
    row: Any
    for row in rows.values_list("parent_id", *_of_child()):
        below.setdefault(row[0], []).append(row[1:])
    is_open = set(open_to.filter(pk__in=line).order_by().values_list("pk", flat=True))
    return _grown(group.pk, below, is_open)


def _of_child() -> list[str]:
    return [f"child__{column}" for column in _COLUMNS]


def _grown(root: UUID, below: Below, is_open: Collection[UUID]) -> list[Branch]:
    """Level by level: so that a group in several places stands in the highest one, and nothing grows without end."""
    top: list[Branch] = []
    placed = {root}
    waiting = deque([(root, top, 1)])
    while waiting:
        key, branches, level = waiting.popleft()
        for columns in below.get(key, ()):
            child = columns[0]
            branch = Branch(*columns, child in below, child in placed)
            branches.append(branch)
            if not branch.is_repeated:
                placed.add(child)
                if child in is_open and level + 1 < MOST_LEVELS:
                    waiting.append((child, branch.under, level + 1))
    return top
