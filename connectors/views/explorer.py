"""The API explorer: every operation of the OpenAPI document, readable, with samples and a place to try it.

It reads the document and nothing else, so what another part of the console adds to the wire is here at once. An access
token that is tried goes from the browser to the wire alone: no page and no form ever has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_GET

from accounts.views.decorators import signed_in, user_of
from connectors import policies
from connectors.description import description, description_in
from connectors.models import Connector
from connectors.views import explorer_schemas, links, quick_start, samples
from connectors.views.explorer_schemas import Row, resolved, rich
from connectors.views.samples import Request, Variable
from kaizala_console.lib import ids

LANGUAGE, SEARCH, CONNECTOR = "in", "q", "connector"
_VARIABLES = {
    "accessToken": "ACCESS_TOKEN",
    "applicationId": "CONNECTOR_ID",
    "applicationSecret": "CONNECTOR_SECRET",
    "refreshToken": "REFRESH_TOKEN",
}
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Entry:
    """An operation, as lists show it."""

    id: str
    method: str
    path: str
    summary: str
    permission: str
    scope: str
    noun: str
    description: str

    @property
    def url(self) -> str:
        return reverse("connectors:explorer_operation", args=[self.id])


@dataclass(frozen=True, slots=True)
class Noun:
    """A chapter: what the operations are about."""

    name: str
    anchor: str
    description: str
    entries: list[Entry]


@dataclass(frozen=True, slots=True)
class Possible:
    """An answer, and what it looks like."""

    status: str
    description: str
    rows: list[Row]
    examples: list[tuple[str, str]]
    is_error: bool


@gzip_page  # it is long, and nothing in it is secret: what is asked for cannot be guessed by the length of the answer
@require_GET
@signed_in
def index(request: HttpRequest) -> HttpResponse:
    """How to begin, and everything there is; `q` narrows it down."""
    document = _document()
    search = request.GET.get(SEARCH, "").strip()[:100]
    english = {entry.id: entry for entry, _declared in _operations(description().document)}
    nouns = [_narrowed(noun, search, english) for noun in _nouns(document)]
    connector_id = _own_connector(request)
    program = quick_start.program_of(request.GET.get(LANGUAGE), connector_id)
    context = {
        "nouns": [noun for noun in nouns if noun.entries],
        "all_nouns": _nouns(document),
        "search": search,
        "program": program,
        "languages": _languages(request, program.key),
        "variables": quick_start.variables(connector_id),
        "introduction": rich(document["info"]["description"]),
        "crumbs": links.crumbs((_("Connectors"), reverse("connectors:list")), (_("API explorer"), "")),
    }
    return render(request, "connectors/explorer.html", context)


@require_GET
@signed_in
def operation(request: HttpRequest, operation_id: str) -> HttpResponse:
    """One operation: what it needs, what it takes, what it answers, and how it is called. 404 when there is none."""
    document = _document()
    found = next((each for each in _operations(document) if each[0].id == operation_id), None)
    if found is None:
        raise Http404
    entry, declared = found
    language = samples.language_of(request.GET.get(LANGUAGE))
    call = _sample(document, entry, declared)
    parameters = [explorer_schemas.parameter(each, document) for each in declared.get("parameters", ())]
    body = _content(declared.get("requestBody", {}))
    context = {
        "entry": entry,
        "all_nouns": _nouns(document),
        "words": rich(_without_permission(declared)),
        "credentials": [list(each) for each in declared["security"]],
        "headers": list(call.headers),
        "parameters": parameters,
        "body": explorer_schemas.rows(body.get("schema", {}), document),
        "body_variants": explorer_schemas.variants(body.get("schema", {}), document),
        "body_kinds": list(declared.get("requestBody", {}).get("content", {})),
        "possible": list(_possible(document, declared)),
        "language": language,
        "languages": _languages(request, language.key),
        "code": language.write(call),
        "curl": samples.curl(call),
        "sample_body": explorer_schemas.pretty(call.body) if call.body is not None else "",
        "is_page": declared.get("x-page", False),
        "crumbs": links.crumbs(
            (_("Connectors"), reverse("connectors:list")),
            (_("API explorer"), reverse("connectors:explorer")),
            (entry.summary, ""),
        ),
    }
    return render(request, "connectors/explorer_operation.html", context)


# What the document says ----------------------------------------------------------------------------------------


def _document() -> dict[str, Any]:
    return description_in(get_language() or "en")


def _without_permission(declared: Mapping[str, Any]) -> str:
    """What an operation does. Its last paragraph names the permission, which the page has in a place of its own."""
    words: str = declared["description"]
    return words.rpartition("\n\n")[0] if "x-scope" in declared else words


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[Entry, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, declared in item.items():
            entry = Entry(
                id=declared["operationId"],
                method=method.upper(),
                path=path,
                summary=declared["summary"],
                permission=declared.get("x-permission", ""),
                scope=declared.get("x-scope", ""),
                noun=declared["tags"][0],
                description=declared["description"],
            )
            yield entry, declared


def _nouns(document: Mapping[str, Any]) -> list[Noun]:
    entries: dict[str, list[Entry]] = {}
    for entry, _declared in _operations(document):
        entries.setdefault(entry.noun, []).append(entry)
    return [
        Noun(tag["name"], f"noun-{number}", tag["description"], entries.get(tag["name"], []))
        for number, tag in enumerate(document["tags"])
    ]


def _narrowed(noun: Noun, search: str, english: Mapping[str, Entry]) -> Noun:
    """The noun with those operations alone that have every word of the search, in the page's language or in English."""
    words = search.lower().split()

    def matches(entry: Entry) -> bool:
        text = "".join(map(_said, (entry, english[entry.id])))
        return all(word in text for word in words)

    return Noun(noun.name, noun.anchor, noun.description, [entry for entry in noun.entries if matches(entry)])


def _said(entry: Entry) -> str:
    parts = (entry.id, entry.method, entry.path, entry.summary, entry.permission, entry.scope, entry.noun)
    return " ".join((*parts, entry.description)).lower()


def _sample(document: Mapping[str, Any], entry: Entry, declared: Mapping[str, Any]) -> Request:
    """A call with sample values; of credentials only names."""
    needed = declared["security"][0] if declared["security"] else {}
    query, path = [], entry.path
    for parameter in declared.get("parameters", ()):
        value = explorer_schemas.example(parameter["schema"], document, parameter["name"], parameter.get("example"))
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(value))
        elif parameter["in"] == "query" and parameter["required"]:
            query.append(f"{parameter['name']}={value}")
    return Request(
        method=entry.method,
        url=document["servers"][0]["url"] + path + ("?" + "&".join(query) if query else ""),
        headers={name: Variable(_VARIABLES[name]) for name in needed},
        body=_content(declared.get("requestBody", {})).get("example"),
    )


def _content(holder: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = holder.get("content", {}).get(_JSON, {})
    return found


def _possible(document: Mapping[str, Any], declared: Mapping[str, Any]) -> Iterator[Possible]:
    for status, response in declared["responses"].items():
        response = resolved(response, document)
        content = _content(response)
        is_error = status >= "4"
        examples = [
            (name, explorer_schemas.pretty(each["value"])) for name, each in content.get("examples", {}).items()
        ]
        if "example" in content:
            examples.append(("", explorer_schemas.pretty(content["example"])))
        shape = [] if is_error else explorer_schemas.rows(content.get("schema", {}), document)
        yield Possible(status, explorer_schemas.inline(response["description"]), shape, examples, is_error)


# The page ------------------------------------------------------------------------------------------------------


def _languages(request: HttpRequest, current: str) -> list[dict[str, Any]]:
    """Tabs: the same page in another language, at the same place."""
    return [
        {
            "label": language.label,
            "url": f"{links.url_with(request, **{LANGUAGE: language.key})}#sample",
            "current": language.key == current,
        }
        for language in samples.LANGUAGES
    ]


def _own_connector(request: HttpRequest) -> str:
    """The ID of the connector that the page was opened for, when it is one that this person sees."""
    wanted = ids.parse_guid(request.GET.get(CONNECTOR, ""))
    connector = Connector.objects.filter(pk=wanted, deleted_at__isnull=True).first() if wanted else None
    return str(connector.pk) if connector is not None and policies.can_see(user_of(request), connector) else ""
