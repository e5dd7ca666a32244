"""The directory: the people in the groups that a person sees, each once."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.pages.decorators import user_of, with_phone
from groups import queries
from groups.pages import links
from kaizala_console.lib import keyset
from kaizala_console.lib.phone_numbers import display

PAGE_SIZE = 50


@require_GET
@with_phone
def directory(request: HttpRequest) -> HttpResponse:
    """One page of people, by name."""
    search = request.GET.get("q", "").strip()[:120]
    try:
        page = queries.directory_page(user_of(request), search=search, cursor=request.GET.get("cursor"), size=PAGE_SIZE)
    except keyset.BadCursor:
        return redirect(links.same_page(request, cursor=None))
    remove = links.same_page(request, q=None, cursor=None)
    context = {
        "rows": [{"person": person, "called": person.name or display(person.number)} for person in page.items],
        "search": search,
        "chips": [{"label": _("Search: %(text)s") % {"text": search}, "remove_url": remove}] if search else [],
        "all_url": reverse("groups:directory"),
        **links.both_ways(request, page),
    }
    return render(request, "groups/directory.html", context)
