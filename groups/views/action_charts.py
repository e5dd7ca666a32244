"""What was answered, for `<c-bar-chart>`: rows of words and numbers, of which the bars are only the picture."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from groups.action_types.questions import QuestionType
from groups.action_types.tally import QuestionTally


@dataclass(frozen=True, slots=True)
class Chart:
    """One question; without `rows` there is nothing to draw. `facts` are of numbers, `note` says how to read it."""

    title: str
    answered: str
    note: str = ""
    rows: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    facts: Sequence[Mapping[str, str]] = field(default_factory=tuple)


def charts_of(questions: Sequence[QuestionTally], own: Sequence[Collection[int]] = ()) -> list[Chart]:
    """A chart for each question; `own` are the places of what the viewer chose, for each question."""
    return [_chart(tally, own[index] if index < len(own) else ()) for index, tally in enumerate(questions)]


def number(value: float) -> str:
    """A number as the reader writes it, with at most two digits after the point."""
    rounded = round(value, 2)
    whole = int(rounded)
    return formats.number_format(whole if rounded == whole else rounded, use_l10n=True, force_grouping=True)


def _chart(tally: QuestionTally, own: Collection[int]) -> Chart:
    answered = ngettext("%(n)s answer", "%(n)s answers", tally.answered) % {"n": number(tally.answered)}
    title = str(tally.title)
    if tally.counts:
        most = max(count for _title, count in tally.counts)
        rows = [
            _row(str(words), count, tally.answered, is_most=0 < count == most, is_own=place in own)
            for place, (words, count) in enumerate(tally.counts)
        ]
        several = tally.type == QuestionType.MULTI_OPTION
        note = _("Everybody could choose several, so the shares need not add up to 100 %.") if several else ""
        return Chart(title, answered, note, rows)
    if tally.ranges:
        most = max(each.count for each in tally.ranges)
        rows = [
            _row(_between(each.low, each.high), each.count, tally.answered, is_most=each.count == most)
            for each in tally.ranges
        ]
        figures = ((_("Lowest"), tally.lowest), (_("Mean"), tally.mean), (_("Highest"), tally.highest))
        facts = [{"label": label, "value": number(value)} for label, value in figures if value is not None]
        return Chart(title, answered, "", rows, facts)
    return Chart(title, answered)


def _row(label: str, count: int, whole: int, *, is_most: bool = False, is_own: bool = False) -> dict[str, Any]:
    percent = round(100 * count / whole) if whole else 0
    return {
        "label": label,
        "count": number(count),
        "percent": percent,
        "share": _("%(n)d %%") % {"n": percent},
        "is_most": is_most,
        "is_own": is_own,
    }


def _between(low: float, high: float) -> str:
    return number(low) if low == high else _("%(low)s to %(high)s") % {"low": number(low), "high": number(high)}
