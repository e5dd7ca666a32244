"""All access to the groups of the organisation that ends soon, for its admins: its usage page names the next few."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts import policies
from accounts.views.decorators import user_of, with_phone
from groups.queries import ending_access
from groups.views import links
from kaizala_console.lib import pagination


@require_GET
@with_phone
def ending(request: HttpRequest) -> HttpResponse:
    """The next in front."""
    user = user_of(request)
    policies.require_organisation_admin(user)
    try:
        page = ending_access.ending_page(user, cursor=request.GET.get("cursor"))
    except pagination.BadCursor:
        return redirect(links.url_with(request, cursor=None))
    context = {
        "organisation": user.organisation,
        "tokens": page.items,
        **links.pagination_links(request, page),
        "crumbs": links.crumbs(
            (_("Organisation"), reverse("accounts:organisation")),
            (_("Ends soon"), ""),
        ),
    }
    return render(request, "groups/ending.html", context)
