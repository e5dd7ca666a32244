"""What of this app waits for a person: requests of developers for the groups that they run."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from accounts.needs import Need, Urgency
from connectors.models import AccessRequest
from groups.queries.access_requests import asked_of

MENU_KEY = "groups"


def requests_to_answer(user: User) -> Iterator[Need]:
    """One card for all requests: it leads to the one, or to the list."""
    waiting = asked_of(user, named=True, most=100)
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
        text = _("“%(connector)s” and others ask to act, or to do more, where you decide.")
    elif group is None:
        text = _("“%(connector)s” acts for you, and asks for more permissions. Until you answer, it goes on as before.")
    elif first.kind == AccessRequest.Kind.MORE:
        text = _("“%(connector)s” asks for more permissions in “%(target)s”. Until you answer, it goes on as before.")
    else:
        text = _("%(developer)s asks you to let “%(connector)s” act in “%(target)s”.")
    yield Need(
        key=MENU_KEY,
        title=ngettext("A request waits for your answer", "%(count)d requests wait for your answer", len(waiting))
        % facts,
        text=text % facts,
        href=reverse("groups:request", args=[first.pk]) if len(waiting) == 1 else reverse("groups:requests"),
        act=_("Look at the request") if len(waiting) == 1 else _("Open the requests"),
        urgency=Urgency.NORMAL,
        count=len(waiting),
        is_asked=True,
    )
