"""Activity: the audit trail, as far as the reader may see it. Filters live in the URL; pages go by key."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from accounts import whereabouts
from accounts.audit import fields, queries, values
from accounts.audit.sentences import actor, sentence
from accounts.models import AuditEvent
from accounts.views.activity_filters import KINDS, LAST_ID, FilterForm, chips, query, sought
from accounts.views.decorators import signed_in, user_of
from kaizala_console.lib import moments
from kaizala_console.lib.errors import NotFound

PAGE_SIZE = 50
_ICONS = {noun: kind.icon for kind in KINDS.values() for noun in kind.nouns}


@require_GET
@signed_in
def activity(request: HttpRequest) -> HttpResponse:
    """One page of events, the newest first."""
    user = user_of(request)
    form = FilterForm(request.GET)
    form.is_valid()
    chosen = {name: value for name, value in form.cleaned_data.items() if value}
    wanted, before, after = sought(chosen, user), chosen.pop("before", None), chosen.pop("after", None)
    page = queries.sought_page(user, wanted, size=PAGE_SIZE, before=before, after=after)
    return render(
        request,
        "accounts/activity.html",
        {
            "form": form,
            "more_is_open": bool({"since", "until", "mine"} & set(chosen)),
            "events": rows(page.events),
            "chips": chips(request, user, form, chosen),
            "export_url": f"{reverse('accounts:activity_export')}{query(request, before=None, after=None)}",
            "newer": page.newer and query(request, before=None, after=str(page.newer)),
            "older": page.older and query(request, before=str(page.older), after=None),
            **_looked(page, back=after is None),
        },
    )


def _looked(page: queries.Page, *, back: bool) -> dict[str, Any]:
    """How far a page looked that stopped before it was full, and what its link to go on says."""
    if page.stopped_at is None:
        return {}
    facts = {"when": moments.exact(page.stopped_at.at)}
    if back:
        words = _("Looked through everything back to %(when)s.") % facts
        return {"looked": words, "older_label": _("Look further back")}
    return {"looked": _("Looked through everything up to %(when)s.") % facts, "newer_label": _("Look further on")}


@require_GET
@signed_in
def event(request: HttpRequest, event_id: int) -> HttpResponse:
    """One event, for a link to it: whole, and with the way to what else happened to the same."""
    found = queries.visible_to(user_of(request)).filter(pk=min(event_id, LAST_ID)).first()
    if found is None:
        raise NotFound(_("There is no such event, or it is not for you to read."))
    [row] = rows([found])
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


def rows(events: Iterable[AuditEvent]) -> list[dict[str, Any]]:
    """Events as `<c-timeline>` draws them; who acted stands in the sentence."""
    return [
        {
            "at": event.at,
            "url": reverse("accounts:activity_event", args=[event.pk]),
            "sentence": sentence(event),
            "icon": _ICONS.get(event.tag.partition(":")[0], "dot"),
            "address": event.client_address,
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
