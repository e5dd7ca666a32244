"""What programs called, on the operators' pages: by the hour, by the day, when last, and by which old habits."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.site import site
from connectors.models import CompatibilityQuirkDay, Connector, ConnectorUsage, UsageDay, UsageHour

OUTCOMES = ["calls", "refused", "throttled", "failed"]  # read behind whose calls they were, and when


@admin.register(UsageHour, site=site)
class UsageHourAdmin(ReadOnlyAdmin):
    fields = ["grant", "hour", "operation", "scope", *OUTCOMES]
    list_display = ["hour", "connector", "target_name", "operation", *OUTCOMES]
    list_select_related = ["grant__connector"]
    search_fields = ["grant__connector__name", "grant__target_name", "operation"]

    @admin.display(description=_("connector"))
    def connector(self, row: UsageHour) -> Connector:
        return row.grant.connector

    @admin.display(description=_("target"))
    def target_name(self, row: UsageHour) -> str:
        return row.grant.target_name


@admin.register(UsageDay, site=site)
class UsageDayAdmin(ReadOnlyAdmin):
    fields = ["grant", "day", "operation", *OUTCOMES]
    list_display = ["day", "grant", "operation", *OUTCOMES]
    list_select_related = ["grant"]
    search_fields = ["grant__connector__name", "grant__target_name", "operation"]


@admin.register(ConnectorUsage, site=site)
class ConnectorUsageAdmin(ReadOnlyAdmin):
    """What is kept of all grants of a connector together."""

    fields = ["connector", "bucket", "at", "operation", "scope", *OUTCOMES]
    list_display = ["at", "bucket", "connector", "operation", *OUTCOMES]
    list_filter = ["bucket"]
    list_select_related = ["connector"]
    search_fields = ["connector__id__exact", "connector__name", "operation"]


@admin.register(CompatibilityQuirkDay, site=site)
class CompatibilityQuirkDayAdmin(ReadOnlyAdmin):
    list_display = ["day", "connector", "habit", "times", "seen_at", "example"]
    list_filter = ["habit"]
    list_select_related = ["connector"]
    search_fields = ["connector__name", "habit", "example"]
