"""The onboarding steps of a newcomer: of a developer, and of who runs a group.

Every step is done by a fact in the database: it does not matter by which way somebody got there, nor on which device.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from connectors.queries import connectors as connector_queries
from groups.models import Group
from groups.queries import groups as group_queries
from kaizala_console.dashboard.links import Link
from kaizala_console.lib import clock

# So long after the last step Home still shows that all is done.
SHOWN_DONE: Final = dt.timedelta(days=1)
# So many groups have a button of their own; who runs more finds the others in the list.
NAMED: Final = 3
LONGEST_WORDS: Final = 40


@dataclass(frozen=True)
class OnboardingStep:
    """One line. `links` are the buttons of a step that is next: mostly one; several lead to different places for it."""

    title: str | Promise
    text: str | Promise
    done: bool = False
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class OnboardingPath:
    """The steps of one kind of person, in order; `help_page` tells more.

    `fits` says that the person has begun it: owns a connector, or runs a group. `for_all` marks the one for who has
    begun none. `finished_at` is when the last of it came true.
    """

    title: str | Promise
    steps: tuple[OnboardingStep, ...]
    help_page: str
    fits: bool
    finished_at: dt.datetime | None = None
    for_all: bool = False

    @property
    def next_step(self) -> OnboardingStep | None:
        return next((step for step in self.steps if not step.done), None)

    @property
    def done_count(self) -> int:
        return sum(step.done for step in self.steps)


def get_path(user: User) -> OnboardingPath | None:
    """Return the path that Home shows to somebody with a verified number: one that they have begun and not finished.

    None once all that fits is done, but for a day after the last step; and when they put it away.
    """
    if user.first_steps_put_away_at is not None:
        return None
    paths = sorted((group_admin_path(user), developer_path(user)), key=lambda path: path.for_all)
    fitting = [path for path in paths if path.fits] or [path for path in paths if path.for_all]
    for path in fitting:
        if path.next_step is not None:
            return path
    just_done = clock.now() - SHOWN_DONE
    return next((path for path in fitting if path.finished_at is not None and path.finished_at >= just_done), None)


def list_own_groups(user: User) -> list[Group]:
    """Return the first groups that somebody runs, and one more than is named."""
    return group_queries.list_run_groups(user, most=NAMED + 1)


def links_to_connectors(groups: Sequence[Group]) -> tuple[Link, ...]:
    """Return a link to the "Connectors" tab of each of the first groups; and one to the list when there are more."""
    links = [
        Link(Truncator(group.name).chars(LONGEST_WORDS), reverse("groups:connectors", args=[group.pk]), "groups")
        for group in groups[:NAMED]
    ]
    if len(groups) > NAMED:
        links.append(Link(_("All your groups"), reverse("groups:list")))
    return tuple(links)


# ---------------------------------------------------------------- A developer, to the first call that works


def developer_path(user: User) -> OnboardingPath:
    """Told by the connector that has come farthest. One statement."""
    found = connector_queries.get_farthest(user)
    granted = bool(found and (found.granted or found.claimed))
    claimed = bool(found and (found.claimed or found.works_since))
    steps = (
        _register_step(found),
        _access_step(found, done=granted or claimed),
        _claim_step(found, done=claimed),
        _first_call_step(found),
    )
    return OnboardingPath(
        title=_("Five steps to connect your program to a group"),
        steps=(OnboardingStep(_("Add your phone number"), "", done=True), *steps),
        help_page="connectors",
        fits=found is not None,
        finished_at=found and found.works_since,
        for_all=not user.is_organisation_admin,
    )


def _register_step(found: Any) -> OnboardingStep:
    if found is not None:
        return OnboardingStep(_("Register your program as a connector"), found.name, done=True)
    return OnboardingStep(
        _("Register your program as a connector"),
        _("Choose a name and permissions. You get an ID and a secret."),
        links=(Link(_("Add Connector"), reverse("connectors:create"), "plus"),),
    )


def _access_step(found: Any, *, done: bool) -> OnboardingStep:
    title = _("Ask a group admin to add it")
    if done:
        return OnboardingStep(title, "", done=True)
    if found is not None and found.asked:
        link = Link(_("View your request"), reverse("connectors:request", args=[found.pk, found.asked]))
        return OnboardingStep(title, _("Your request is waiting for an answer."), links=(link,))
    links = (Link(_("Send a request"), reverse("connectors:request_send", args=[found.pk])),) if found else ()
    return OnboardingStep(title, _("Send a request link with the permissions you need and the reason."), links=links)


def _claim_step(found: Any, *, done: bool) -> OnboardingStep:
    title = _("Claim the refresh token")
    if done or found is None or not found.last_handoff:
        return OnboardingStep(
            title, "" if done else _("It arrives in Handoffs, encrypted, once a group adds your connector."), done
        )
    if found.waiting_handoff:
        link = Link(_("Open the handoff"), reverse("connectors:handoff", args=[found.waiting_handoff]), "opened")
        return OnboardingStep(
            title, _("It’s ready. Before you claim it, decide where your program will store it."), links=(link,)
        )
    link = Link(_("Open the handoff"), reverse("connectors:handoff", args=[found.last_handoff]))
    return OnboardingStep(title, _("The last one expired unclaimed. Regenerate it."), links=(link,))


def _first_call_step(found: Any) -> OnboardingStep:
    title = _("Make the first call")
    if found is not None and found.works_since:
        return OnboardingStep(title, _("Your program is connected."), done=True)
    links: tuple[Link, ...] = ()
    if found is not None:
        links = (Link(_("Quick start"), f"{reverse('connectors:explorer')}?connector={found.pk}", "code"),)
    return OnboardingStep(
        title, _("Exchange the refresh token for an access token. It shows here once it works."), links=links
    )


# ---------------------------------------------------------------- Who runs a group, to a connector that works in it


def group_admin_path(user: User) -> OnboardingPath:
    """Told by the grant that has come farthest. Two statements, one for who runs no group."""
    run = list_own_groups(user)
    granted: Any = group_queries.get_farthest_grant(user) if run else None
    works_since = granted and granted.works_since
    return OnboardingPath(
        title=_("Four steps to add a program to your group"),
        steps=(
            OnboardingStep(_("Add your phone number"), "", done=True),
            OnboardingStep(_("Open a group you manage"), _named(run) if run else "", done=bool(run)),
            OnboardingStep(
                _("Add a connector to it"),
                granted.connector.name
                if granted
                else _("Choose the connector, check its permissions, and set an end date. In which group?")
                if len(run) > 1
                else _("Choose the connector, check its permissions, and set an end date."),
                done=granted is not None,
                links=links_to_connectors(run) if len(run) > 1 else tuple(_add_connector_link(group) for group in run),
            ),
            OnboardingStep(
                _("The developer claims the token"),
                _("It works. You’re done.") if works_since else _("It is sent to them, encrypted."),
                done=bool(works_since),
                links=(Link(_("View progress"), _grant_url(granted)),) if granted else (),
            ),
        ),
        help_page="letting-in",
        fits=bool(run),
        finished_at=works_since or None,
    )


def _named(run: list[Group]) -> str:
    if len(run) > NAMED:
        return _("You manage several.")
    names = ", ".join(Truncator(group.name).chars(LONGEST_WORDS) for group in run)
    return ngettext("You manage %(names)s.", "You manage %(names)s.", len(run)) % {"names": names}


def _add_connector_link(group: Group) -> Link:
    return Link(_("Add Connector"), reverse("groups:connectors", args=[group.pk]), "plus")


def _grant_url(grant: Any) -> str:
    return reverse("groups:grant", args=[grant.group_grant.group_id, grant.pk])
