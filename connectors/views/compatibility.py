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
        _("Doubled slashes in the path"),
        _("Use one slash between the endpoint URL and “/v1/…”."),
    ),
    CompatibilityQuirk.NO_VERSION: (_("No “/v1” in the path"), _("Start every path with “/v1/”.")),
    CompatibilityQuirk.OTHER_CASE_PATH: (
        _("Different capitals in the path"),
        _("Use the API description’s spelling, like “/v1/groups/{groupId}/subGroups”."),
    ),
    CompatibilityQuirk.TRAILING_SLASH: (_("Trailing slash in the path"), _("Remove the trailing slash.")),
    CompatibilityQuirk.GROUP_ID_SUFFIX: (
        _("Group IDs with “@” and a number"),
        _("Send only the GUID, as in our answers."),
    ),
    CompatibilityQuirk.SUBSCRIBERS_BY_GET: (
        _("GET to list subscribers"),
        _("POST to the same path, with “cursor” and “count” in the body."),
    ),
    CompatibilityQuirk.BOT: (
        _("Bots (“/v1/bot”)"),
        _("Nothing to change. Bots keep their name and picture here, and a bot’s token posts in the groups it is in."),
    ),
    CompatibilityQuirk.ACTION_PROPERTIES: (
        _("Properties of actions are changed"),
        _("Nothing to change. Properties are stored and returned; the console doesn’t act on them."),
    ),
    CompatibilityQuirk.FIND_GROUPS: (
        _("Groups found with “/v1/tenant/findGroupsByQuery”"),
        _("Nothing to change. Only groups that the token reaches are found."),
    ),
    CompatibilityQuirk.OLD_HOST: (
        _("A kaiza.la host"),
        _("Use the “endpointUrl” that comes with each access token."),
    ),
    CompatibilityQuirk.TOKEN_HEADER: (
        _("Access token in the header “accessToken”"),
        _("Use “Authorization: Bearer”, which libraries and proxies keep out of logs."),
    ),
    CompatibilityQuirk.NO_CONTENT_TYPE: (
        _("No Content-Type"),
        _("Send “Content-Type: application/json”."),
    ),
    CompatibilityQuirk.OTHER_CONTENT_TYPE: (
        _("JSON with another Content-Type"),
        _("Send “Content-Type: application/json”."),
    ),
    CompatibilityQuirk.BYTE_ORDER_MARK: (_("Byte-order mark"), _("Send UTF-8 without one.")),
    CompatibilityQuirk.UNQUOTED_NAMES: (
        _("Property names without quotes"),
        _("Use double quotes, or a JSON library."),
    ),
    CompatibilityQuirk.SINGLE_QUOTES: (
        _("Single quotes"),
        _("Use double quotes. In Python, “json.dumps(…)” writes them; “str(…)” does not."),
    ),
    CompatibilityQuirk.TRAILING_COMMA: (
        _("Trailing comma"),
        _("Remove the comma before the closing bracket."),
    ),
    CompatibilityQuirk.COMMENTS: (_("Comments in the body"), _("JSON has no comments.")),
    CompatibilityQuirk.PYTHON_WORDS: (
        _("Python’s True, False and None"),
        _("Use true, false and null. In Python, “json.dumps(…)” writes them."),
    ),
    CompatibilityQuirk.OTHER_JSON: (
        _("Almost JSON"),
        _("Use a JSON library."),
    ),
    CompatibilityQuirk.OTHER_CASE_NAME: (
        _("Different capitals in property names"),
        _("Use the API description’s spelling, mostly with a small first letter."),
    ),
    CompatibilityQuirk.OTHER_NAME: (
        _("Older property names"),
        _("Use the name in the API description, like “showDetails” for “showDetail”."),
    ),
    CompatibilityQuirk.OTHER_CASE_VALUE: (
        _("Different capitals in fixed values"),
        _("Use the API description’s spelling, like “Survey”."),
    ),
    CompatibilityQuirk.NUMBER_FOR_NAME: (
        _("Numbers for fixed values"),
        _("Send the word."),
    ),
    CompatibilityQuirk.TEXT_FOR_VALUE: (
        _("Numbers, times or booleans as text"),
        _("Send them without quotes."),
    ),
    CompatibilityQuirk.NUMBER_FOR_TEXT: (
        _("Numbers for text"),
        _("Use quotes: a number loses its leading zeros."),
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
