"""The audit trail as a file, with the filters of the Activity page: CSV for people, JSON Lines for programs.

Streamed in the order in which things happened, a slice at a time, so that its length costs no memory. JSON Lines are in
the order of the chain and carry its hashes: `python -m accounts.audit.canonical FILE` verifies them on any machine.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts.audit import queries
from accounts.audit.chain import exported
from accounts.audit.sentences import sentence
from accounts.models import AuditEvent, User
from accounts.services import exports
from accounts.views.activity_filters import FilterForm, sought
from accounts.views.decorators import reauthentication_required, user_of
from kaizala_console.lib import clock
from kaizala_console.lib.spreadsheets import csv_lines

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
# A spreadsheet takes a cell that begins like this for a formula.


BUTTONS = {"csv": gettext_lazy("Export as CSV"), "jsonl": gettext_lazy("Export as JSON Lines")}


@require_POST
def export(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The file that `format` names; the export is itself an event of the trail."""
    press = BUTTONS.get(request.POST.get("format", ""), "")
    view: Any = reauthentication_required(_export, button_label=press, is_download=True)
    response: HttpResponse | StreamingHttpResponse = view(request)
    return response


def _export(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    user = user_of(request)
    form = FilterForm(request.GET)
    form.is_valid()
    chosen = {name: value for name, value in form.cleaned_data.items() if value}
    kinds: dict[str, tuple[str, Callable[[Iterable[AuditEvent]], Iterator[str]]]] = {
        "csv": ("text/csv; charset=utf-8", _csv),
        "jsonl": ("application/jsonl; charset=utf-8", _json_lines),
    }
    if request.POST.get("format") not in kinds:
        return redirect("accounts:activity")
    chosen_format = request.POST["format"]
    content_type, spell = kinds[chosen_format]
    exports.note(by=user, file_format=chosen_format, filters={name: str(value) for name, value in chosen.items()})
    only = sought(chosen, user).condition()
    events = _in_the_chain if chosen_format == "jsonl" else _in_order
    response = StreamingHttpResponse(spell(events(user, only)), content_type=content_type)
    name = f"activity-{timezone.localtime(clock.now()):%Y-%m-%d-%H%M}.{chosen_format}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _in_order(user: User, only: Q) -> Iterator[AuditEvent]:
    """Everything that the person may read and that matches, the oldest first."""
    after = 0
    while True:
        page = queries.page(user, size=SLICE, only=only, after=after)
        if not page.events or page.events[0].pk <= after:
            return
        yield from reversed(page.events)
        if page.newer is None:
            return
        after = page.newer


def _in_the_chain(user: User, only: Q) -> Iterator[AuditEvent]:
    """As `_in_order`, but in the order in which a verifier goes along."""
    after = 0
    while events := queries.in_the_chain(user, size=SLICE, only=only, after=after):
        yield from events
        after = events[-1].position or 0


def _json_lines(events: Iterable[AuditEvent]) -> Iterator[str]:
    for event in events:
        yield json.dumps(exported(event), ensure_ascii=False) + "\n"


def _csv(events: Iterable[AuditEvent]) -> Iterator[str]:
    return csv_lines(_rows(events))


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
