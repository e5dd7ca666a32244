"""Columns over time for `<c-usage-chart>`, and the small line in the list of connectors. Pure: sums in, geometry out.

Widths are percentages of the drawing, heights are pixels, so that nothing is stretched and no style is needed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.views.time_zones import display_name
from connectors.models import Connector, Grant
from connectors.usage_counts import MOST_ROWS, Before, Busiest, Named, Period, Sums, total

HEIGHT: Final = 180
LINES: Final = 4
LABELS: Final = 6
LEAST: Final = 2  # pixels: one call of thousands is still seen
KINDS: Final = ("answered", "refused", "throttled", "failed")
SPARK_HEIGHT: Final = 24


def number(value: int) -> str:
    """A number as the reader writes it."""
    return formats.number_format(value, use_l10n=True, force_grouping=True)


def words_of(kind: str) -> str:
    """What a part of a column is called."""
    return {
        "answered": _("Answered"),
        "refused": _("Refused"),
        "throttled": _("Over a limit"),
        "failed": _("Failed through our fault"),
    }[kind]


def chart(rows: Sequence[tuple[dt.datetime, Sums]], period: Period, zone: dt.tzinfo = dt.UTC) -> dict[str, Any]:
    """A column for each hour or day, four lines to read them by, six labels, and the same as a sentence and a table.

    `zone` is that in which the days begin, and in which hours are named.
    """
    rows = [(at.astimezone(zone), sums) for at, sums in rows]
    whole = total(sums for _at, sums in rows)
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
        "foot": _kept_in(zone, rows[-1][0]),
        "height": HEIGHT,
        "columns": columns,
        "lines": [{"y": HEIGHT - HEIGHT * n // LINES, "label": number(step * n)} for n in reversed(range(LINES + 1))],
        "labels": labels,
        "legend": [{"kind": kind, "word": words_of(kind)} for kind in KINDS],
        "summary": _summary(rows, whole, period),
        "rows": [_cells(_label(at, period), sums) for at, sums in reversed(rows) if sums.calls],
    }


def _kept_in(zone: dt.tzinfo, at: dt.datetime) -> str:
    said = [_("Hours and days are in %(zone)s.") % {"zone": display_name(zone)}]
    offset = at.utcoffset() or dt.timedelta()
    if offset % dt.timedelta(hours=1):
        said.append(_("Calls are counted by whole hours of UTC: the one around midnight is all in one day."))
    return " ".join([*said, _("The newest seconds are still on their way.")])


def compared(whole: Sums, before: Before, period: str) -> str:
    """ "1,204 calls, 12 % more than the 7 days before"; honest when there is nothing to compare with.

    `period` is in words ("7 days").
    """
    calls = ngettext("%(n)s call", "%(n)s calls", whole.calls) % {"n": number(whole.calls)}
    then = before.sums.calls
    words = {"calls": calls, "period": period, "n": number(then)}
    if not before.is_kept:
        return _("%(calls)s. The %(period)s before are not kept any more.") % words
    if before.is_new:
        return _("%(calls)s. There is nothing to compare with: this did not exist in the %(period)s before.") % words
    if not then:
        return _("%(calls)s. There were none in the %(period)s before.") % words
    if not whole.calls:
        return _("%(calls)s, after %(n)s in the %(period)s before.") % words
    words["percent"] = number(round(100 * abs(whole.calls - then) / then))
    if words["percent"] == number(0):
        return _("%(calls)s, about as many as in the %(period)s before (%(n)s).") % words
    if whole.calls >= 10 * then:
        words["times"] = number(whole.calls // then)
        return _("%(calls)s, %(times)s times as many as in the %(period)s before (%(n)s).") % words
    if whole.calls > then:
        return _("%(calls)s, %(percent)s %% more than in the %(period)s before (%(n)s).") % words
    return _("%(calls)s, %(percent)s %% fewer than in the %(period)s before (%(n)s).") % words


def table(rows: Sequence[Named]) -> dict[str, Any]:
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
    """Columns for `<c-spark-line>`; the words say what they show."""
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
    words = ngettext("%(n)s call in 14 days", "%(n)s calls in 14 days", calls) % {"n": number(calls)}
    return {"columns": columns, "words": words, "height": SPARK_HEIGHT}


def spark_of(days: Mapping[UUID, Sequence[int]], one: Connector | Grant) -> dict[str, Any] | None:
    """The line of one of a list; None when it has not called."""
    return spark(days[one.pk]) if one.pk in days else None


def facts(whole: Sums) -> list[dict[str, str]]:
    """The sums over the chart."""
    kinds = [{"kind": "all", "label": _("Calls"), "value": number(whole.calls), "share": ""}]
    for kind in KINDS:
        n = getattr(whole, kind)
        part = _share(n, whole.calls)
        kinds.append({"kind": kind, "label": words_of(kind), "value": number(n), "share": part})
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


def _parts(sums: Sums, top: int, x: float, width: float) -> list[dict[str, Any]]:
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


def _cells(label: str, sums: Sums) -> dict[str, Any]:
    return {"label": label, **{kind: number(getattr(sums, kind)) for kind in ("calls", *KINDS)}, "sums": sums}


def _sentence(label: str, sums: Sums) -> str:
    named = [_("%(n)s calls") % {"n": number(sums.calls)}]
    named += [f"{words_of(kind)}: {number(getattr(sums, kind))}" for kind in KINDS[1:] if getattr(sums, kind)]
    return f"{label}: {', '.join(named)}"


def _summary(rows: Iterable[tuple[dt.datetime, Sums]], whole: Sums, period: Period) -> str:
    at, sums = max(rows, key=lambda row: row[1].calls)
    words = {
        "all": _sentence(_("In all"), whole),
        "most": _("Most at %(when)s: %(n)s.") % {"when": _label(at, period), "n": number(sums.calls)},
    }
    return "{all}. {most}".format(**words)
