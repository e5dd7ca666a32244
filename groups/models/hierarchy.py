"""Which group stands under which."""

from __future__ import annotations

from typing import Any, Final, Literal

from django.db import models
from django.db.models import ExpressionWrapper, F, IntegerField, Max, QuerySet, Value
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_cte import CTE, with_cte


class GroupLink(models.Model):
    """`child` is a sub-group of `parent`. A group may have several parents, but never itself above it."""

    parent = models.ForeignKey(
        "groups.Group",
        verbose_name=_("parent"),
        on_delete=models.CASCADE,
        related_name="child_links",
        db_index=False,  # linked_once begins with it
    )
    child = models.ForeignKey(
        "groups.Group", verbose_name=_("child"), on_delete=models.CASCADE, related_name="parent_links"
    )
    linked_at = models.DateTimeField(_("linked at"), default=timezone.now)

    class Meta:
        verbose_name = _("sub-group link")
        verbose_name_plural = _("sub-group links")
        constraints = [
            models.UniqueConstraint(fields=["parent", "child"], name="linked_once"),
            models.CheckConstraint(condition=~models.Q(parent=models.F("child")), name="no_group_under_itself"),
        ]

    def __str__(self) -> str:
        return f"{self.parent_id} › {self.child_id}"


# ----------------------------------------------------------------------------------------------------
# Walks the hierarchy of groups inside the database (`WITH RECURSIVE`, by django-cte).


Direction = Literal["down", "up"]

# At most so many groups stand above each other, the first and the last counted: nested in JSON (two brackets a level),
# such a hierarchy is no deeper than the 64 that our own reader takes, and .NET's by default (ADR 0050).
MOST_LEVELS: Final = 30


def reached(groups: QuerySet[Any], direction: Direction) -> QuerySet[Any]:
    """Returns the ids of these groups and of all groups under them ("down"), or above them ("up"), for use in a query.

    `groups` is a query of groups; not one that Django knows to be empty beforehand (`pk__in=[]`).
    """
    return _walk(groups, direction).values("reached")


def levels(groups: QuerySet[Any], direction: Direction) -> int:
    """Returns how many groups stand under these in the longest line ("down"), or above them ("up").

    It counts up to MOST_LEVELS.
    """
    deepest: int | None = _walk(groups, direction, with_level=True).aggregate(deepest=Max("level"))["deepest"]
    return deepest or 0


def _walk(groups: QuerySet[Any], direction: Direction, *, with_level: bool = False) -> QuerySet[Any]:
    """`UNION` drops what was met before, so that a group under two parents is walked once, and the walk ends whatever
    the links say: without levels because it comes to an end, with them because it goes no deeper than MOST_LEVELS.
    """
    here, there = ("parent_id", "child_id") if direction == "down" else ("child_id", "parent_id")

    def steps(walk: CTE) -> QuerySet[Any]:
        links = walk.join(GroupLink, **{here: walk.col.reached}).order_by()
        first: dict[str, Any] = {"reached": F("pk")}
        further: dict[str, Any] = {"reached": F(there)}
        if with_level:
            further["level"] = ExpressionWrapper(walk.col.level + 1, output_field=IntegerField())
            first["level"], links = Value(0), links.alias(next=further["level"]).filter(next__lte=MOST_LEVELS)
        return groups.order_by().values(**first).union(links.values(**further))

    walk = CTE.recursive(steps, name="walk")
    return with_cte(walk, select=walk).order_by()
