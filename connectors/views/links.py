"""Addresses within the connector pages: the same page with a change, the tabs of one connector, the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from connectors.models import Connector
from connectors.queries import connectors
from connectors.queries.connectors import Counts
from kaizala_console.lib.pagination import Page


def url_with(request: HttpRequest, *, path: str = "", **changes: str | None) -> str:
    """This page with some parameters changed; None, and what is empty, is left out.

    At `path`, when a form was sent to another address than that of the page which shows it.
    """
    query = request.GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None:
            query[name] = value
    for name in [name for name, value in query.items() if not value]:
        del query[name]
    path = path or request.path
    return f"{path}?{query.urlencode()}" if query else path


def pagination_links(
    request: HttpRequest, page: Page[Any], *, path: str = "", **more: str | None
) -> dict[str, str | None]:
    """`newer` and `older` for `<c-pagination>`: where the pages before and after this one are, or None.

    `path` and `more` are as in `url_with`.
    """
    return {
        "newer": page.previous_cursor and url_with(request, path=path, cursor=page.previous_cursor, **more),
        "older": page.next_cursor and url_with(request, path=path, cursor=page.next_cursor, **more),
    }


def make_select(name: str, label: str, options: Mapping[str, Any], chosen: str) -> dict[str, Any]:
    """For `<c-filters>`: one choice, sent as `name`."""
    rows = [{"value": key, "label": word, "chosen": key == chosen} for key, word in options.items()]
    return {"name": name, "label": label, "options": rows}


def get_choice(request: HttpRequest, name: str, choices: Mapping[str, Any]) -> str:
    """What the address chooses; what cannot be understood is left out rather than refused."""
    given = request.GET.get(name, "")
    return given if given in choices else ""


def list_chips(request: HttpRequest, search: str = "", *, path: str = "", **labels: str) -> list[dict[str, str]]:
    """For `<c-filters>`: what a list is narrowed to, by parameter, each with this page (or `path`) without it."""
    if search:
        labels = {"q": _("Search: %(text)s") % {"text": search}, **labels}
    return [
        {"label": label, "remove_url": url_with(request, path=path, **{name: None}, cursor=None)}
        for name, label in labels.items()
        if label
    ]


# The tabs of a connector, and the pages below which there are others, by the names of their addresses.
TABS: Final = {
    "details": gettext_lazy("Overview"),
    "credentials": gettext_lazy("Credentials"),
    "groups": gettext_lazy("Groups"),
    "requests": gettext_lazy("Requests"),
    "webhooks": gettext_lazy("Webhooks"),
    "bots": gettext_lazy("Bots"),
    "usage": gettext_lazy("Usage"),
    "compatibility": gettext_lazy("Compatibility"),
    "activity": gettext_lazy("Activity"),
}
PAGES: Final = {
    **TABS,
    "change": gettext_lazy("Change details"),
    "keys": gettext_lazy("Public key"),
    "owners": gettext_lazy("Owners"),
}


def _list_tabs(connector: Connector, counts: Counts, current: str) -> list[dict[str, Any]]:
    numbers = {
        "credentials": counts.live_secrets,
        "groups": counts.grants,
        "requests": counts.requests,
        "webhooks": counts.webhooks,
        "bots": counts.bots,
    }
    return [
        {"label": label, "url": _get_url(connector, name), "count": numbers.get(name), "current": name == current}
        for name, label in TABS.items()
    ]


def _get_url(connector: Connector, page: str) -> str:
    return reverse(f"connectors:{page}", args=[connector.pk])


def crumbs(*rows: tuple[str, str]) -> list[dict[str, str]]:
    """Breadcrumbs: (label, address) pairs, the last without an address."""
    return [{"label": label, "url": url} for label, url in rows]


def connector_crumbs(connector: Connector, *above: str, here: str = "") -> list[dict[str, str]]:
    """Breadcrumbs of a page below a connector's: the names of pages (`PAGES`) above it, and what it is called."""
    rows = [(_("Connectors"), reverse("connectors:list")), (connector.name, _get_url(connector, "details"))]
    rows += [(str(PAGES[page]), _get_url(connector, page)) for page in above]
    if here:
        rows.append((here, ""))
    label, _url = rows.pop()
    return crumbs(*rows, (label, ""))


def get_frame(connector: Connector, current: str) -> dict[str, Any]:
    """What the pages of one connector share, for its owners."""
    counts = connectors.count_tabs(connector)
    return {
        "connector": connector,
        "state": connector.state.value,
        "is_owner": True,
        "counts": counts,
        "tabs": _list_tabs(connector, counts, current),
        "crumbs": connector_crumbs(connector),
    }


def get_own(user: User, connector_id: UUID, current: str) -> tuple[Connector, dict[str, Any]]:
    """A connector of the account's own with the frame of its pages. Raises NotFound."""
    connector = connectors.get_own_connector(user, connector_id)
    return connector, get_frame(connector, current)
