"""Logos on the operators' pages: which connectors have one; what does not belong there is removed."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.operators import ReadOnlyAdmin, carry_out, operator_of, site
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

    @admin.action(description=_("Remove: the connector goes on without a logo"))
    def remove(self, request: HttpRequest, rows: QuerySet[ConnectorLogo]) -> None:
        carry_out(request, rows, lambda row: logos.remove(connector=row.connector, by=operator_of(request)))
