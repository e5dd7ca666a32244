"""What waits for a person, gathered from all apps: Home shows it, and the menu counts it.

Every page counts, for the menu, by one statement that is put together once. What there is none of is not read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

from django.db.models import BigIntegerField, DateTimeField, QuerySet, UUIDField
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from connectors.models import AccessRequest
from connectors.queries import connectors, handoffs, user_tokens
from groups.queries import access_requests
from kaizala_console.lib import clock, moments
from kaizala_console.lib.bounded import BoundedCount
from kaizala_console.lib.prepared import Prepared

SOON: Final = dt.timedelta(days=2)
LAST_WEEK: Final = dt.timedelta(days=7)
MOST: Final = 100  # of a kind; more are not counted
_COUNTED: Final = "console_waiting"


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


class Waiting(NamedTuple):
    """How many of each kind wait for a person."""

    requests: int = 0
    handoffs: int = 0
    leaks: int = 0
    ending_tokens: int = 0
    user_tokens: int = 0


def pending_actions(request: HttpRequest, user: User) -> list[PendingAction]:
    """Return everything that waits for `user`, the most urgent first; the menu of the same request counts no more."""
    return list_pending_actions(user, count_once(request, user))


def list_pending_actions(user: User, waiting: Waiting | None = None) -> list[PendingAction]:
    """Return the same, without a request to keep the counts at."""
    waiting = count_waiting(user) if waiting is None else waiting
    found = [
        *(_requests_to_answer(user) if waiting.requests else ()),
        *(_handoffs_to_claim(user) if waiting.handoffs else ()),
        *(_leaks_to_answer(user) if waiting.leaks else ()),
        *(tokens_to_replace(user) if waiting.ending_tokens else ()),
        *(_user_tokens_to_confirm(user) if waiting.user_tokens else ()),
    ]
    return sorted(found, key=lambda action: action.urgency)


def list_requests(request: HttpRequest, user: User) -> list[PendingAction]:
    """Return those by which somebody waits for an answer."""
    waiting = count_once(request, user)
    asked = Waiting(requests=waiting.requests, user_tokens=waiting.user_tokens)
    return [action for action in list_pending_actions(user, asked) if action.is_asked]


def badges(waiting: Waiting) -> dict[str, int]:
    """Count the things that wait, by the menu's entry."""
    return {
        "groups": min(waiting.requests, MOST),
        "handoffs": min(waiting.handoffs, MOST),
        "connectors": min(waiting.leaks + waiting.ending_tokens + waiting.user_tokens, MOST),
    }


def count_once(request: HttpRequest, user: User) -> Waiting:
    """Count once a request, for page and menu."""
    waiting: Waiting | None = request.__dict__.get(_COUNTED)
    if waiting is None:
        waiting = request.__dict__[_COUNTED] = count_waiting(user)
    return waiting


def count_waiting(user: User) -> Waiting:
    """Count all kinds at this moment. One statement."""
    now = clock.now()
    counted = (_OF_ADMIN if user.is_organisation_admin else _OF_USER).first(
        user=user.pk, organisation=user.organisation_id, now=now, soon=now + connectors.SOON
    )
    return Waiting(*counted) if counted else Waiting()


def _select_counts(*, user: Any, organisation: Any, now: Any, soon: Any, is_admin: bool) -> QuerySet[User, Any]:
    asker: Any = SimpleNamespace(pk=user, organisation_id=organisation, is_organisation_admin=is_admin)
    counted: list[QuerySet[Any]] = [
        access_requests.list_requests_to_answer(asker, at=now),
        handoffs.list_waiting_handoffs(asker, at=now),
        connectors.list_open_leak_reports(connectors.filter_own(asker)),
        connectors.list_ending_tokens(asker, at=now, until=soon),
    ]
    if is_admin:
        counted.append(user_tokens.list_to_confirm(asker, at=now))
    return User.objects.filter(pk=user).values_list(*(BoundedCount(rows.order_by()) for rows in counted))


_ASKED: Final[dict[str, Any]] = {
    "user": BigIntegerField(),
    "organisation": UUIDField(),
    "now": DateTimeField(),
    "soon": DateTimeField(),
}
_OF_USER: Final = Prepared(partial(_select_counts, is_admin=False), **_ASKED)
_OF_ADMIN: Final = Prepared(partial(_select_counts, is_admin=True), **_ASKED)


def _handoffs_to_claim(user: User) -> Iterator[PendingAction]:
    """One for all handoffs that wait: it leads to the one, or to the inbox."""
    found = handoffs.list_waiting_handoffs(user).select_related(None).select_related("connector", "grant")
    waiting = list(found.only("expires_at", "connector__name", "grant__target_name")[:MOST])
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
    ending = list(found.only("expires_at", "grant__connector__name", "grant__target_name")[:MOST])
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
    waiting = access_requests.list_open_requests(user, named=True, most=MOST)
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
