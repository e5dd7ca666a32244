"""No credential stays in an address: histories keep addresses, and so do the logs of whatever stands in front.

People paste a token into the first search field they see, and what is searched for stands in the address. With
scripts it does not leave the field (static/js/console.js); without, the page is asked again without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl, urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.encoding import escape_uri_path
from django.utils.html import format_html
from django.utils.http import escape_leading_slashes
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from connectors.token_format import PUBLIC_LENGTH, CredentialKind

Handler = Callable[[HttpRequest], HttpResponse]

# More than the public part, by which a row may be looked for. Whole or not, with the right checksum or a letter lost:
# it is as secret. Inside a random text of other letters (the `state` of a sign-in) it is none.
_BEGINS: Final = r"(?:(?<![A-Za-z0-9_-])|(?<=%[0-9A-Fa-f]{2}))"
_KINDS: Final = "|".join(kind.value for kind in CredentialKind)
SECRET_PART: Final = re.compile(rf"{_BEGINS}(?:{_KINDS})[A-Za-z0-9_-]{{{PUBLIC_LENGTH + 1},}}", re.ASCII)


@sensitive_variables()
def without_credentials(query: str) -> str | None:
    """The query without the fields that hold a credential; None when there are none, and nothing is to be done."""
    if not any(kind.value in query for kind in CredentialKind):
        return None
    fields = parse_qsl(query, keep_blank_values=True)
    kept = [field for field in fields if not any(map(SECRET_PART.search, field))]
    return urlencode(kept) if len(kept) < len(fields) else None


class NoCredentialInAddressMiddleware:
    """Answers with the same address without the credential, and a warning that says where it can be looked at."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        query = without_credentials(request.META.get("QUERY_STRING", "")) if request.method in ("GET", "HEAD") else None
        if query is None:
            return self.get_response(request)
        text = _(
            "The address of this page contained a token or secret. We removed it, but browsers and servers "
            "log addresses: replace it if it is in use. What it is, and whether it works:"
        )
        way = format_html('<a href="{}">{}</a>', reverse("connectors:inspector"), _("Inspect a token"))
        messages.warning(request, format_html("{} {}", text, way))
        here = escape_leading_slashes(escape_uri_path(request.path))
        response = HttpResponseRedirect(f"{here}?{query}" if query else here)
        response.headers["Cache-Control"] = "private, no-store"
        return response
