"""The few tags and filters that pages and components need; every template has them.

Query strings are changed with Django's own ``{% querystring %}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from math import ceil, floor
from typing import Any

from django import template
from django.forms import BoundField
from django.forms.boundfield import BoundWidget
from django.forms.widgets import CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kaizala_console.lib import moments
from kaizala_console.lib.phone_numbers import mask
from kaizala_console.statuses import get_status

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
def masked_phone(number: Any) -> str:
    """A phone number (E.164) that its owner recognises and nobody else can dial: ``+91 ••••• ••203``."""
    return mask(str(number)) if number else ""


# ---------------------------------------------------------------- Signs
# What a page shows many of, and what has nothing inside, is a tag: a component costs ten times as much.


@register.simple_tag
@lru_cache(maxsize=1000, typed=True)
def icon(name: str, label: str = "", class_: str = "") -> SafeString:
    """An icon of the set. With a label it is read out; else it stands beside words that say the same."""
    return format_html(
        '<svg class="{}" width="16" height="16" {} focusable="false"><use href="{}#{}"></use></svg>',
        f"icon {class_}".strip(),
        format_html('role="img" aria-label="{}"', label) if label else SafeString('aria-hidden="true"'),
        static("vendor/icons.svg"),
        name,
    )


_icon = icon


@register.simple_tag
def logo(size: int = 28) -> SafeString:
    """The console's own."""
    return format_html('<img class="logo" src="{}" alt="" width="{}" height="{}">', static("img/logo.svg"), size, size)


@register.simple_tag
def pill(status: str, word: str | Promise = "", tone: str = "", icon: str = "") -> SafeString:
    """A status as a word with its tone and icon (kaizala_console/statuses.py), each of which may be another."""
    row = get_status(str(status))
    html = '<span class="pill tone-{}">{}<span>{}</span></span>'
    return format_html(html, tone or row.tone, _icon(icon or row.icon), word or row.word)


@register.simple_tag
def avatar(name: Any, size: int = 32) -> SafeString:
    """One or two letters that stand for a name. The tone is the same for the same name."""
    words = [word for word in str(name or "").split() if word[0].isalnum()]
    letters = (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper() if words else "?"
    tone = ("live", "waiting", "soon", "ended")[sum(str(name or "").encode()) % 4]
    html = '<span class="avatar semibold avatar-{} tone-{}" aria-hidden="true">{}</span>'
    return format_html(html, size, tone, letters)


@register.simple_tag
def person_chip(name: Any, phone: str = "", href: str = "") -> SafeString:
    """Somebody's name, a link when there is a page, and the masked number."""
    shown = format_html('<a href="{}">{}</a>', href, name) if href else format_html("<span>{}</span>", name)
    number = format_html(' <bdi class="person-phone">{}</bdi>', mask(str(phone))) if phone else ""
    html = '<span class="person">{}<span class="person-words">{}{}</span></span>'
    return format_html(html, avatar(name, 24), shown, number)


@register.simple_tag
def known_person(person: Any, href: str = "") -> SafeString:
    """A `Person` among those who see each other's numbers: with the masked number, when there is a name."""
    return person_chip(person.display_name, person.number if person.name else "", href)


@register.simple_tag
def picture(src: str, size: int = 24) -> SafeString:
    """The logo of a connector. It keeps its place while it loads."""
    return format_html(
        '<span class="avatar semibold avatar-{} avatar-logo" aria-hidden="true">'
        '<img src="{}" alt="" width="{}" height="{}" loading="lazy"></span>',
        size,
        src,
        size,
        size,
    )


@register.simple_block_tag(end_name="endwith_logo")
def with_logo(content: SafeString, connector: Any, size: int = 24) -> SafeString:
    """The name of a connector with its logo in front, if it has one."""
    if not getattr(connector, "logo_sha256", ""):
        return content
    address = reverse("connectors:logo_file", args=[connector.pk, connector.logo_sha256])
    words = format_html("<span>{}</span>", content) if content else ""
    return format_html('<span class="with-logo beside">{}{}</span>', picture(address, size), words)


@register.simple_tag
def spark_line(spark: Mapping[str, Any]) -> SafeString:
    """A line of small columns (connectors/views/usage.py)."""
    column = '<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="1"></rect>'
    html = (
        '<span class="spark"><svg class="spark-plot drawn-along" width="84" height="{}" role="img" aria-label="{}"'
        ' focusable="false"><title>{}</title>{}</svg></span>'
    )
    columns = format_html_join(
        "",
        column,
        (
            ("spark-none" if one["none"] else "spark-calls", one["x"], one["y"], one["width"], one["height"])
            for one in spark["columns"]
        ),
    )
    return format_html(html, spark["height"], spark["words"], spark["words"], columns)


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
def moment(value: date | datetime | None, shape: str = "exact") -> SafeString:
    """A moment in words; hovering says exactly when it is: "17 Dec 2026, 14:05 IST".

    ``shape`` is ``exact``, ``relative`` ("in 23 days") or ``both``; static/js/console.js looks at it.
    """
    at = as_moment(value)
    if at is None:
        return SafeString("")
    exact = moments.exact(at)
    words: str = exact if shape == "exact" else relative(at)
    if shape == "both":
        words = format_html('{} <span class="moment-exact">({})</span>', words, exact)
    html = '<time class="moment" datetime="{}" title="{}" data-moment="{}">{}</time>'
    return format_html(html, at.isoformat(timespec="seconds"), exact, shape, words)


@register.simple_tag
def days_left(ends_at: date | datetime, compact: bool = False) -> SafeString:
    """What is left of a life, drawn and in words."""
    facts = days_left_facts(ends_at)
    if facts["tone"] == "ended":
        words = _("Ended")
    elif facts["tone"] == "live":
        words = _("Ends")
    else:
        words = format_html("{} {}", icon("hourglass"), _("Ends"))
    return format_html(
        '<span class="days-left tone-{}"><svg class="one-line drawn-along" width="100%" height="4" aria-hidden="true"'
        ' focusable="false"><rect class="bar-back" width="100%" height="4" rx="2"></rect>'
        '<rect class="bar-fill" width="{}%" height="4" rx="2"></rect></svg><span class="small">{} {}</span></span>',
        facts["tone"],
        facts["percent"],
        words,
        moment(ends_at, "relative" if compact else "both"),
    )


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
