"""The API explorer: a program to begin with, and Swagger UI over the OpenAPI document, to read and to try.

An access token that is tried goes from the browser to the API alone: no page and no form has it.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_GET

from accounts.views.decorators import signed_in, user_of
from connectors import policies
from connectors.description import description_in
from connectors.models import Connector
from connectors.views import links, quick_start
from kaizala_console.lib import ids

LANGUAGE, CONNECTOR = "in", "connector"


@require_GET
@signed_in
def index(request: HttpRequest) -> HttpResponse:
    """The quick start in six languages, and the viewer."""
    connector_id = _own_connector(request)
    program = quick_start.program_of(request.GET.get(LANGUAGE), connector_id)
    tabs = [
        {
            "label": each.label,
            "url": f"{links.url_with(request, **{LANGUAGE: each.key})}#sample",
            "current": each.key == program.key,
        }
        for each in quick_start.programs()
    ]
    context = {
        "program": program,
        "languages": tabs,
        "variables": quick_start.variables(connector_id),
        "crumbs": links.crumbs((_("Connectors"), reverse("connectors:list")), (_("API explorer"), "")),
    }
    return render(request, "connectors/explorer.html", context)


@gzip_page  # nothing in it is secret
@require_GET
@signed_in
def document(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document for the viewer: in the reader's language, about the host that they are on.

    Consent to a program's OAuth is given on a page of its own, so the viewer does not offer it.
    """
    found = description_in(get_language() or "en")
    components = found["components"]
    schemes = {name: scheme for name, scheme in components["securitySchemes"].items() if name != "oauth"}
    shown = {**found, "components": {**components, "securitySchemes": schemes}}
    del shown["servers"]
    return JsonResponse(shown)


def _own_connector(request: HttpRequest) -> str:
    """The ID of the connector that the page was opened for, when it is one that this person sees."""
    wanted = ids.parse_guid(request.GET.get(CONNECTOR, ""))
    connector = Connector.objects.filter(pk=wanted, deleted_at__isnull=True).first() if wanted else None
    return str(connector.pk) if connector is not None and policies.can_see(user_of(request), connector) else ""
