"""The first steps of a developer, from the connector to the first call that works (`accounts.first_steps`)."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Exists, F, OuterRef, Subquery
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.first_steps import Path, Step
from accounts.models import User
from accounts.starts import Way
from connectors.models import AccessRequest, Connector, Grant, Handoff, RefreshToken
from connectors.queries import connectors
from kaizala_console.lib import clock

FIRST: Final = 100


def of_developer(user: User) -> Path:
    """Told by the connector that has come farthest. One statement."""
    found = _farthest(user)
    granted = bool(found and (found.granted or found.claimed))
    claimed = bool(found and (found.claimed or found.works_since))
    steps = (
        _registered(found),
        _let_in(found, done=granted or claimed),
        _claimed(found, done=claimed),
        _works(found),
    )
    return Path(
        title=_("Five steps until your program may act in a group"),
        steps=(Step(_("Add your phone number"), "", done=True), *steps),
        help_page="connectors",
        fits=found is not None,
        finished_at=found and found.works_since,
        for_all=not user.is_organisation_admin,
    )


def _farthest(user: User) -> Any:
    """Among the first that were made: who owns a hundred connectors is at no first step."""
    first = connectors.own_connectors(user).order_by("created_at", "id").values("pk")[:FIRST]
    now, mine = clock.now(), OuterRef("pk")
    handoffs = Handoff.objects.filter(connector=mine).order_by("-made_at", "-id")
    waiting = Handoff.objects.waiting().filter(connector=mine, expires_at__gt=now).order_by("-expires_at")
    used = RefreshToken.objects.filter(connector=mine, first_used_at__isnull=False)
    asked = AccessRequest.objects.open(now).filter(connector=mine).order_by("-expires_at")
    return (
        Connector.objects.filter(pk__in=first)
        .annotate(
            granted=Exists(Grant.objects.present().filter(connector=mine)),
            waiting_handoff=Subquery(waiting.values("pk")[:1]),
            last_handoff=Subquery(handoffs.values("pk")[:1]),
            claimed=Exists(Handoff.objects.filter(connector=mine, claimed_at__isnull=False)),
            works_since=Subquery(used.order_by("first_used_at").values("first_used_at")[:1]),
            asked=Subquery(asked.values("pk")[:1]),
        )
        .order_by(F("works_since").asc(nulls_last=True), "-claimed", "-granted", "-created_at", "-id")
        .first()
    )


def _registered(found: Any) -> Step:
    if found is not None:
        return Step(_("Register your program as a connector"), found.name, done=True)
    return Step(
        _("Register your program as a connector"),
        _("Give it a name, and say what it may do. You get its ID and its secret."),
        ways=(Way(_("Add Connector"), reverse("connectors:create"), "plus"),),
    )


def _let_in(found: Any, *, done: bool) -> Step:
    title = _("Have a group admin let it in")
    if done:
        return Step(title, "", done=True)
    if found is not None and found.asked:
        way = Way(_("See your request"), reverse("connectors:request", args=[found.pk, found.asked]))
        return Step(title, _("Your request waits for an answer. You are told as soon as there is one."), ways=(way,))
    ways = (Way(_("Send a request"), reverse("connectors:request_send", args=[found.pk])),) if found else ()
    return Step(title, _("You say what it should be allowed, and why. The admin gets a link, and decides."), ways=ways)


def _claimed(found: Any, *, done: bool) -> Step:
    title = _("Claim the refresh token")
    if done or found is None or not found.last_handoff:
        return Step(title, "" if done else _("It arrives in Handoffs, sealed, as soon as a group has said yes."), done)
    if found.waiting_handoff:
        way = Way(_("Open the handoff"), reverse("connectors:handoff", args=[found.waiting_handoff]), "opened")
        return Step(
            title, _("It waits for you, sealed. Have the place ready where your program reads it."), ways=(way,)
        )
    way = Way(_("Open the handoff"), reverse("connectors:handoff", args=[found.last_handoff]))
    return Step(title, _("The last one ended before anybody opened it. Have it issued again."), ways=(way,))


def _works(found: Any) -> Step:
    title = _("Make the first call")
    if found is not None and found.works_since:
        return Step(title, _("It worked: your program is connected."), done=True)
    ways: tuple[Way, ...] = ()
    if found is not None:
        ways = (Way(_("Quick start"), f"{reverse('connectors:explorer')}?connector={found.pk}", "code"),)
    return Step(title, _("Trade the refresh token for an access token. It shows here once it has worked."), ways=ways)
