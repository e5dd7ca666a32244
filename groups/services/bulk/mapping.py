"""Bulk upload of which group stands under which, for a whole organisation. No line can close a circle.

Sent again, the same file changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final
from uuid import UUID

from accounts.audit.events import EventType
from groups.bulk_files import LineRefused, MappingLine, Reason, Row, get_reason, mapping_line
from groups.models import BulkJob, Group, GroupLink
from groups.models.hierarchy import MOST_LEVELS
from groups.services import hierarchy, webhooks
from groups.services.bulk import base
from groups.services.bulk.base import Outcome, get_organisation, read_lines
from kaizala_console.lib.batches import batched
from kaizala_console.lib.errors import RuleBroken

Pair = tuple[Group, Group]  # the child, and its parent
_AT_ONCE: Final = 500  # values in one condition


class Checker(base.Checker):
    """Holds every link of the organisation by ids, and what the lines so far make of it."""

    def __init__(self, job: BulkJob) -> None:
        super().__init__(job)
        links = GroupLink.objects.filter(parent__organisation=get_organisation(job))
        self._tree = _Tree(links.values_list("child_id", "parent_id").iterator(chunk_size=5000))

    def problems(self, rows: list[Row]) -> Iterator[tuple[Row, Reason]]:
        """Lines that name no group of the organisation, or would put one under itself."""
        lines, bad = read_lines(rows, lambda row: mapping_line(row.cells))
        named = _Named(self.job, [line for _row, line in lines])
        yield from bad
        for row, line in lines:
            try:
                child, parent = named.pair(line)
                self._tree.follow(child, parent, removes=line.removes)
            except RuleBroken as broken:
                yield row, get_reason(broken)
            else:
                self.removing += line.removes


class Runner(base.Runner):
    def do(self, rows: list[Row]) -> Outcome:
        outcome = Outcome(EventType.SUBGROUPS_UPLOADED)
        hierarchy.lock_links(Group(organisation_id=self.job.organisation_id))  # it asks for nothing else
        lines, outcome.refused = read_lines(rows, lambda row: mapping_line(row.cells))
        named = _Named(self.job, [line for _row, line in lines])
        pairs: list[tuple[Row, MappingLine, Pair]] = []
        for row, line in lines:
            try:
                pairs.append((row, line, named.pair(line)))
            except RuleBroken as broken:
                outcome.refused.append((row, get_reason(broken)))
        self._link(pairs, outcome)
        return outcome

    def _link(self, pairs: list[tuple[Row, MappingLine, Pair]], outcome: Outcome) -> None:
        children = {child.pk for _row, _line, (child, _parent) in pairs}
        tree = _Tree(_list_nearby_links({parent.pk for _row, _line, (_child, parent) in pairs}, children))
        there = set(GroupLink.objects.filter(child_id__in=children).values_list("child_id", "parent_id"))
        before, groups = frozenset(there), dict[UUID, Group]()
        for row, line, (child, parent) in pairs:
            try:
                tree.follow(child, parent, removes=line.removes)
            except RuleBroken as broken:
                outcome.refused.append((row, get_reason(broken)))
                continue
            groups |= {child.pk: child, parent.pk: parent}
            (there.discard if line.removes else there.add)((child.pk, parent.pk))
        linked, unlinked = sorted(there - before), sorted(before - there)
        GroupLink.objects.bulk_create(
            [GroupLink(child_id=child, parent_id=parent) for child, parent in linked], ignore_conflicts=True
        )
        for child_id, parent_id in unlinked:
            GroupLink.objects.filter(child_id=child_id, parent_id=parent_id).delete()
        hierarchy.note_change(*{parent for _child, parent in (*linked, *unlinked)})
        # Of the groups that a webhook is on: one query finds them, however many lines there are.
        heard = webhooks.list_groups_with_webhooks([parent for _child, parent in (*linked, *unlinked)])
        for pairs_changed, publish in (
            (linked, webhooks.publish_group_added),
            (unlinked, webhooks.publish_group_removed),
        ):
            for child_id, parent_id in pairs_changed:
                if parent_id in heard:
                    publish(parent=groups[parent_id], child=groups[child_id], by=self.job.by)
        outcome.effects = {
            name: [[str(child), groups[child].name, str(parent), groups[parent].name] for child, parent in those]
            for name, those in (("linked", linked), ("unlinked", unlinked))
            if those
        }
        same = len(pairs) - len(outcome.refused) - len(linked) - len(unlinked)
        outcome.counts = (("linked", len(linked)), ("unlinked", len(unlinked)), ("unchanged", max(0, same)))


class _Named:
    """The groups of an organisation that some lines name, by ID and by name."""

    def __init__(self, job: BulkJob, lines: Iterable[MappingLine]) -> None:
        wanted = {text for line in lines for text in (line.child, line.parent)}
        self._by_id: dict[UUID, Group] = {}
        self._by_name: dict[str, list[Group]] = defaultdict(list)
        present = Group.objects.present().filter(organisation=get_organisation(job))
        for chunk in batched((text for text in wanted if isinstance(text, UUID)), _AT_ONCE):
            self._by_id |= {group.pk: group for group in present.filter(pk__in=chunk).only("name")}
        for names in batched((text for text in wanted if isinstance(text, str)), _AT_ONCE):
            for group in present.filter(name__in=names).only("name"):
                self._by_name[group.name].append(group)

    def pair(self, line: MappingLine) -> Pair:
        return self._group(line.child), self._group(line.parent)

    def _group(self, named: UUID | str) -> Group:
        if isinstance(named, UUID):
            if named not in self._by_id:
                raise LineRefused("group_id_unknown", id=str(named))
            return self._by_id[named]
        found = self._by_name.get(named, [])
        if not found:
            raise LineRefused("group_unknown", name=named[:60])
        if len(found) > 1:
            raise LineRefused("groups_of_one_name", n=len(found), name=named[:60])
        return found[0]


class _Tree:
    """Which groups stand right above and below which, and what the lines change in that."""

    def __init__(self, links: Iterable[tuple[UUID, UUID]]) -> None:
        self._parents: dict[UUID, set[UUID]] = defaultdict(set)
        self._children: dict[UUID, set[UUID]] = defaultdict(set)
        for child, parent in links:
            self._parents[child].add(parent)
            self._children[parent].add(child)

    def follow(self, child: Group, parent: Group, *, removes: bool) -> None:
        """Notes what a line does. Raises RuleBroken as `hierarchy.link` does: no circles, and not too many levels."""
        if removes:
            self._parents[child.pk].discard(parent.pk)
            self._children[parent.pk].discard(child.pk)
        elif parent.pk not in self._parents[child.pk]:
            names = {"child": child.name, "parent": parent.name}
            above, met = _levels(self._parents, parent.pk)
            if child.pk in met:
                raise LineRefused("circle", **names)
            if above + _levels(self._children, child.pk)[0] + 2 > MOST_LEVELS:
                raise LineRefused("too_deep", **names, most=MOST_LEVELS)
            self._parents[child.pk].add(parent.pk)
            self._children[parent.pk].add(child.pk)


def _levels(links: dict[UUID, set[UUID]], start: UUID) -> tuple[int, set[UUID]]:
    """How many levels there are from here on, MOST_LEVELS at most, and all groups that were met, this one included."""
    level, here, met = 0, {start}, {start}
    while level < MOST_LEVELS and (here := set().union(*(links.get(group, ()) for group in here))):
        level += 1
        met |= here
    return level, met


def _list_nearby_links(parents: set[UUID], children: set[UUID]) -> Iterable[tuple[UUID, UUID]]:
    """The links from the parents up to the top, and from the children down to the last: what a new link can spoil."""
    found: set[tuple[UUID, UUID]] = set()
    for chunk in batched(parents, _AT_ONCE):
        line = {*chunk, *Group.objects.above(chunk).values_list("pk", flat=True)}
        for part in batched(line, _AT_ONCE):
            found.update(GroupLink.objects.filter(child_id__in=part).values_list("child_id", "parent_id"))
    for chunk in batched(children, _AT_ONCE):
        line = {*chunk, *Group.objects.under(chunk).values_list("pk", flat=True)}
        for part in batched(line, _AT_ONCE):
            found.update(GroupLink.objects.filter(parent_id__in=part).values_list("child_id", "parent_id"))
    return found
