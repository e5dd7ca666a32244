"""The first steps of who runs a group, from the group to a connector that works in it (`accounts.first_steps`)."""

from __future__ import annotations

from typing import Final

from django.db.models import F, OuterRef, Subquery
from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.first_steps import Path, Step
from accounts.models import User
from accounts.starts import Way
from connectors.models import Grant, RefreshToken
from groups.models import Group
from groups.starts import LONGEST_WORDS, NAMED, run_by, ways_to

FIRST: Final = 100


def of_group_admin(user: User) -> Path:
    """Told by the grant that has come farthest. Two statements, one for who runs no group."""
    run = list(Group.objects.present().filter(pk__in=run_by(user)).order_by("name", "id")[: NAMED + 1])
    granted = _farthest(user) if run else None
    works_since = granted and granted.works_since  # type: ignore[attr-defined]  # annotated by the query
    return Path(
        title=_("Four steps until a program may act in your group"),
        steps=(
            Step(_("Add your phone number"), "", done=True),
            Step(_("Open a group that you run"), _named(run) if run else "", done=bool(run)),
            Step(
                _("Add a connector to it"),
                granted.connector.name
                if granted
                else _("Choose the program, see what it could do, and say until when. In which group?")
                if len(run) > 1
                else _("Choose the program, see what it could do, and say until when."),
                done=granted is not None,
                ways=ways_to(run) if len(run) > 1 else tuple(_to_the_tab(group) for group in run),
            ),
            Step(
                _("Its developer puts the token in"),
                _("It works: you need not do anything more.")
                if works_since
                else _("The token went to them, sealed. You need not pass anything on."),
                done=bool(works_since),
                ways=(Way(_("See how far it is"), _page_of(granted)),) if granted else (),
            ),
        ),
        help_page="letting-in",
        fits=bool(run),
        finished_at=works_since or None,
    )


def _farthest(user: User) -> Grant | None:
    """Among the first that were made: who has let in a hundred programs is at no first step."""
    first = Grant.objects.filter(granted_by=user, kind=Grant.Kind.GROUP, revoked_at__isnull=True)
    used = RefreshToken.objects.filter(grant=OuterRef("pk"), first_used_at__isnull=False).order_by("first_used_at")
    return (
        Grant.objects.filter(pk__in=first.order_by("granted_at").values("pk")[:FIRST])
        .select_related("connector", "group_grant")
        .annotate(works_since=Subquery(used.values("first_used_at")[:1]))
        .order_by(F("works_since").asc(nulls_last=True), "-granted_at", "-id")
        .first()
    )


def _named(run: list[Group]) -> str:
    if len(run) > NAMED:
        return _("You run several.")
    names = ", ".join(Truncator(group.name).chars(LONGEST_WORDS) for group in run)
    return ngettext("You run %(names)s.", "You run %(names)s.", len(run)) % {"names": names}


def _to_the_tab(group: Group) -> Way:
    return Way(_("Add Connector"), reverse("groups:connectors", args=[group.pk]), "plus")


def _page_of(grant: Grant) -> str:
    return reverse("groups:grant", args=[grant.group_grant.group_id, grant.pk])
