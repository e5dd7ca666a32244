"""How much connectors are used: one, for its owners; all of the organisation, for its admins. Also as a file."""

from __future__ import annotations

import datetime as dt
from itertools import chain
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from accounts import policies
from accounts.views.decorators import signed_in, user_of
from accounts.views.time_zones import get_time_zone
from connectors import usage_counts
from connectors.queries import connectors
from connectors.services import throttling
from connectors.usage_counts import Period, Scope, Sums
from connectors.views import connectors as details
from connectors.views import links, usage_charts
from kaizala_console.lib import clock
from kaizala_console.lib.spreadsheets import csv_lines

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
    connector, context = details.own(user_of(request), connector_id, "usage")
    scope = Scope(connector, _period(request), get_time_zone(request))
    shared = _shared(request, scope)
    context |= {
        **shared,
        "groups": usage_charts.table(scope.by_grant()),
        "room": _room(throttling.head_room(connector)),
        "busiest": _busiest(shared["over_time"], scope.period),
        "ending": usage_counts.ending_soon(connector),
        "export": _export("connectors:usage_export", scope, connector.pk),
    }
    return render(request, "connectors/usage.html", context)


@require_GET
@signed_in
def organisation(request: HttpRequest) -> HttpResponse:
    """The same over all connectors of the organisation."""
    user = user_of(request)
    policies.require_organisation_admin(user)
    scope = Scope(user.organisation, _period(request), get_time_zone(request))
    context = {
        **_shared(request, scope),
        "organisation": user.organisation,
        "connectors": usage_charts.table(scope.by_connector()),
        "throttled": usage_charts.table(scope.by_connector(over_limit=True)),
        "room": [_of_limit(_("All connectors of the organisation"), *throttling.room_of_tenant(user.organisation))],
        "export": _export("connectors:organisation_usage_export", scope),
        "crumbs": links.crumbs((_("Organisation"), reverse("accounts:organisation")), (_("Usage"), "")),
    }
    return render(request, "connectors/usage_organisation.html", context)


@require_GET
@signed_in
def usage_export(request: HttpRequest, connector_id: UUID) -> StreamingHttpResponse:
    """One line for each hour or day, group and endpoint."""
    connector = connectors.own_connector(user_of(request), connector_id)
    return _file(Scope(connector, _period(request)), connector.name)


@require_GET
@signed_in
def organisation_usage_export(request: HttpRequest) -> StreamingHttpResponse:
    """The same for all connectors of the organisation."""
    user = user_of(request)
    policies.require_organisation_admin(user)
    return _file(Scope(user.organisation, _period(request)), user.organisation.name)


# Pieces ---------------------------------------------------------------------------------------------------------------


def _period(request: HttpRequest) -> Period:
    """What cannot be understood is the month."""
    asked = request.GET.get("period", "")
    return Period(asked) if asked in list(Period) else Period.MONTH


def _shared(request: HttpRequest, scope: Scope) -> dict[str, Any]:
    over_time = scope.over_time()
    whole = usage_counts.total(sums for _at, sums in over_time)
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
        "compared": usage_charts.compared(whole, scope.before(), str(PERIODS[scope.period])),
        "facts": usage_charts.facts(whole),
        "chart": usage_charts.chart(over_time, scope.period, scope.zone) if whole.calls else None,
        "endpoints": usage_charts.table(scope.by_endpoint()) if whole.calls else None,
    }


def _room(room: throttling.HeadRoom) -> list[dict[str, Any]]:
    return [
        _of_limit(_("This connector"), room.connector_used, room.connector_most),
        _of_limit(_("All connectors of the organisation"), room.tenant_used, room.tenant_most),
    ]


def _of_limit(label: str, used: int, most: int) -> dict[str, Any]:
    return {
        "label": label,
        "used": usage_charts.number(used),
        "most": usage_charts.number(most) if most else "",
        "percent": min(100, round(100 * used / most)) if most else 0,
        "tone": "refused" if most and used >= most else "soon" if most and used >= 0.8 * most else "live",
    }


def _busiest(over_time: list[tuple[dt.datetime, Sums]], period: Period) -> str:
    """How near the busiest hour came to the limits; calls are counted by the hour, so it is a mean."""
    most = max(sums.calls for _at, sums in over_time)
    if period is not Period.HOURS or not most:
        return ""
    words = {"n": usage_charts.number(most), "mean": usage_charts.number(-(-most // 60))}
    return _("The busiest of these hours had %(n)s calls: about %(mean)s a minute.") % words


def _export(name: str, scope: Scope, *ids: UUID) -> str:
    return f"{reverse(name, args=ids)}?period={scope.period.value}"


def _file(scope: Scope, name: str) -> StreamingHttpResponse:
    counts = ((*words, sums.calls, sums.refused, sums.throttled, sums.failed) for *words, sums in scope.lines())
    response = StreamingHttpResponse(csv_lines(chain([COLUMNS], counts)), content_type="text/csv; charset=utf-8")
    file_name = f"usage-{slugify(name) or 'connector'}-{scope.period.value}-{clock.now():%Y-%m-%d}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    response.headers["Cache-Control"] = "private, no-store"
    return response
