"""What of this app waits for a person: refresh tokens to be claimed, user tokens to be confirmed.

Every page asks this, for the menu: so each statement asks for the few columns that a card names. Compiling and reading
the others took most of its time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from accounts.needs import Need, Urgency
from connectors.models import Connector
from connectors.queries import connectors, ending_access, user_tokens
from connectors.services import words
from kaizala_console.lib import clock

MENU_KEY = "handoffs"
SOON = dt.timedelta(days=2)
LAST_WEEK = dt.timedelta(days=7)


def of_owner(user: User) -> Iterator[Need]:
    """What waits for somebody because of own connectors."""
    if connectors.own_connectors(user).exists():
        for cards in (handoffs_to_claim, leaks_to_answer, tokens_to_replace):
            yield from cards(user)


def handoffs_to_claim(user: User) -> Iterator[Need]:
    """One card for all handoffs that wait: it leads to the one, or to the inbox."""
    found = connectors.waiting_handoffs(user).select_related(None).select_related("connector", "grant")
    waiting = list(found.only("expires_at", "connector__name", "grant__target_name")[:100])
    if not waiting:
        return
    first = waiting[0]
    facts = {"connector": first.connector.name, "target": first.grant.target_name, "count": len(waiting)}
    yield Need(
        key=MENU_KEY,
        title=ngettext("A refresh token waits for you", "%(count)d refresh tokens wait for you", len(waiting)) % facts,
        text=(
            _("%(connector)s was given access to “%(target)s”. Claim its refresh token before it expires.")
            if len(waiting) == 1
            else _("%(connector)s was given access to “%(target)s”, and there are more. Claim them before they expire.")
        )
        % facts,
        href=reverse("connectors:handoff", args=[first.pk]) if len(waiting) == 1 else reverse("connectors:handoffs"),
        act=_("Open the handoff") if len(waiting) == 1 else _("Open the inbox"),
        urgency=Urgency.SOON if first.expires_at - clock.now() < SOON else Urgency.NORMAL,
        count=len(waiting),
    )


def tokens_to_replace(user: User) -> Iterator[Need]:
    """One card for all refresh tokens that end within a month with nothing in use that follows them."""
    found = ending_access.tokens_that_end(user)
    ending = list(found.only("expires_at", "grant__connector__name", "grant__target_name")[:100])
    if not ending:
        return
    first = ending[0]
    facts = {
        "connector": first.grant.connector.name,
        "target": first.grant.target_name,
        "when": words.moment(first.expires_at),
        "count": len(ending),
    }
    yield Need(
        key="connectors",
        title=ngettext("A refresh token ends soon", "%(count)d refresh tokens end soon", len(ending)) % facts,
        text=_("%(connector)s needs a new one for “%(target)s” by %(when)s.") % facts,
        href=reverse("connectors:groups", args=[first.grant.connector_id]),
        act=_("See the groups"),
        urgency=Urgency.SOON if first.expires_at - clock.now() < LAST_WEEK else Urgency.NORMAL,
        count=len(ending),
    )


def user_tokens_to_confirm(user: User) -> Iterator[Need]:
    """For an organisation admin: what another one may not decide alone."""
    if not user.is_organisation_admin:
        return
    for request in user_tokens.user_tokens_to_confirm(user)[:20]:
        facts = {"who": request.asked_by.name, "connector": request.connector.name}
        yield Need(
            key="connectors",
            title=_("%(who)s asks for your confirmation") % facts,
            text=_("“%(connector)s” is to act for %(who)s in the whole organisation. A second admin must agree.")
            % facts,
            href=reverse("connectors:user_token_request", args=[request.pk]),
            act=_("Look at it"),
            urgency=Urgency.SOON if request.expires_at - clock.now() < SOON else Urgency.NORMAL,
            is_asked=True,
        )


def leaks_to_answer(user: User) -> Iterator[Need]:
    """A credential that was reported as leaked is refused until an owner answers."""
    found = (
        connectors.open_leak_reports(connectors.of_own_connectors(user))
        .select_related(None)
        .select_related("connector")
    )
    for report in found.only("connector__name")[:20]:
        yield Need(
            key="connectors",
            title=_("A credential was reported as leaked"),
            text=_("It belongs to “%(connector)s”, and has been refused since then. Revoke it, or restore it.")
            % {"connector": report.connector.name},
            href=reverse("connectors:leak", args=[report.connector_id, report.pk]),
            act=_("Answer"),
            urgency=Urgency.BLOCKING,
        )


def events_of_own_connectors(user: User) -> Q | None:
    """A developer may read the history of the connectors that they own, deleted ones too (`accounts.audit.queries`).

    These are named: of a subquery the database only guesses how many events it will find.
    """
    owned = list(Connector.objects.owned_by(user.pk).order_by().values_list("pk", flat=True))
    return Q(connector_id__in=owned) if owned else None
