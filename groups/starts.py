"""What Home offers to admins of groups (`accounts.starts`), and which history they may read."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.starts import Start, Way
from groups import access
from groups.models import Group, Membership

# So many groups have a button of their own; who runs more finds the others in the list.
NAMED = 3
LONGEST_WORDS = 40
ASKED_ONE_BY_ONE = 8


def let_a_connector_in(user: User) -> Iterable[Start]:
    """The second of the four steps, for who is an admin of a group by a phone number of theirs: straight to its tab."""
    found = list(Group.objects.present().filter(pk__in=run_by(user)).order_by("name", "id")[: NAMED + 1])
    if not found:
        return
    yield Start(
        _("Let a connector into your group"),
        _("Choose the program, see what it could do, and say until when. The token goes to its developer, sealed."),
        ways_to(found),
    )


def ways_to(found: list[Group]) -> tuple[Way, ...]:
    """A button for each of the first groups, to its "Connectors" tab; and one to the list when there are more."""
    ways = [
        Way(
            Truncator(group.name).chars(LONGEST_WORDS),
            reverse("groups:connectors", args=[group.pk]),
            "groups",
        )
        for group in found[:NAMED]
    ]
    if len(found) > NAMED:
        ways.append(Way(_("All your groups"), reverse("groups:list")))
    return tuple(ways)


def events_of_own_groups(user: User) -> Iterable[Q]:
    """An admin may read the history of the groups that they run, also what others did there.

    A question for each group while these are few: of several together PostgreSQL guesses how many events it will find,
    and walks the whole trail when there are fewer (173 ms for eight events among 1.5 million).
    """
    groups = list(run_by(user))
    if len(groups) > ASKED_ONE_BY_ONE:
        return [Q(group_id__in=groups)]
    return [Q(group_id=group) for group in groups]


def run_by(user: User) -> QuerySet[Membership, UUID]:
    """The keys of the groups that somebody is an admin of by a number of theirs."""
    own = Membership.objects.admins().filter(person_id__in=access.held_by(user))
    return own.order_by().values_list("group_id", flat=True)
