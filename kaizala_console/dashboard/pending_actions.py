"""What waits for a person, gathered from all apps: Home shows it, and the menu counts it.

Every page asks this, for the menu: so each statement asks for the few columns that are shown. Compiling and reading the
others took most of its time.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from connectors.models import AccessRequest
from connectors.queries import connectors, user_tokens
from groups.queries import access_requests
from kaizala_console.lib import clock, moments

SOON: Final = dt.timedelta(days=2)
LAST_WEEK: Final = dt.timedelta(days=7)
_FOUND: Final = "console_pending_actions"


class Urgency(IntEnum):
    """Nothing works until it is done; something ends soon; it can wait."""

    BLOCKING = 0
    SOON = 1
    NORMAL = 2


@dataclass(frozen=True)
class PendingAction:
    """One panel on Home.

    `key` is the menu's entry, whose badge counts it; `act` labels the button that leads to `href`. `is_asked` when
    somebody waits for an answer: such a panel stands in the inbox of handoffs as well (portal.md, Handoff).
    """

    key: str
    title: str | Promise
    text: str | Promise
    href: str
    act: str | Promise
    urgency: Urgency = Urgency.NORMAL
    count: int = 1
    is_asked: bool = False


def pending_actions(request: HttpRequest, user: User) -> list[PendingAction]:
    """Return everything that waits for `user`, the most urgent first: looked for once a request, for page and menu."""
    found: list[PendingAction] | None = request.__dict__.get(_FOUND)
    if found is None:
        found = request.__dict__[_FOUND] = list_pending_actions(user)
    return found


def list_pending_actions(user: User) -> list[PendingAction]:
    """Return the same, without a request to keep it at."""
    found = [*_requests_to_answer(user), *_of_own_connectors(user), *_user_tokens_to_confirm(user)]
    return sorted(found, key=lambda action: action.urgency)


def list_requests(request: HttpRequest, user: User) -> list[PendingAction]:
    """Return those by which somebody waits for an answer."""
    return [action for action in pending_actions(request, user) if action.is_asked]


def badges(actions: Iterable[PendingAction]) -> dict[str, int]:
    """Count the things that wait, by the menu's entry."""
    counts: Counter[str] = Counter()
    for action in actions:
        counts[action.key] += action.count
    return counts


def _of_own_connectors(user: User) -> Iterator[PendingAction]:
    if connectors.list_own_connectors(user).exists():
        yield from _handoffs_to_claim(user)
        yield from _leaks_to_answer(user)
        yield from tokens_to_replace(user)


def _handoffs_to_claim(user: User) -> Iterator[PendingAction]:
    """One for all handoffs that wait: it leads to the one, or to the inbox."""
    found = connectors.list_waiting_handoffs(user).select_related(None).select_related("connector", "grant")
    waiting = list(found.only("expires_at", "connector__name", "grant__target_name")[:100])
    if not waiting:
        return
    first = waiting[0]
    facts = {"connector": first.connector.name, "target": first.grant.target_name, "count": len(waiting)}
    yield PendingAction(
        key="handoffs",
        title=ngettext("A refresh token is ready to claim", "%(count)d refresh tokens are ready to claim", len(waiting))
        % facts,
        text=(
            _("%(connector)s has access to “%(target)s”. Claim its refresh token before it expires.")
            if len(waiting) == 1
            else _("%(connector)s has access to “%(target)s”, and there are more. Claim the tokens before they expire.")
        )
        % facts,
        href=reverse("connectors:handoff", args=[first.pk]) if len(waiting) == 1 else reverse("handoffs"),
        act=_("Open the handoff") if len(waiting) == 1 else _("Open Handoffs"),
        urgency=Urgency.SOON if first.expires_at - clock.now() < SOON else Urgency.NORMAL,
        count=len(waiting),
    )


def tokens_to_replace(user: User) -> Iterator[PendingAction]:
    """One for all refresh tokens that end within a month with nothing in use that follows them."""
    found = connectors.list_ending_tokens(user)
    ending = list(found.only("expires_at", "grant__connector__name", "grant__target_name")[:100])
    if not ending:
        return
    first = ending[0]
    facts = {
        "connector": first.grant.connector.name,
        "target": first.grant.target_name,
        "when": moments.exact(first.expires_at),
        "count": len(ending),
    }
    yield PendingAction(
        key="connectors",
        title=ngettext("A refresh token ends soon", "%(count)d refresh tokens end soon", len(ending)) % facts,
        text=_("%(connector)s needs a new one for “%(target)s” by %(when)s.") % facts,
        href=reverse("connectors:groups", args=[first.grant.connector_id]),
        act=_("View groups"),
        urgency=Urgency.SOON if first.expires_at - clock.now() < LAST_WEEK else Urgency.NORMAL,
        count=len(ending),
    )


def _leaks_to_answer(user: User) -> Iterator[PendingAction]:
    """A credential that was reported as leaked is refused until an owner answers."""
    own = connectors.list_open_leak_reports(connectors.filter_own(user))
    for report in own.select_related(None).select_related("connector").only("connector__name")[:20]:
        yield PendingAction(
            key="connectors",
            title=_("A credential was reported as leaked"),
            text=_("It belongs to “%(connector)s” and is refused for now. Revoke or restore it.")
            % {"connector": report.connector.name},
            href=reverse("connectors:leak", args=[report.connector_id, report.pk]),
            act=_("Answer"),
            urgency=Urgency.BLOCKING,
        )


def _user_tokens_to_confirm(user: User) -> Iterator[PendingAction]:
    """For an organisation admin: what another one may not decide alone."""
    if not user.is_organisation_admin:
        return
    for request in user_tokens.list_to_confirm(user)[:20]:
        facts = {"who": request.asked_by.name, "connector": request.connector.name}
        yield PendingAction(
            key="connectors",
            title=_("%(who)s needs your confirmation") % facts,
            text=_("“%(connector)s” would act for %(who)s in the whole organisation. A second admin must confirm.")
            % facts,
            href=reverse("connectors:user_token_request", args=[request.pk]),
            act=_("View request"),
            urgency=Urgency.SOON if request.expires_at - clock.now() < SOON else Urgency.NORMAL,
            is_asked=True,
        )


def _requests_to_answer(user: User) -> Iterator[PendingAction]:
    """One for all requests of developers: it leads to the one, or to the list."""
    waiting = access_requests.list_open_requests(user, named=True, most=100)
    if not waiting:
        return
    first = waiting[0].request
    group = waiting[0].group
    facts = {
        "connector": first.connector.name,
        "developer": first.made_by.name,
        "target": group.name if group else first.target_name,
        "count": len(waiting),
    }
    if len(waiting) > 1:
        text = _("“%(connector)s” and others ask for access or more permissions.")
    elif group is None:
        text = _("“%(connector)s” acts for you and asks for more permissions.")
    elif first.kind == AccessRequest.Kind.MORE:
        text = _("“%(connector)s” asks for more permissions in “%(target)s”.")
    else:
        text = _("%(developer)s asks you to add “%(connector)s” to “%(target)s”.")
    yield PendingAction(
        key="groups",
        title=ngettext("A request needs your answer", "%(count)d requests need your answer", len(waiting)) % facts,
        text=text % facts,
        href=reverse("groups:request", args=[first.pk]) if len(waiting) == 1 else reverse("groups:requests"),
        act=_("View request") if len(waiting) == 1 else _("View requests"),
        count=len(waiting),
        is_asked=True,
    )
