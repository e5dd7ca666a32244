"""The API explorer: a program to begin with, and Swagger UI over the OpenAPI document, to read and to try.

An access token that is tried goes from the browser to the API alone: no page and no form has it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_GET

from accounts.views.decorators import signed_in, user_of
from connectors import policies
from connectors.models import Connector
from connectors.services.api_description import get_translated_description
from connectors.views import links
from connectors.views.one_time_secrets import ID, REFRESH_TOKEN, SECRET
from kaizala_console.lib import ids

LANGUAGE, CONNECTOR = "in", "connector"


@require_GET
@signed_in
def index(request: HttpRequest) -> HttpResponse:
    """The quick start in six languages, and the viewer."""
    connector_id = _own_connector(request)
    program = get_program(request.GET.get(LANGUAGE), connector_id)
    tabs = [
        {
            "label": each.label,
            "url": f"{links.url_with(request, **{LANGUAGE: each.key})}#sample",
            "current": each.key == program.key,
        }
        for each in _PROGRAMS
    ]
    context = {
        "program": program,
        "languages": tabs,
        "variables": list_variables(connector_id),
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
    found = get_translated_description(get_language() or "en")
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


PROGRAMS: Final = Path(settings.BASE_DIR, "templates", "connectors", "programs")
GROUP: Final = "GROUP_ID"
TEXT: Final = "Hello from my program"


@dataclass(frozen=True, slots=True)
class Program:
    """A file, and the line that runs it. ``key`` names its language in addresses."""

    key: str
    label: str
    file: str
    run: str
    needs: str
    text: str = ""


def list_programs(connector_id: str = "") -> list[Program]:
    """The programs, for this console; and for one connector when its ID is given. Else that is read, too."""
    return [_filled(program, connector_id) for program in _PROGRAMS]


def get_program(key: str | None, connector_id: str = "") -> Program:
    """The program in one language; the first one when there is no such language."""
    chosen = next((program for program in _PROGRAMS if program.key == key), _PROGRAMS[0])
    return _filled(chosen, connector_id)


def list_variables(connector_id: str = "") -> list[str]:
    """What must be in the environment."""
    return [*([] if connector_id else [ID]), SECRET, REFRESH_TOKEN, GROUP]


def _filled(program: Program, connector_id: str) -> Program:
    text = (PROGRAMS / f"{program.file}.txt").read_text()
    text = text.replace("CONSOLE_URL", settings.CONSOLE_BASE_URL).replace("MESSAGE", TEXT)
    for expression in _ID_EXPRESSIONS if connector_id else ():
        text = text.replace(expression, connector_id if expression.startswith("$") else f'"{connector_id}"')
    return replace(program, text=text.strip())


_ID_EXPRESSIONS: Final = (
    "$CONNECTOR_ID",
    'os.environ["CONNECTOR_ID"]',
    "process.env.CONNECTOR_ID",
    'Environment.GetEnvironmentVariable("CONNECTOR_ID")',
    'System.getenv("CONNECTOR_ID")',
    'getenv("CONNECTOR_ID")',  # after those that end with it
)

# Every C# since 2012 takes that program. Top-level statements and `async Main` older compilers refuse, and there is no
# System.Text.Json in .NET Framework and in Mono.
_PROGRAMS: Final = (
    Program("curl", "curl", "hello.sh", "sh hello.sh", "curl"),
    Program("python", "Python", "hello.py", "python3 hello.py", "pip install requests"),
    Program("javascript", "JavaScript", "hello.mjs", "node hello.mjs", "node 18+"),
    Program("php", "PHP", "hello.php", "php hello.php", "PHP 8"),
    Program("csharp", "C#", "Program.cs", "dotnet run", "any .NET, or Mono"),
    Program("java", "Java", "Hello.java", "java Hello.java", "Java 17+"),
)
