"""Activity: the audit trail, as far as the reader may see it. Filters live in the URL; pages go by key."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final
from uuid import UUID

from django import forms
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from accounts.audit import queries, record, sentences
from accounts.audit.chain import to_export
from accounts.audit.queries import matches_words
from accounts.audit.sentences import actor, sentence
from accounts.models import AuditEvent, User
from accounts.views.decorators import reauthentication_required, signed_in, user_of
from accounts.views.timeline import EVENT_CATEGORIES, rows
from connectors import permissions
from connectors.models import Webhook
from connectors.models.connector import ConnectorState
from connectors.queries import connectors as connector_queries
from groups.models import Action, BulkJob, Group, Membership
from groups.queries import groups as group_queries
from kaizala_console.dashboard.links import get_current_name, links_for
from kaizala_console.lib import clock, moments
from kaizala_console.lib.batches import batched
from kaizala_console.lib.errors import NotFound
from kaizala_console.lib.spreadsheets import csv_lines, file_response


def audit_scope(user: User) -> list[Q]:
    """The events that this person may see: their own, their organisation's, of their connectors and of their groups."""
    return [*queries.own_scope(user), *group_queries.audit_scope(user), *connector_queries.list_audit_filters(user)]


# ----------------------------------------------------------------------------------------------------
# What the Activity page can be narrowed to: its form, what that asks of the trail, and the chips that say so.


LAST_ID = 2**63 - 1
LAST_DATE = dt.date(9999, 12, 30)  # one more day is still a date


class AuditFilter(forms.Form):
    """The filters; what cannot be understood is left out rather than refused."""

    q = forms.CharField(label=_("Who or what"), required=False, max_length=120)
    what = forms.ChoiceField(
        label=_("What"),
        required=False,
        choices=[("", _("Everything")), *((key, kind.label) for key, kind in EVENT_CATEGORIES.items())],
    )
    connector = forms.UUIDField(label=_("Connector"), required=False, widget=forms.HiddenInput)
    group = forms.UUIDField(label=_("Group"), required=False, widget=forms.HiddenInput)
    mine = forms.BooleanField(label=_("Only my actions"), required=False)
    since = forms.DateField(
        label=pgettext_lazy("first day", "From"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label=pgettext_lazy("last day", "To"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    before = forms.IntegerField(required=False, min_value=1, max_value=LAST_ID)
    after = forms.IntegerField(required=False, min_value=1, max_value=LAST_ID)


def _read_filter(request: HttpRequest) -> tuple[AuditFilter, dict[str, Any]]:
    form = AuditFilter(request.GET)
    form.is_valid()
    return form, {name: value for name, value in form.cleaned_data.items() if value}


def build_condition(chosen: dict[str, Any], user: User) -> Q:
    """Returns the condition that the filters ask for; dates are whole days in the reader's zone, both included."""
    found = matches_words(chosen["q"]) if chosen.get("q") else Q()
    if connector := chosen.get("connector"):
        found &= Q(connector_id=connector)
    if group := chosen.get("group"):
        found &= Q(group_id=group)
    if chosen.get("mine"):
        found &= Q(actor_kind="user", actor_id=str(user.pk))
    if kind := EVENT_CATEGORIES.get(chosen.get("what", "")):
        found &= Q(tag__in=kind.tags())
    if since := chosen.get("since"):
        found &= Q(at__gte=_midnight(since))
    if until := chosen.get("until"):
        found &= Q(at__lt=_midnight(min(until, LAST_DATE) + dt.timedelta(days=1)))
    return found


def chips(
    request: HttpRequest, scope: queries.AuditScope, form: AuditFilter, chosen: dict[str, Any]
) -> list[dict[str, str]]:
    """What is looked for, each with the address of the page without it."""
    found = []
    for name, value in chosen.items():
        label = str(form.fields[name].label)
        text = label if value is True else f"{label}: {_describe_filter(user_of(request), scope, name, value)}"
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


def _describe_filter(user: User, scope: queries.AuditScope, name: str, value: Any) -> str:
    """What a filter asks for, as people call it."""
    if name == "what":
        return str(EVENT_CATEGORIES[value].label)
    if name in ("since", "until"):
        return formats.date_format(value)
    if name in ("connector", "group"):
        return get_current_name(user, name, value) or _get_former_name(scope, name, value) or str(value)
    return str(value)


def _get_former_name(scope: queries.AuditScope, kind: str, key: UUID) -> str:
    """How what is not there any more was called when something was last done to it, as far as this person may read."""
    events = queries.get_page(scope, size=1, only=Q((f"{kind}_id", key), subject_kind=kind)).events
    return events[0].subject_name if events else ""


def _midnight(day: dt.date) -> dt.datetime:
    return timezone.make_aware(dt.datetime.combine(day, dt.time.min))


PAGE_SIZE = 50


@require_GET
@signed_in
def activity(request: HttpRequest) -> HttpResponse:
    """One page of events, the newest first."""
    user = user_of(request)
    form, chosen = _read_filter(request)
    wanted, before, after = build_condition(chosen, user), chosen.pop("before", None), chosen.pop("after", None)
    scope = audit_scope(user)
    page = queries.get_page(scope, only=wanted, size=PAGE_SIZE, before=before, after=after)
    return render(
        request,
        "dashboard/activity.html",
        {
            "form": form,
            "more_is_open": bool({"since", "until", "mine"} & set(chosen)),
            "events": rows(page.events),
            "chips": chips(request, scope, form, chosen),
            "export_url": f"{reverse('activity_export')}{query(request, before=None, after=None)}",
            "newer": page.newer and query(request, before=None, after=str(page.newer)),
            "older": page.older and query(request, before=str(page.older), after=None),
        },
    )


@require_GET
@signed_in
def event(request: HttpRequest, event_id: int) -> HttpResponse:
    """One event, for a link to it: whole, and with the way to what else happened to the same."""
    user = user_of(request)
    found = queries.visible_to(audit_scope(user)).filter(pk=min(event_id, LAST_ID)).first()
    if found is None:
        raise NotFound(_("This event does not exist, or you don’t have access."))
    [row] = rows([found])
    around = [
        (_("Activity of this connector"), "connector", found.connector_id),
        (_("Activity of this group"), "group", found.group_id),
    ]
    context = {
        "event": found,
        "row": row,
        "actor": {"name": actor(found), "kind": sentences.kind_label(found.actor_kind)},
        "subject": {
            "name": "" if found.subject_id in found.subject_name else found.subject_name,
            "kind": sentences.kind_label(found.subject_kind),
        },
        "told": _list_details(found),
        "as_json": _as_json(found),
        "crumbs": [
            {"label": _("Activity"), "url": reverse("activity")},
            {"label": f"#{found.pk}", "url": ""},
        ],
        "links": links_for(user, found),
        "around": [
            {"label": label, "url": reverse("activity", query={name: str(key)})}
            for label, name, key in around
            if key is not None
        ],
    }
    return render(request, "dashboard/activity_event.html", context)


def _list_details(event: AuditEvent) -> list[dict[str, Any]]:
    """What the event tells beside its sentence, in parts with a title; none where there is nothing more."""
    after = _("After") if event.before else _("Details")
    parts = [(_("Before"), event.before), (after, event.after)]
    return [{"title": title, "rows": _list_facts(told)} for title, told in parts if told]


def _list_facts(told: dict[str, Any]) -> list[dict[str, str]]:
    """A line for each of these; what is neither text nor a number, nor some of them, is shown as JSON."""
    return [{"label": sentences.field_label(name), "value": _format_value(name, told[name])} for name in sorted(told)]


def _format_value(name: str, value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(_translate_value(name, each) for each in value) or "–"
    if isinstance(value, dict) and not any(isinstance(each, dict | list) for each in value.values()):
        return (
            ", ".join(f"{sentences.field_label(key)}: {_format_value(key, value[key])}" for key in sorted(value)) or "–"
        )
    if isinstance(value, bool):
        return str(_("Yes") if value else _("No"))
    if isinstance(value, str) or value is None:
        return _when(value) or _translate_value(name, value or "") or "–"
    return json.dumps(value, ensure_ascii=False, default=str)


# What programs and the database have a short name for; exports keep that.
_WORDS: Final[dict[str, dict[str, str | Promise]]] = {
    "by": {"pin": _("a PIN"), "totp": _("an authenticator app")},
    "kind": {each.value: each.label for each in (*Action.Kind, *BulkJob.Kind)},
    "permissions": {str(of): described.label for of, described in permissions.DESCRIPTIONS.items()},
    "purpose": {
        "verify": _("verify a phone number"),
        "confirm": _("confirm identity"),
        "login": _("allow a connector"),
    },
    "reason": {each.value: each.label for each in Webhook.InactiveReason},
    "role": {each.value: each.label for each in Membership.Role},
    "sealed_to": {"server": _("the key ring of this console")},
    "state": {
        ConnectorState.LIVE: _("live"),
        ConnectorState.DEACTIVATED: _("deactivated"),
        ConnectorState.SUSPENDED: _("suspended"),
    },
    "type": {each.value: each.label for each in (*Group.Type, *Membership.Role)},
    "way": {"page": _("the page “Handoffs”"), "program": _("the connector’s own program")},
}


def _translate_value(field: str, value: str) -> str:
    """A value as people call it; one that no words are known for, as it is written down."""
    words = _WORDS.get(field, {}).get(value)
    return value if words is None else capfirst(str(words))


def _when(value: str | None) -> str:
    """A moment as it is written down, as the reader reads it; nothing for what is none, or has no zone."""
    try:
        at = dt.datetime.fromisoformat(value or "")
    except ValueError:
        return ""
    return moments.exact(at) if at.tzinfo else ""


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


# ----------------------------------------------------------------------------------------------------
# The audit trail as a file, with the filters of the Activity page: CSV for people, JSON Lines for programs.
#
# Streamed in the order in which things happened, slice by slice, so that its length costs no memory. JSON Lines are in
# the order of the chain and carry its hashes: `python -m accounts.audit.canonical FILE` verifies them on any machine.
# What is not chained yet has no position and no hash, and stands at the end of JSON Lines.


SLICE = 1000
COLUMNS = (
    "at",
    "what happened",
    "event",
    "who",
    "who (kind)",
    "who (id)",
    "subject",
    "subject (kind)",
    "subject (id)",
    "before",
    "after",
    "from",
    "request",
    "position",
    "hash",
)


BUTTONS = {"csv": gettext_lazy("Export as CSV"), "jsonl": gettext_lazy("Export as JSON Lines")}


@require_POST
def export(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The file that `format` names; the export is itself an event of the trail."""
    label = BUTTONS.get(request.POST.get("format", ""), "")
    view: Any = reauthentication_required(_export, button_label=label, is_download=True)
    response: HttpResponse | StreamingHttpResponse = view(request)
    return response


def _export(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    user, file_format = user_of(request), request.POST.get("format", "")
    if file_format not in BUTTONS:
        return redirect("activity")
    _form, chosen = _read_filter(request)
    record.record_export(by=user, file_format=file_format, filters={name: str(value) for name, value in chosen.items()})
    scope, only = audit_scope(user), build_condition(chosen, user)
    if file_format == "csv":
        lines, content_type = csv_lines(_rows(_in_order(scope, only))), "text/csv; charset=utf-8"
    else:
        lines, content_type = _json_lines(_in_the_chain(scope, only)), "application/jsonl; charset=utf-8"
    name = f"activity-{timezone.localtime(clock.now()):%Y-%m-%d-%H%M}.{file_format}"
    return file_response(lines, name, content_type)


def _in_order(scope: queries.AuditScope, only: Q) -> Iterator[AuditEvent]:
    """Everything that the person may read and that matches, the oldest first."""
    after = 0
    while True:
        page = queries.get_page(scope, size=SLICE, only=only, after=after)
        if not page.events or page.events[0].pk <= after:
            return
        yield from reversed(page.events)
        if page.newer is None:
            return
        after = page.newer


def _in_the_chain(scope: queries.AuditScope, only: Q) -> Iterator[AuditEvent]:
    """As `_in_order`, but in the order in which a verifier goes along; what is not chained yet comes last."""
    after, unchained = 0, queries.find_unchained(scope, only=only)
    while events := queries.list_in_chain_order(scope, size=SLICE, only=only, after=after):
        yield from events
        after = events[-1].position or 0
        unchained -= {event.pk for event in events}
    for some in batched(sorted(unchained), SLICE):
        yield from AuditEvent.objects.filter(pk__in=some).order_by(F("position").asc(nulls_last=True), "pk")


def _json_lines(events: Iterable[AuditEvent]) -> Iterator[str]:
    for event in events:
        yield json.dumps(to_export(event), ensure_ascii=False) + "\n"


def _rows(events: Iterable[AuditEvent]) -> Iterator[tuple[str, ...]]:
    yield COLUMNS
    for event in events:
        yield (
            event.at.astimezone(dt.UTC).isoformat(timespec="seconds"),
            sentence(event),
            event.tag,
            event.actor_name,
            event.actor_kind,
            event.actor_id,
            event.subject_name,
            event.subject_kind,
            event.subject_id,
            json.dumps(event.before, ensure_ascii=False) if event.before else "",
            json.dumps(event.after, ensure_ascii=False) if event.after else "",
            event.client_address or "",
            event.request_id,
            str(event.position or ""),
            event.hash,
        )
