"""Groups on the operators' pages: to look things up. What changes a group is done in the console, by its admins."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.operators import ReadOnlyAdmin, site
from groups.models import Group, GroupGrant, GroupLink, Membership, Message, Subscription
from kaizala_console.lib import phone_numbers


@admin.register(Group, site=site)
class GroupAdmin(ReadOnlyAdmin):
    list_display = ["name", "group_type", "organisation", "created_at", "removed_at"]
    list_filter = ["group_type", ("removed_at", admin.EmptyFieldListFilter), "organisation"]
    list_select_related = ["organisation"]
    search_fields = ["name", "id__exact"]


@admin.register(GroupLink, site=site)
class GroupLinkAdmin(ReadOnlyAdmin):
    list_display = ["parent", "child", "linked_at"]
    list_select_related = ["parent", "child"]
    search_fields = ["parent__name", "child__name"]


@admin.register(GroupGrant, site=site)
class GroupGrantAdmin(ReadOnlyAdmin):
    """Ending, suspending and resuming are actions on the grants themselves."""

    list_display = ["group", "connector", "granted_at", "revoked_at"]
    list_select_related = ["group", "grant__connector"]
    search_fields = ["group__name", "grant__connector__name", "grant__id__exact"]
    ordering = ["-grant__granted_at"]

    @admin.display(description=_("connector"), ordering="grant__connector__name")
    def connector(self, row: GroupGrant) -> Any:
        return row.grant.connector

    @admin.display(description=_("granted at"), ordering="grant__granted_at")
    def granted_at(self, row: GroupGrant) -> Any:
        return row.grant.granted_at

    @admin.display(description=_("revoked at"), ordering="grant__revoked_at")
    def revoked_at(self, row: GroupGrant) -> Any:
        return row.grant.revoked_at


class PersonInGroupAdmin(ReadOnlyAdmin):
    """Numbers are masked in the list; a whole number still finds its person."""

    list_select_related = ["group", "person"]
    search_fields = ["group__name", "person__name", "person__number__exact"]

    @admin.display(description=_("phone number"))
    def number(self, row: Membership | Subscription) -> str:
        return phone_numbers.mask(row.person.number)


@admin.register(Membership, site=site)
class MembershipAdmin(PersonInGroupAdmin):
    list_display = ["group", "person", "number", "role", "joined_at"]
    list_filter = ["role"]


@admin.register(Subscription, site=site)
class SubscriptionAdmin(PersonInGroupAdmin):
    list_display = ["group", "person", "number", "subscribed_at"]


@admin.register(Message, site=site)
class MessageAdmin(ReadOnlyAdmin):
    """That something was posted, by whom and through what. What it says is for the group, not for operators."""

    list_display = ["id", "group", "person", "connector", "audience", "sent_at"]
    list_filter = ["audience"]
    list_select_related = ["group", "person", "connector"]
    search_fields = ["id__exact", "group__name", "person__name", "connector__name"]
    exclude = ["text", "recipients"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        return super().get_queryset(request).defer("text")
