"""Which pages of this app the search from anywhere leads to (`accounts.places`)."""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.places import Place


def of_groups(user: User) -> Iterable[Place]:
    """Those that belong to no single group."""
    groups = reverse("groups:list")
    yield Place(_("Groups"), groups, "groups", words=_("teams chats members"))
    yield Place(_("Create group"), reverse("groups:create"), "plus", words=_("add new make team"))
    yield Place(_("Tree of groups"), f"{groups}?view=tree", "groups", words=_("sub-groups hierarchy parents"))
    yield Place(
        _("Requests of developers"),
        reverse("groups:requests"),
        "inbox",
        words=_("approve refuse answer grant waiting permissions"),
    )
    yield Place(_("Directory"), reverse("groups:directory"), "directory", words=_("people users members find number"))
    if user.is_organisation_admin:
        yield from _of_the_organisation()


def _of_the_organisation() -> Iterable[Place]:
    yield Place(
        _("Attributes of people"),
        reverse("groups:attributes"),
        "directory",
        words=_("fields department location directory"),
    )
    yield Place(
        _("People by file"),
        reverse("groups:people_upload"),
        "file",
        words=_("import export csv upload directory attributes bulk"),
    )
    yield Place(
        _("Parent groups by file"),
        reverse("groups:mapping"),
        "file",
        words=_("import export csv upload sub-groups hierarchy bulk mapping"),
    )
    yield Place(
        _("Archive"),
        reverse("groups:archive"),
        "file",
        words=_("old messages tenant history import csv"),
    )
