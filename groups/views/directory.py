"""The directory: the people in the groups that a person sees, each once; and what is noted of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.views.decorators import user_of, with_phone
from groups.models import PersonAttribute
from groups.queries import directory as directory_queries
from groups.views import links
from kaizala_console.lib import ids, keyset
from kaizala_console.lib.phone_numbers import display

PAGE_SIZE = 50


@require_GET
@with_phone
def directory(request: HttpRequest) -> HttpResponse:
    """One page of people, by name; `attribute` and `value` in the address narrow it to who is noted so."""
    user = user_of(request)
    search = request.GET.get("q", "").strip()[:120]
    attributes = list(directory_queries.attributes_for(user))
    attribute, value = _filter(request, attributes)
    try:
        page = directory_queries.page(
            user,
            search=search,
            attribute=attribute,
            value=value,
            cursor=request.GET.get("cursor"),
            size=PAGE_SIZE,
        )
    except keyset.BadCursor:
        return redirect(links.url_with(request, cursor=None))
    noted = directory_queries.values_of(page.items, attributes)
    chips = []
    if search:
        remove = links.url_with(request, q=None, cursor=None)
        chips.append({"label": _("Search: %(text)s") % {"text": search}, "remove_url": remove})
    if attribute is not None:
        remove = links.url_with(request, attribute=None, value=None, cursor=None)
        chips.append({"label": f"{attribute.name}: {value}", "remove_url": remove})
    context = {
        "rows": [
            {
                "person": person,
                "called": person.name or display(person.number),
                "url": reverse("groups:person", args=[person.pk]),
                "noted": noted_of(attributes, noted.get(person.pk, {})),
            }
            for person in page.items
        ],
        "search": search,
        "attributes": attributes,
        "attribute": attribute,
        "value": value,
        "is_filtered": bool(chips),
        "chips": chips,
        "all_url": reverse("groups:directory"),
        **links.pagination_links(request, page),
    }
    return render(request, "groups/directory.html", context)


def noted_of(attributes: list[PersonAttribute], values: dict[Any, str]) -> list[dict[str, str]]:
    """What is noted of one person, in the order of the attributes; each leads to everybody of whom it is said."""
    there = [(attribute, values[attribute.pk]) for attribute in attributes if attribute.pk in values]
    return [
        {
            "name": attribute.name,
            "text": text,
            "url": f"{reverse('groups:directory')}?{urlencode({'attribute': attribute.pk, 'value': text})}",
        }
        for attribute, text in there
    ]


def _filter(request: HttpRequest, attributes: list[PersonAttribute]) -> tuple[PersonAttribute | None, str]:
    """By which attribute, of those that the asker may read, and which value; nothing for any other address."""
    key = ids.parse_guid(request.GET.get("attribute", ""))
    value = request.GET.get("value", "").replace("\0", "").strip()[:200]
    found = next((attribute for attribute in attributes if attribute.pk == key), None)
    return (found, value) if found is not None and value else (None, "")
