"""Logos on the operators' pages: which connectors have one; what does not belong there is removed."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin.confirmed_act import confirmed_act
from accounts.admin.read_only import ReadOnlyAdmin
from accounts.admin.site import site
from connectors.models import ConnectorLogo
from connectors.services import logos


@admin.register(ConnectorLogo, site=site)
class ConnectorLogoAdmin(ReadOnlyAdmin):
    exclude = ["content"]
    list_display = ["connector", "content_type", "width", "height", "sha256", "changed_at"]
    list_select_related = ["connector"]
    search_fields = ["connector__name", "connector__id__exact", "sha256"]
    actions = ["remove"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ConnectorLogo]:
        """Without the bytes."""
        return super().get_queryset(request).defer("content")

    remove = confirmed_act(
        lambda row, by: logos.remove(connector=row.connector, by=by),
        name="remove",
        label=_("Remove"),
        says=_("The connectors go on without a logo."),
        describe=lambda row: row.connector.name,
    )
