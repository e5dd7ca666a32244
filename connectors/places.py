"""Which pages of this app the search from anywhere leads to (`accounts.places`)."""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.places import Place


def of_connectors(user: User) -> Iterable[Place]:
    """Those that belong to no single connector."""
    connectors, handoffs = reverse("connectors:list"), reverse("connectors:handoffs")
    yield Place(_("Connectors"), connectors, "connectors", words=_("my programs apps bots integrations"))
    yield Place(
        _("Add Connector"),
        reverse("connectors:create"),
        "plus",
        words=_("create register new program app client id secret"),
    )
    yield Place(
        _("All Connectors"), f"{connectors}?show=all", "connectors", words=_("organisation programs apps owners")
    )
    yield Place(_("Handoffs"), handoffs, "handoffs", words=_("claim refresh token inbox open receive sealed"))
    yield Place(
        _("Earlier handoffs"), f"{handoffs}?show=earlier", "handoffs", words=_("claimed refused expired history")
    )
    yield Place(
        _("Inspect a token"),
        reverse("connectors:inspector"),
        "search",
        words=_("why refused 401 403 debug check access refresh secret scopes"),
    )
    yield Place(
        _("API explorer"),
        reverse("connectors:explorer"),
        "code",
        words=_("openapi calls endpoints try samples quick start"),
    )
    yield Place(
        _("What acts for you"),
        reverse("connectors:acting"),
        "person",
        words=_("user token consent revoke end allow apps"),
    )
    yield Place(
        _("Report a leaked credential"),
        reverse("connectors:leak_report"),
        "warning",
        words=_("leak secret token exposed lost stolen"),
    )
    if user.is_organisation_admin:
        yield Place(
            _("Usage of the organisation"),
            reverse("connectors:organisation_usage"),
            "activity",
            words=_("calls charts statistics errors throttled rate limit"),
        )
