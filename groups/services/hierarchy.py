"""Which group stands under which. A group never stands above itself, however many requests link at once."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.audit.record import Actor, record
from accounts.audit.tags import Tag
from accounts.models import Organisation
from groups.models import Group, GroupLink
from groups.models.group import is_below_another
from groups.models.hierarchy import MOST_LEVELS, levels
from groups.services import group_events, recounting
from kaizala_console.lib.errors import NotFound, RuleBroken

# The first half of the advisory lock's key: "sub-group links are being changed". Any number that nobody else uses.
LINKING = 0x6C696E6B
AT_ONCE: Final = 500  # values in one condition


@transaction.atomic
def link(*, parent: Group, child: Group, by: Actor) -> GroupLink:
    """Puts `child` under `parent`; when it stands there already, nothing changes.

    Raises RuleBroken: code "cycle" when `parent` is `child` or stands under it, "levels" when more than MOST_LEVELS
    groups would stand above each other, "organisation" when the two do not belong to the same one (private groups
    belong to none).
    """
    if parent.organisation_id != child.organisation_id:
        raise RuleBroken(_("A sub-group belongs to the same organisation as the group above it."), code="organisation")
    one_at_a_time(parent)
    _still_present(parent, child)
    if parent.pk == child.pk or Group.objects.under([child.pk]).filter(pk=parent.pk).exists():
        raise RuleBroken(
            _("“%(child)s” stands above “%(parent)s” already: a group cannot be its own sub-group.")
            % {"child": child.name, "parent": parent.name},
            code="cycle",
        )
    _require_few_levels(parent, child)
    made, is_new = GroupLink.objects.get_or_create(parent=parent, child=child)
    if is_new:
        place([child.pk])
        recounting.note(parent.pk)
        group_events.group_added(parent=parent, child=child, by=by)
        _tell(Tag.SUBGROUP_LINKED, parent, child, by)
    return made


@transaction.atomic
def attach(*, parent: Group, children: Iterable[Group], by: Actor) -> list[GroupLink]:
    """Puts all these groups under `parent`, or none: raises as `link`."""
    children = list(children)
    one_at_a_time(parent)
    hold([child.pk for child in children])
    return [link(parent=parent, child=child, by=by) for child in children]


@transaction.atomic
def unlink(*, parent: Group, child: Group, by: Actor) -> None:
    """Takes `child` from under `parent`; both groups go on. Raises NotFound when it does not stand there."""
    one_at_a_time(parent)
    gone, _rows = GroupLink.objects.filter(parent=parent, child=child).delete()
    if not gone:
        raise NotFound(_("This is not one of the group's sub-groups."))
    place([child.pk])
    recounting.note(parent.pk)
    group_events.group_removed(parent=parent, child=child, by=by)
    _tell(Tag.SUBGROUP_UNLINKED, parent, child, by)


def one_at_a_time(group: Group) -> None:
    """Makes others who change links in the same organisation wait until this transaction ends.

    Two links can close a cycle together that neither closes alone, between groups that have nothing in common: row
    locks cannot see that. Later statements of this transaction see what those before it committed (READ COMMITTED).
    SQLite's transactions write one at a time anyway (IMMEDIATE).
    """
    if connection.vendor == "postgresql":
        organisation = zlib.crc32(group.organisation_id.bytes if group.organisation_id else b"")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LINKING, organisation - 2**31])


def hold(group_ids: Iterable[UUID]) -> None:
    """Keeps these groups for this transaction to change, as `groups.held` does one: in the order of their keys, as
    everybody who holds several takes them. Else two could wait for each other.
    """
    for some in _chunks(sorted(set(group_ids))):
        list(Group.objects.select_for_update(no_key=True).filter(pk__in=some).order_by("pk").values_list("pk"))


def place(group_ids: Iterable[UUID]) -> None:
    """Writes down anew whether these groups stand below another one, in the transaction that links them or takes them
    from under one. Of several, `hold` them first.
    """
    for some in _chunks(sorted(set(group_ids))):
        Group.objects.filter(pk__in=some).update(stands_below=is_below_another())


def repair() -> int:
    """Does so for all groups, after links were written around the services; returns of how many it was wrong."""
    wrong = 0
    organisations: list[UUID | None] = [None, *Organisation.objects.order_by("pk").values_list("pk", flat=True)]
    for organisation_id in organisations:
        with transaction.atomic():
            one_at_a_time(Group(organisation_id=organisation_id))
            own = Q(organisation=organisation_id) if organisation_id else Q(organisation__isnull=True)
            for stands_below in (False, True):
                found = is_below_another() if not stands_below else ~is_below_another()
                kept = Group.objects.filter(own, found, stands_below=stands_below)
                wrong += kept.update(stands_below=not stands_below)
    return wrong


def _chunks(keys: list[UUID]) -> Iterable[list[UUID]]:
    return (keys[start : start + AT_ONCE] for start in range(0, len(keys), AT_ONCE))


def _require_few_levels(parent: Group, child: Group) -> None:
    above = levels(Group.objects.filter(pk=parent.pk).values("pk"), "up")
    below = levels(Group.objects.filter(pk=child.pk).values("pk"), "down")
    if above + below + 2 > MOST_LEVELS:
        raise RuleBroken(
            _("More than %(most)d groups would stand above each other, “%(child)s” under “%(parent)s” among them.")
            % {"most": MOST_LEVELS, "child": child.name, "parent": parent.name},
            code="levels",
        )


def _still_present(*groups: Group) -> None:
    wanted = {group.pk for group in groups}
    if Group.objects.present().filter(pk__in=wanted).count() != len(wanted):
        raise NotFound(_("One of these groups was removed in the meantime."))


def _tell(tag: Tag, parent: Group, child: Group, by: Actor) -> None:
    record(
        tag,
        by=by,
        subject=child,
        organisation=parent.organisation,
        group_id=parent.pk,
        after={"parent": str(parent.pk), "parent_name": parent.name, "child": str(child.pk), "child_name": child.name},
    )
