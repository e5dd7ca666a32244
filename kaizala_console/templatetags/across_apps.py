"""What pages of connectors show of groups, which connectors do not import; load with ``{% load across_apps %}``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from django import template
from django.utils.translation import gettext as _

from accounts.models import User
from connectors.models import Bot, RefreshToken
from groups.queries import bots as bot_queries
from groups.queries import groups as groups_queries
from kaizala_console.lib import clock
from kaizala_console.lib.pagination import Page

NAMED_GROUPS = 3  # in a line of the list; the others are counted
MOST_ENDING = 5

register = template.Library()


@register.simple_tag
def access_ending_soon(user: User) -> Page[RefreshToken]:
    """The access to groups of the user's organisation that ends next."""
    return groups_queries.ending_page(user, size=MOST_ENDING)


@register.simple_tag
def bots_with_places(bots: Iterable[Bot]) -> list[dict[str, Any]]:
    """A row for each bot: where it stands, and what it posted last."""
    places = bot_queries.get_places(bot.pk for bot in bots)
    return [
        {
            "bot": bot,
            "picture_host": urlsplit(bot.picture_url).hostname or "",
            "named": ", ".join(places[bot.pk].groups[:NAMED_GROUPS]),
            "more": len(places[bot.pk].groups[NAMED_GROUPS:]),
            "at": places[bot.pk],
        }
        for bot in bots
    ]


@register.simple_tag
def what_stops_with_bot(bot: Bot) -> list[dict[str, Any]]:
    """The facts for ``<c-what-will-stop>``."""
    now, groups = clock.now(), bot_queries.get_places([bot.pk])[bot.pk].groups
    return [
        {"label": _("groups it is in"), "count": len(groups), "note": ", ".join(groups[:NAMED_GROUPS])},
        *(
            {"label": label, "count": bot_queries.count_posts(bot.pk, since=now - dt.timedelta(days=days))}
            for label, days in ((_("posts in the last 24 hours"), 1), (_("posts in the last 7 days"), 7))
        ),
    ]
