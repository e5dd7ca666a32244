"""The few tags and filters that pages and components need; load with ``{% load console %}``.

Query strings are changed with Django's own ``{% querystring %}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from math import ceil, floor
from typing import Any

from django import template
from django.forms import BoundField
from django.forms.boundfield import BoundWidget
from django.forms.widgets import CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.utils import timezone
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kaizala_console.lib import moments
from kaizala_console.lib.phone_numbers import mask
from kaizala_console.statuses import Status, get_status

register = template.Library()

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 86400 * 365.25


# ---------------------------------------------------------------- Attributes


@register.filter
def html_attrs(attrs: Any) -> SafeString:
    """A component's remaining attributes as escaped HTML.

    Use this and not ``{{ attrs }}``: django-cotton prints that one without escaping values bound to variables.
    ``True`` prints the bare name; ``None`` and ``False`` print nothing.
    """
    rows: Mapping[str, Any] = attrs.attrs_dict() if hasattr(attrs, "attrs_dict") else attrs
    parts: list[str] = []
    for name, value in rows.items():
        if value is None or value is False:
            continue
        parts.append(
            format_html(" {}", name) if value is True else format_html(' {}="{}"', name, conditional_escape(value))
        )
    return mark_safe("".join(parts))  # noqa: S308 - every part comes from format_html


@register.simple_tag
def widget(field: BoundField, **attrs: Any) -> SafeString:
    """A form field's input with our classes and everything a screen reader needs.

    Django itself adds ``aria-describedby`` (help and errors) and ``aria-invalid``. Keyword arguments become attributes,
    underscores as hyphens; empty ones are left out.
    """
    inner = field.field.widget
    if isinstance(inner, CheckboxSelectMultiple | RadioSelect | CheckboxInput):
        classes = ["form-check-input"]
    elif isinstance(inner, Select):
        classes = ["form-select"]
    else:
        classes = ["form-control"]
    classes += [inner.attrs.get("class", ""), attrs.pop("class_", "")]
    if field.errors:
        classes.append("is-invalid")
    most = inner.attrs.get("maxlength")
    if (
        most and "maxlength" not in attrs
    ):  # a browser would cut what is pasted, and say nothing: console.js counts instead
        attrs |= {"maxlength": False, "data_most": most}
    extra = {name.replace("_", "-"): value for name, value in attrs.items() if value not in (None, "")}
    return field.as_widget(attrs={**extra, "class": " ".join(filter(None, classes))})


@register.simple_tag
def choice(option: BoundWidget) -> SafeString:
    """The bare box or radio of one choice, with our class; its label stands beside it."""
    option.data["attrs"]["class"] = "form-check-input"
    return option.tag()


@register.filter
def widget_kind(field: BoundField) -> str:
    """How a field is laid out: ``checkbox``, ``choices`` (a group of boxes or radios), or ``input``."""
    inner = field.field.widget
    if isinstance(inner, CheckboxSelectMultiple | RadioSelect):
        return "choices"
    return "checkbox" if isinstance(inner, CheckboxInput) else "input"


# ---------------------------------------------------------------- Words


@register.filter
def status(name: str) -> Status:
    """The word, tone and icon of a status name (see kaizala_console/statuses.py)."""
    return get_status(str(name))


@register.filter
def masked_phone(number: Any) -> str:
    """A phone number (E.164) that its owner recognises and nobody else can dial: ``+91 ••••• ••203``."""
    return mask(str(number)) if number else ""


@register.filter
def initials(name: Any) -> str:
    """One or two letters that stand for a name in an avatar."""
    words = [word for word in str(name or "").split() if word[0].isalnum()]
    if not words:
        return "?"
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


@register.filter
def shade(text: Any) -> str:
    """The tone of an avatar: the same for the same text."""
    return ("live", "waiting", "soon", "ended")[sum(str(text or "").encode()) % 4]


# ---------------------------------------------------------------- Times


def as_moment(value: date | datetime | None) -> datetime | None:
    """An aware datetime in the reader's zone; a bare date counts from its midnight there."""
    if not value:  # None, or the empty string that templates have for "not given"
        return None
    if not isinstance(value, datetime):
        value = datetime.combine(value, time.min)
    if timezone.is_naive(value):
        value = timezone.make_aware(value)
    return timezone.localtime(value)


@register.filter
def relative(value: date | datetime | None) -> str:
    """How far a moment is from now, in one unit: "in 23 days", "5 minutes ago", "now"; years from two on."""
    moment = as_moment(value)
    if moment is None:
        return ""
    seconds = (moment - timezone.now()).total_seconds()
    # What is still to come is rounded up, what is past down: of 7 days there are 7 left until a whole one is over.
    minutes, hours, days = ((ceil if seconds > 0 else floor)(abs(seconds) / unit) for unit in (MINUTE, HOUR, DAY))
    if abs(seconds) < MINUTE:
        return _("now")
    if minutes < HOUR // MINUTE:
        span = ngettext("%d minute", "%d minutes", minutes) % minutes
    elif hours < DAY // HOUR:
        span = ngettext("%d hour", "%d hours", hours) % hours
    elif days * DAY < 2 * YEAR:
        span = ngettext("%d day", "%d days", days) % days
    else:
        years = int(days * DAY // YEAR)
        span = ngettext("%d year", "%d years", years) % years
    return (_("in %(span)s") if seconds > 0 else _("%(span)s ago")) % {"span": span}


@register.filter
def mail_address(value: str) -> SafeString:
    """An e-mail address that is broken behind its @ where it does not fit into a line, and not within a word."""
    name, sign, host = str(value).rpartition("@")
    return format_html("{}{}<wbr>{}", name, sign, host) if sign else format_html("{}", host)


@register.filter
def exact(value: date | datetime | None) -> str:
    """A moment to the minute with its zone: "17 Dec 2026, 14:05 IST"."""
    moment = as_moment(value)
    return moments.exact(moment) if moment else ""


@register.filter
def iso(value: date | datetime | None) -> str:
    moment = as_moment(value)
    return moment.isoformat(timespec="seconds") if moment else ""


@register.filter
def moment(value: date | datetime | None, shape: str = "exact") -> SafeString:
    """The element of ``<c-time>``, also for a sentence that is translated as a whole. Hovering says the exact moment.

    ``shape`` is ``exact``, ``relative`` ("in 23 days") or ``both``; static/js/console.js looks at it.
    """
    if not value:
        return SafeString("")
    words: str = {"exact": exact, "relative": relative, "both": _both}[shape](value)
    html = '<time class="moment" datetime="{}" title="{}" data-moment="{}">{}</time>'
    return format_html(html, iso(value), exact(value), shape, words)


def _both(value: date | datetime) -> SafeString:
    return format_html('{} <span class="moment-exact">({})</span>', relative(value), exact(value))


@register.simple_tag
def days_left_facts(ends_at: date | datetime) -> dict[str, Any]:
    """What the days-left bar draws: the days left, as a share of a year in percent, and a tone.

    A year (365 days) is the life of a refresh token (wire protocol §4); as each bar is measured against it, equal bars
    mean equal time. Amber (``soon``) from 30 days, red (``refused``) from 7, grey (``ended``) after the end.
    """
    end = as_moment(ends_at)
    if end is None:
        raise ValueError("the days-left bar needs an end")
    left = end - timezone.now()
    if left.total_seconds() <= 0:
        tone = "ended"
    elif left <= timedelta(days=7):
        tone = "refused"
    else:
        tone = "soon" if left <= timedelta(days=30) else "live"
    return {"percent": max(0, min(100, ceil(left / timedelta(days=365) * 100))), "tone": tone}


@register.simple_tag
def share(part: Any, whole: Any) -> int:
    """A part of a whole in percent, 0 to 100; 0 when the whole is unknown."""
    of = int(whole or 0)  # a component gets "0" as a text
    return max(0, min(100, round(int(part or 0) / of * 100))) if of else 0
