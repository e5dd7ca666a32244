"""Activity: the audit trail, as far as the reader may see it. Filters live in the URL; pages go by key."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_GET

from accounts import trail, whereabouts
from accounts.audit import fields, values
from accounts.audit.sentences import actor, sentence
from accounts.audit.words import about
from accounts.models import AuditEvent, User
from accounts.pages.decorators import signed_in, user_of
from kaizala_console.lib import moments
from kaizala_console.lib.errors import NotFound

PAGE_SIZE = 50
LAST_ID = 2**63 - 1
LAST_DATE = dt.date(9999, 12, 30)  # one more day is still a date


@dataclass(frozen=True)
class Kind:
    """One choice of the filter "What": the tags that begin with one of these nouns."""

    label: str | Promise
    nouns: tuple[str, ...]
    icon: str


KINDS = {
    "connectors": Kind(_("Connectors and secrets"), ("connector",), "connectors"),
    "access": Kind(_("Access and refresh tokens"), ("grant", "request", "handoff"), "handoffs"),
    "groups": Kind(_("Groups and members"), ("group", "person", "bulk", "media"), "groups"),
    "phones": Kind(_("Phone numbers and PINs"), ("phone",), "phone"),
    "accounts": Kind(_("Accounts and sign-ins"), ("user",), "person"),
    "organisation": Kind(_("Organisation and operators"), ("organisation", "operator", "notice"), "shield"),
}
_ICONS = {noun: kind.icon for kind in KINDS.values() for noun in kind.nouns}


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


@require_GET
@signed_in
def activity(request: HttpRequest) -> HttpResponse:
    """One page of events, the newest first."""
    user = user_of(request)
    form = FilterForm(request.GET)
    form.is_valid()
    chosen = {name: value for name, value in form.cleaned_data.items() if value}
    only = condition_of(chosen, user)
    page = trail.page(
        user,
        size=PAGE_SIZE,
        only=only,
        before=chosen.pop("before", None),
        after=chosen.pop("after", None),
    )
    return render(
        request,
        "accounts/activity.html",
        {
            "form": form,
            "more_is_open": bool({"since", "until", "mine"} & set(chosen)),
            "events": rows(page.events),
            "chips": _chips(request, user, form, chosen),
            "export_url": f"{reverse('accounts:activity_export')}{_query(request, before=None, after=None)}",
            "newer": page.newer and _query(request, before=None, after=str(page.newer)),
            "older": page.older and _query(request, before=str(page.older), after=None),
        },
    )


@require_GET
@signed_in
def event(request: HttpRequest, event_id: int) -> HttpResponse:
    """One event, for a link to it: whole, and with the way to what else happened to the same."""
    found = trail.visible_to(user_of(request)).filter(pk=min(event_id, LAST_ID)).first()
    if found is None:
        raise NotFound(_("There is no such event, or it is not for you to read."))
    [row] = rows([found], with_details=False)
    around = [
        (_("What else happened to this connector"), "connector", found.connector_id),
        (_("What else happened to this group"), "group", found.group_id),
    ]
    context = {
        "event": found,
        "row": row,
        "actor": {"name": actor(found), "kind": fields.kind(found.actor_kind)},
        "subject": {
            "name": "" if found.subject_id in found.subject_name else found.subject_name,
            "kind": fields.kind(found.subject_kind),
        },
        "told": _told(found),
        "as_json": _as_json(found),
        "crumbs": [
            {"label": _("Activity"), "url": reverse("accounts:activity")},
            {"label": f"#{found.pk}", "url": ""},
        ],
        "leads": whereabouts.of_event(user_of(request), found),
        "around": [
            {"label": label, "url": reverse("accounts:activity", query={name: str(key)})}
            for label, name, key in around
            if key is not None
        ],
    }
    return render(request, "accounts/activity_event.html", context)


def _told(event: AuditEvent) -> list[dict[str, Any]]:
    """What the event tells beside its sentence, in parts with a title; none where there is nothing more."""
    after = _("After") if event.before else _("What it tells")
    parts = [(_("Before"), event.before), (after, event.after)]
    return [{"title": title, "rows": _facts(told)} for title, told in parts if told]


def _facts(told: dict[str, Any]) -> list[dict[str, str]]:
    """A line for each of these; what is neither text nor a number, nor some of them, is shown as JSON."""
    return [{"label": fields.label(name), "value": _spelled(name, told[name])} for name in sorted(told)]


def _spelled(name: str, value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(values.spelled(name, each) for each in value) or "–"
    if isinstance(value, dict) and not any(isinstance(each, dict | list) for each in value.values()):
        return ", ".join(f"{fields.label(key)}: {_spelled(key, value[key])}" for key in sorted(value)) or "–"
    if isinstance(value, bool):
        return str(_("Yes") if value else _("No"))
    if isinstance(value, str) or value is None:
        return _when(value) or values.spelled(name, value or "") or "–"
    return json.dumps(value, ensure_ascii=False, default=str)


def _when(value: str | None) -> str:
    """A moment as it is written down, as the reader reads it; nothing for what is none, or has no zone."""
    try:
        at = dt.datetime.fromisoformat(value or "")
    except ValueError:
        return ""
    return moments.exact(at) if at.tzinfo else ""


def condition_of(chosen: dict[str, Any], user: User) -> Q:
    """What the filters ask for; dates are whole days in the reader's zone, both included."""
    condition = Q()
    if kind := KINDS.get(chosen.get("what", "")):
        condition &= Q(*(("tag__startswith", f"{noun}:") for noun in kind.nouns), _connector=Q.OR)
    if text := chosen.get("q"):
        condition &= about(text)
    if connector := chosen.get("connector"):
        condition &= Q(connector_id=connector)
    if group := chosen.get("group"):
        condition &= Q(group_id=group)
    if chosen.get("mine"):
        condition &= Q(actor_kind="user", actor_id=str(user.pk))
    if since := chosen.get("since"):
        condition &= Q(at__gte=_midnight(since))
    if until := chosen.get("until"):
        condition &= Q(at__lt=_midnight(min(until, LAST_DATE) + dt.timedelta(days=1)))
    return condition


def rows(events: Iterable[AuditEvent], *, with_details: bool = True) -> list[dict[str, Any]]:
    """Events as `<c-timeline>` draws them; who acted stands in the sentence."""
    return [
        {
            "at": event.at,
            "url": reverse("accounts:activity_event", args=[event.pk]),
            "sentence": sentence(event),
            "icon": _ICONS.get(event.tag.partition(":")[0], "dot"),
            "address": event.client_address,
            "told": _told(event) if with_details else [],
        }
        for event in events
    ]


def _as_json(event: AuditEvent) -> str:
    """As it is written down, for who compares it with an export or a log."""
    facts: dict[str, Any] = {"event": event.tag, "id": event.pk, "subject": f"{event.subject_kind} {event.subject_id}"}
    if event.before:
        facts["before"] = event.before
    if event.after:
        facts["after"] = event.after
    if event.request_id:
        facts["request"] = event.request_id
    return json.dumps(facts, indent=2, ensure_ascii=False, default=str)


def _chips(request: HttpRequest, user: User, form: FilterForm, chosen: dict[str, Any]) -> list[dict[str, str]]:
    chips = []
    for name, value in chosen.items():
        label = str(form.fields[name].label)
        words = _words_of(user, name, value)
        text = label if value is True else f"{label}: {words}"
        chips.append(
            {
                "label": text,
                "remove_url": _query(request, **{name: None, "before": None, "after": None}) or request.path,
            }
        )
    return chips


def _words_of(user: User, name: str, value: Any) -> str:
    """What a filter asks for, as people call it."""
    if name == "what":
        return str(KINDS[value].label)
    if name in ("since", "until"):
        return formats.date_format(value)
    if name in ("connector", "group"):
        # This app knows neither; the trail has their names, as far as this person may read it.
        named = Q(**{f"{name}_id": value}, subject_kind=name)
        events = trail.page(user, size=1, only=named).events
        return events[0].subject_name if events and events[0].subject_name else str(value)
    return str(value)


def _query(request: HttpRequest, **changes: str | None) -> str:
    query = request.GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None:
            query[name] = value
    return f"?{query.urlencode()}" if query else ""


def _midnight(day: dt.date) -> dt.datetime:
    return timezone.make_aware(dt.datetime.combine(day, dt.time.min))
