"""What the Activity page can be narrowed to: its form, what that asks of the trail, and the chips that say so."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.http import HttpRequest
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts import whereabouts
from accounts.audit import queries
from accounts.audit.tags import Tag
from accounts.audit.words import about
from accounts.models import User
from accounts.trail_sought import Sought

LAST_ID = 2**63 - 1
LAST_DATE = dt.date(9999, 12, 30)  # one more day is still a date


@dataclass(frozen=True)
class Kind:
    """One choice of the filter "What": the tags that begin with one of these nouns."""

    label: str | Promise
    nouns: tuple[str, ...]
    icon: str

    def tags(self) -> list[str]:
        """Their names, which are kept for ever (`accounts.audit.tags`)."""
        return [tag.value for tag in Tag if tag.value.partition(":")[0] in self.nouns]


KINDS = {
    "connectors": Kind(_("Connectors and secrets"), ("connector",), "connectors"),
    "access": Kind(_("Access and refresh tokens"), ("grant", "request", "handoff"), "handoffs"),
    "groups": Kind(_("Groups and members"), ("group", "person", "bulk", "media"), "groups"),
    "phones": Kind(_("Phone numbers and PINs"), ("phone",), "phone"),
    "accounts": Kind(_("Accounts and sign-ins"), ("user",), "person"),
    "organisation": Kind(_("Organisation and operators"), ("organisation", "operator", "notice"), "shield"),
}


class FilterForm(forms.Form):
    """The filters; what cannot be understood is left out rather than refused."""

    q = forms.CharField(label=_("Who or what"), required=False, max_length=120)
    what = forms.ChoiceField(
        label=_("What"),
        required=False,
        choices=[("", _("Everything")), *((key, kind.label) for key, kind in KINDS.items())],
    )
    connector = forms.UUIDField(label=_("Connector"), required=False, widget=forms.HiddenInput)
    group = forms.UUIDField(label=_("Group"), required=False, widget=forms.HiddenInput)
    mine = forms.BooleanField(label=_("Only what I did"), required=False)
    since = forms.DateField(
        label=pgettext_lazy("first day", "From"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label=pgettext_lazy("last day", "To"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    before = forms.IntegerField(required=False, min_value=1, max_value=LAST_ID)
    after = forms.IntegerField(required=False, min_value=1, max_value=LAST_ID)


def sought(chosen: dict[str, Any], user: User) -> Sought:
    """What the filters ask for; dates are whole days in the reader's zone, both included."""
    indexed = Q()
    if connector := chosen.get("connector"):
        indexed &= Q(connector_id=connector)
    if group := chosen.get("group"):
        indexed &= Q(group_id=group)
    if chosen.get("mine"):
        indexed &= Q(actor_kind="user", actor_id=str(user.pk))
    kind, since, until = KINDS.get(chosen.get("what", "")), chosen.get("since"), chosen.get("until")
    return Sought(
        indexed=indexed,
        words=about(chosen["q"]) if chosen.get("q") else Q(),
        tags=kind.tags() if kind else (),
        since=_midnight(since) if since else None,
        until=_midnight(min(until, LAST_DATE) + dt.timedelta(days=1)) if until else None,
        is_own=bool(chosen.get("mine")),
    )


def chips(request: HttpRequest, user: User, form: FilterForm, chosen: dict[str, Any]) -> list[dict[str, str]]:
    """What is looked for, each with the address of the page without it."""
    found = []
    for name, value in chosen.items():
        label = str(form.fields[name].label)
        text = label if value is True else f"{label}: {_words_of(user, name, value)}"
        without = query(request, **{name: None, "before": None, "after": None})
        found.append({"label": text, "remove_url": without or request.path})
    return found


def query(request: HttpRequest, **changes: str | None) -> str:
    """The query of this page with these changes; None takes one away."""
    changed = request.GET.copy()
    for name, value in changes.items():
        changed.pop(name, None)
        if value is not None:
            changed[name] = value
    return f"?{changed.urlencode()}" if changed else ""


def _words_of(user: User, name: str, value: Any) -> str:
    """What a filter asks for, as people call it."""
    if name == "what":
        return str(KINDS[value].label)
    if name in ("since", "until"):
        return formats.date_format(value)
    if name in ("connector", "group"):
        return whereabouts.name_of(user, name, value) or _name_then(user, name, value) or str(value)
    return str(value)


def _name_then(user: User, kind: str, key: UUID) -> str:
    """How what is not there any more was called when something was last done to it, as far as this person may read."""
    of_it = Sought(indexed=Q((f"{kind}_id", key)), words=Q(subject_kind=kind))
    events = queries.sought_page(user, of_it, size=1).events
    return events[0].subject_name if events else ""


def _midnight(day: dt.date) -> dt.datetime:
    return timezone.make_aware(dt.datetime.combine(day, dt.time.min))
