"""How a connector's program speaks: which old habits it shows, and how near it is to its limits. For owners."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from accounts.views.decorators import signed_in, user_of
from connectors.queries import usage
from connectors.services import usage as services_usage
from connectors.views import links
from kaizala_console.api.compatibility import CompatibilityQuirk

# What the program does, and how it is written today.
WORDS: Final = {
    CompatibilityQuirk.DOUBLE_SLASH: (
        _("Slashes are doubled in the path"),
        _("One slash: join the endpoint URL and “/v1/…” without a second one."),
    ),
    CompatibilityQuirk.NO_VERSION: (_("“/v1” is left out of the path"), _("Begin every path with “/v1/”.")),
    CompatibilityQuirk.OTHER_CASE_PATH: (
        _("The path is written in other capitals"),
        _("Write paths as the API description does, like “/v1/groups/{groupId}/subGroups”."),
    ),
    CompatibilityQuirk.TRAILING_SLASH: (_("The path ends with a slash"), _("End the path without a slash.")),
    CompatibilityQuirk.GROUP_ID_SUFFIX: (
        _("Group IDs end with “@” and a number"),
        _("Send the GUID alone, as it stands in our answers."),
    ),
    CompatibilityQuirk.SUBSCRIBERS_BY_GET: (
        _("Subscribers are listed with GET"),
        _("POST to the same path, with “cursor” and “count” in the body."),
    ),
    CompatibilityQuirk.BOT: (
        _("It works with bots (“/v1/bot”)"),
        _(
            "Just like this: nothing needs to change. Bots are kept here, with their names and pictures, and a bot’s "
            "token posts in the groups that the bot stands in."
        ),
    ),
    CompatibilityQuirk.ACTION_PROPERTIES: (
        _("It changes properties of actions"),
        _("Nothing to change. Properties are stored and returned; the console doesn’t act on them."),
    ),
    CompatibilityQuirk.FIND_GROUPS: (
        _("It finds groups with “/v1/tenant/findGroupsByQuery”"),
        _("Nothing to change. Only groups that the token reaches are found."),
    ),
    CompatibilityQuirk.OLD_HOST: (
        _("It calls a host of kaiza.la"),
        _("Call this console by its own name: the “endpointUrl” that comes with each access token."),
    ),
    CompatibilityQuirk.TOKEN_HEADER: (
        _("The access token comes in the header “accessToken”"),
        _("“Authorization: Bearer” and the token, which libraries and proxies know to keep out of logs."),
    ),
    CompatibilityQuirk.NO_CONTENT_TYPE: (
        _("Bodies come without a Content-Type"),
        _("Send “Content-Type: application/json”."),
    ),
    CompatibilityQuirk.OTHER_CONTENT_TYPE: (
        _("JSON comes under another Content-Type"),
        _("Send “Content-Type: application/json”."),
    ),
    CompatibilityQuirk.BYTE_ORDER_MARK: (_("Bodies begin with a byte-order mark"), _("UTF-8 without one.")),
    CompatibilityQuirk.UNQUOTED_NAMES: (
        _("Property names have no quotes"),
        _("Put them in double quotes, or have a JSON library write the body."),
    ),
    CompatibilityQuirk.SINGLE_QUOTES: (
        _("Texts are in single quotes"),
        _("Double quotes. In Python, “json.dumps(…)” writes them; “str(…)” does not."),
    ),
    CompatibilityQuirk.TRAILING_COMMA: (
        _("A comma stands after the last entry"),
        _("No comma before a closing bracket."),
    ),
    CompatibilityQuirk.COMMENTS: (_("There are comments in bodies"), _("JSON has none.")),
    CompatibilityQuirk.PYTHON_WORDS: (
        _("True, False and None are written as in Python"),
        _("true, false and null. In Python, “json.dumps(…)” writes them."),
    ),
    CompatibilityQuirk.OTHER_JSON: (
        _("Bodies are nearly JSON"),
        _("Have a JSON library write the body."),
    ),
    CompatibilityQuirk.OTHER_CASE_NAME: (
        _("Property names are written in other capitals"),
        _("Write them as the API description does: mostly with a small first letter."),
    ),
    CompatibilityQuirk.OTHER_NAME: (
        _("Properties are called by an older name"),
        _("Use the name in the API description, like “showDetails” for “showDetail”."),
    ),
    CompatibilityQuirk.OTHER_CASE_VALUE: (
        _("Fixed words are written in other capitals"),
        _("Write them as the API description does, like “Survey”."),
    ),
    CompatibilityQuirk.NUMBER_FOR_NAME: (
        _("Fixed words come as their number"),
        _("Send the word: it says what is meant."),
    ),
    CompatibilityQuirk.TEXT_FOR_VALUE: (
        _("Numbers, times or true and false come as text"),
        _("Send them without quotes."),
    ),
    CompatibilityQuirk.NUMBER_FOR_TEXT: (
        _("Texts come as numbers"),
        _("Put them in quotes: a number loses its leading zeros."),
    ),
}


@require_GET
@signed_in
def compatibility(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """Counts are some seconds old; nothing that the program sent is kept."""
    connector, context = links.get_own(user_of(request), connector_id, "compatibility")
    room = services_usage.get_rate_limit_usage(connector)
    context |= {
        "rows": [_row(shown) for shown in usage.list_compatibility_quirks(connector)],
        "days": settings.USAGE_DAYS,
        "room": room,
        "outcomes": usage.count_outcomes(connector),
    }
    return render(request, "connectors/compatibility.html", context)


def _row(shown: usage.CompatibilityQuirkUse) -> dict[str, Any]:
    title, modern = WORDS[shown.habit]
    return {"shown": shown, "title": title, "modern": modern}
