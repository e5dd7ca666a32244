"""How many there are, as people read it; load with ``{% load counts %}``."""

from __future__ import annotations

from typing import Any

from django import template
from django.contrib.humanize.templatetags.humanize import intcomma

from kaizala_console.lib import bounded

register = template.Library()


@register.filter
def counted(number: Any) -> str:
    """``1,234``; and ``1,000+`` for a count that stopped there (`lib.bounded`)."""
    if isinstance(number, bounded.Bounded) and number.is_more:
        return f"{intcomma(bounded.MOST)}+"
    return str(intcomma(number))
