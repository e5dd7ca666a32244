"""How much connectors are used: one, for its owners; all of the organisation, for its admins. Also as a file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import formats
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET

from accounts import policies
from accounts.views.decorators import signed_in, user_of
from accounts.views.time_zones import display_name, get_time_zone
from connectors.models import Connector, Grant
from connectors.queries import connectors
from connectors.queries import webhooks as webhook_queries
from connectors.queries.usage import (
    MOST_LINES,
    MOST_ROWS,
    Busiest,
    Period,
    UsageBefore,
    UsageRow,
    UsageScope,
    UsageSums,
    count_by_endpoint,
    list_ending_credentials,
    sum_usage,
)
from connectors.services.usage import RateLimitUsage, get_organisation_rate_limit_usage, get_rate_limit_usage
from connectors.views import links
from kaizala_console.lib import clock
from kaizala_console.lib.spreadsheets import csv_response

PERIODS: Final = {
    Period.HOURS: gettext_lazy("48 hours"),
    Period.WEEK: gettext_lazy("7 days"),
    Period.MONTH: gettext_lazy("30 days"),
    Period.QUARTER: gettext_lazy("90 days"),
}
COLUMNS: Final = ("from", "connector", "group", "endpoint", "calls", "refused", "over a limit", "failed")


@require_GET
@signed_in
def usage(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """What the program called and how it was answered; what of the limits is left; what ends soon."""
    connector, context = links.get_own(user_of(request), connector_id, "usage")
    scope = UsageScope(connector, _period(request), get_time_zone(request))
    shared = _get_context(request, scope)
    context |= {
        **shared,
        "groups": table(scope.by_grant()),
        "room": _room(get_rate_limit_usage(connector)),
        "busiest": _busiest(shared["over_time"], scope.period),
        "ending": list_ending_credentials(connector),
        "export": _export("connectors:usage_export", scope, connector.pk),
    }
    return render(request, "connectors/usage.html", context)


@require_GET
@signed_in
def organisation(request: HttpRequest) -> HttpResponse:
    """The same over all connectors of the organisation."""
    user = user_of(request)
    policies.require_organisation_admin(user)
    scope = UsageScope(user.organisation, _period(request), get_time_zone(request))
    context = {
        **_get_context(request, scope),
        "organisation": user.organisation,
        "connectors": table(scope.by_connector()),
        "throttled": table(scope.by_connector(over_limit=True)),
        "room": [
            _of_limit(
                _("All connectors of the organisation"),
                *get_organisation_rate_limit_usage(user.organisation),
            )
        ],
        "export": _export("connectors:organisation_usage_export", scope),
        "crumbs": links.crumbs((_("Organisation"), reverse("accounts:organisation")), (_("Usage"), "")),
    }
    return render(request, "connectors/usage_organisation.html", context)


@require_GET
@signed_in
def usage_export(request: HttpRequest, connector_id: UUID) -> StreamingHttpResponse:
    """One line for each hour or day, group and endpoint."""
    connector = connectors.get_own_connector(user_of(request), connector_id)
    return _file(UsageScope(connector, _period(request)), connector.name)


@require_GET
@signed_in
def organisation_usage_export(request: HttpRequest) -> StreamingHttpResponse:
    """The same for all connectors of the organisation."""
    user = user_of(request)
    policies.require_organisation_admin(user)
    return _file(UsageScope(user.organisation, _period(request)), user.organisation.name)


# Pieces ---------------------------------------------------------------------------------------------------------------


def _period(request: HttpRequest) -> Period:
    """What cannot be understood is the month."""
    asked = request.GET.get("period", "")
    return Period(asked) if asked in list(Period) else Period.MONTH


def _get_context(request: HttpRequest, scope: UsageScope) -> dict[str, Any]:
    over_time = scope.over_time()
    whole = sum_usage(sums for _at, sums in over_time)
    return {
        "periods": [
            {
                "label": label,
                "url": links.url_with(request, period=None if period is Period.MONTH else period.value),
                "current": period is scope.period,
            }
            for period, label in PERIODS.items()
        ],
        "period": PERIODS[scope.period],
        "whole": whole,
        "over_time": over_time,
        "compared": compared(whole, scope.before(), str(PERIODS[scope.period])),
        "facts": list_facts(whole),
        "chart": chart(over_time, scope.period, scope.zone) if whole.calls else None,
        "endpoints": table(scope.by_endpoint()) if whole.calls else None,
    }


def _room(room: RateLimitUsage) -> list[dict[str, Any]]:
    return [
        _of_limit(_("This connector"), room.connector_used, room.connector_most),
        _of_limit(_("All connectors of the organisation"), room.tenant_used, room.tenant_most),
    ]


def _of_limit(label: str, used: int, most: int) -> dict[str, Any]:
    return {
        "label": label,
        "used": format_number(used),
        "most": format_number(most) if most else "",
        "percent": min(100, round(100 * used / most)) if most else 0,
        "tone": "refused" if most and used >= most else "soon" if most and used >= 0.8 * most else "live",
    }


def _busiest(over_time: list[tuple[dt.datetime, UsageSums]], period: Period) -> str:
    """How near the busiest hour came to the limits; calls are counted by the hour, so it is a mean."""
    most = max(sums.calls for _at, sums in over_time)
    if period is not Period.HOURS or not most:
        return ""
    words = {"n": format_number(most), "mean": format_number(-(-most // 60))}
    return _("Busiest hour: %(n)s calls, about %(mean)s a minute.") % words


def _export(name: str, scope: UsageScope, *ids: UUID) -> str:
    return f"{reverse(name, args=ids)}?period={scope.period.value}"


def _file(scope: UsageScope, name: str) -> StreamingHttpResponse:
    counts = ((*words, sums.calls, sums.refused, sums.throttled, sums.failed) for *words, sums in scope.lines())
    file_name = f"usage-{slugify(name) or 'connector'}-{scope.period.value}-{clock.now():%Y-%m-%d}.csv"
    return csv_response(chain([COLUMNS], counts), file_name)


HEIGHT: Final = 180
LINES: Final = 4
LABELS: Final = 6
LEAST: Final = 2  # pixels: one call of thousands is still seen
KINDS: Final = ("answered", "refused", "throttled", "failed")
SPARK_HEIGHT: Final = 24


def format_number(value: int) -> str:
    """A number as the reader writes it."""
    return formats.number_format(value, use_l10n=True, force_grouping=True)


def get_label(kind: str) -> str:
    """What a part of a column is called."""
    return {
        "answered": _("Answered"),
        "refused": _("Refused"),
        "throttled": _("Over a limit"),
        "failed": _("Server errors"),
    }[kind]


def chart(rows: Sequence[tuple[dt.datetime, UsageSums]], period: Period, zone: dt.tzinfo = dt.UTC) -> dict[str, Any]:
    """A column for each hour or day, four lines to read them by, six labels, and the same as a sentence and a table.

    `zone` is that in which the days begin, and in which hours are named.
    """
    rows = [(at.astimezone(zone), sums) for at, sums in rows]
    whole = sum_usage(sums for _at, sums in rows)
    step = _step(max(sums.calls for _at, sums in rows))
    width = 100 / len(rows)
    share = len(rows) // LABELS
    labels = [_label(at, period, short=True) for at, _sums in rows[::share]]
    columns = [
        {
            "x": _percent(n * width),
            "width": _percent(width),
            "title": _sentence(_label(at, period), sums),
            "parts": _parts(sums, step * LINES, n * width, width),
        }
        for n, (at, sums) in enumerate(rows)
        if sums.calls
    ]
    return {
        "title": _("Calls by the hour") if period is Period.HOURS else _("Calls by the day"),
        "zone": display_name(zone),
        "foot": _describe_zone(zone, rows[-1][0]),
        "height": HEIGHT,
        "columns": columns,
        "lines": [
            {"y": HEIGHT - HEIGHT * n // LINES, "label": format_number(step * n)} for n in reversed(range(LINES + 1))
        ],
        "labels": labels,
        "legend": [{"kind": kind, "word": get_label(kind)} for kind in KINDS],
        "summary": _summary(rows, whole, period),
        "rows": [_cells(_label(at, period), sums) for at, sums in reversed(rows) if sums.calls],
    }


def _describe_zone(zone: dt.tzinfo, at: dt.datetime) -> str:
    said = [_("Hours and days are in %(zone)s.") % {"zone": display_name(zone)}]
    offset = at.utcoffset() or dt.timedelta()
    if offset % dt.timedelta(hours=1):
        said.append(_("May lag by seconds. Days are split at full UTC hours."))
    return " ".join([*said, _("May lag by seconds.")])


def compared(whole: UsageSums, before: UsageBefore, period: str) -> str:
    """ "1,204 calls, 12 % more than the 7 days before"; honest when there is nothing to compare with.

    `period` is in words ("7 days").
    """
    calls = ngettext("%(n)s call", "%(n)s calls", whole.calls) % {"n": format_number(whole.calls)}
    then = before.sums.calls
    words = {"calls": calls, "period": period, "n": format_number(then)}
    if not before.is_kept:
        return _("%(calls)s. Data for the previous %(period)s is no longer stored.") % words
    if before.is_new:
        return _("%(calls)s. No data for the previous %(period)s.") % words
    if not then:
        return _("%(calls)s, none in the previous %(period)s.") % words
    if not whole.calls:
        return _("%(calls)s, %(n)s in the previous %(period)s.") % words
    words["percent"] = format_number(round(100 * abs(whole.calls - then) / then))
    if words["percent"] == format_number(0):
        return _("%(calls)s, about the same as in the previous %(period)s (%(n)s).") % words
    if whole.calls >= 10 * then:
        words["times"] = format_number(whole.calls // then)
        return _("%(calls)s, %(times)s times the previous %(period)s (%(n)s).") % words
    if whole.calls > then:
        return _("%(calls)s, %(percent)s %% more than the previous %(period)s (%(n)s).") % words
    return _("%(calls)s, %(percent)s %% fewer than the previous %(period)s (%(n)s).") % words


def table(rows: Sequence[UsageRow]) -> dict[str, Any]:
    """The busiest rows with bars, and how many are left out."""
    most = max((row.sums.calls for row in rows), default=0)
    shown = [
        {
            **_cells(row.name, row.sums),
            "key": row.key,
            "ended": row.ended,
            "percent": max(1, round(100 * row.sums.calls / most)) if most else 0,
        }
        for row in rows[:MOST_ROWS]
    ]
    whole = rows.whole if isinstance(rows, Busiest) else len(rows)
    return {"rows": shown, "more": max(0, whole - MOST_ROWS)}


def spark(days: Sequence[int]) -> dict[str, Any]:
    """Columns for `{% spark_line %}`; the words say what they show."""
    most, width, calls = max(days), 100 / len(days), sum(days)
    columns = []
    for n, day in enumerate(days):
        height = max(LEAST, round(SPARK_HEIGHT * day / most)) if day else 1
        columns.append(
            {
                "x": _percent(n * width),
                "y": SPARK_HEIGHT - height,
                "width": _percent(width * 0.7),
                "height": height,
                "none": not day,
            }
        )
    words = ngettext("%(n)s call in 14 days", "%(n)s calls in 14 days", calls) % {"n": format_number(calls)}
    return {"columns": columns, "words": words, "height": SPARK_HEIGHT}


def find_spark(days: Mapping[UUID, Sequence[int]], one: Connector | Grant) -> dict[str, Any] | None:
    """The line of one of a list; None when it has not called."""
    return spark(days[one.pk]) if one.pk in days else None


def list_facts(whole: UsageSums) -> list[dict[str, str]]:
    """The sums over the chart."""
    kinds = [{"kind": "all", "label": _("Calls"), "value": format_number(whole.calls), "share": ""}]
    for kind in KINDS:
        n = getattr(whole, kind)
        part = _share(n, whole.calls)
        kinds.append({"kind": kind, "label": get_label(kind), "value": format_number(n), "share": part})
    return kinds


def _share(n: int, whole: int) -> str:
    if not n or not whole:
        return ""
    percent = 100 * n / whole
    if percent < 0.1:
        return _("under 0.1 %")
    return _("%(n)s %%") % {"n": formats.number_format(round(percent, 1) if percent < 99.95 or n == whole else 99.9)}


def _step(most: int) -> int:
    """A round number; `LINES` of it reach at least as high as the highest column."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if factor * size * LINES >= most:
                return factor * size
        size *= 10


def _parts(sums: UsageSums, top: int, x: float, width: float) -> list[dict[str, Any]]:
    """One over the other, what was answered at the foot."""
    parts, y = [], HEIGHT
    for kind in KINDS:
        n = getattr(sums, kind)
        if not n:
            continue
        height = min(y, max(LEAST, round(HEIGHT * n / top)))
        y -= height
        parts.append(
            {
                "kind": kind,
                "x": _percent(x + width * 0.1),
                "width": _percent(width * 0.8),
                "y": y,
                "height": height,
            }
        )
    return parts


def _percent(value: float) -> str:
    """For an attribute, whatever the reader's decimal mark is."""
    return f"{value:.3f}%"


def _label(at: dt.datetime, period: Period, *, short: bool = False) -> str:
    if period is not Period.HOURS:
        return formats.date_format(at, "j M" if short else "D j M Y")
    return formats.date_format(at, "H:i" if short else "D j M, H:i")


def _cells(label: str, sums: UsageSums) -> dict[str, Any]:
    return {"label": label, **{kind: format_number(getattr(sums, kind)) for kind in ("calls", *KINDS)}, "sums": sums}


def _sentence(label: str, sums: UsageSums) -> str:
    named = [_("%(n)s calls") % {"n": format_number(sums.calls)}]
    named += [f"{get_label(kind)}: {format_number(getattr(sums, kind))}" for kind in KINDS[1:] if getattr(sums, kind)]
    return f"{label}: {', '.join(named)}"


def _summary(rows: Iterable[tuple[dt.datetime, UsageSums]], whole: UsageSums, period: Period) -> str:
    at, sums = max(rows, key=lambda row: row[1].calls)
    words = {
        "all": _sentence(_("Total"), whole),
        "most": _("Peak at %(when)s: %(n)s.") % {"when": _label(at, period), "n": format_number(sums.calls)},
    }
    return "{all}. {most}".format(**words)


def get_use_facts(whose: QuerySet[Grant] | Connector, *, webhooks: bool = True) -> dict[str, Any]:
    """`use_facts` for `<c-what-will-stop>`, and for `connectors/_endpoints.html` `endpoints` and `hosts`: of these
    grants, or of all of a connector that were not revoked.

    Webhooks need no token, only the access: where only tokens or secrets end, they go on; say `webhooks=False` there.
    """
    found = count_by_endpoint(whose)
    listening = get_listener_facts(whose) if webhooks else {}
    return {
        "use_facts": [
            {"label": _("calls in the last 24 hours"), "count": sum(row.day for row in found)},
            {"label": _("calls in the last 7 days"), "count": sum(row.week for row in found)},
            *([{"label": _("active webhooks"), "count": listening["listening"]}] if webhooks else []),
        ],
        "endpoints": found[:MOST_LINES],
        "more_endpoints": len(found[MOST_LINES:]),
        **listening,
    }


def get_listener_facts(whose: QuerySet[Grant] | Connector) -> dict[str, Any]:
    """`listening`, how many webhooks are told something under these grants now, and their `hosts`, the most first."""
    found = webhook_queries.list_hosts(whose)
    return {
        "listening": sum(host.webhooks for host in found),
        "hosts": found[: webhook_queries.MOST_HOSTS],
        "more_hosts": len(found[webhook_queries.MOST_HOSTS :]),
    }
