"""Groups on the operators' pages: to look things up. What changes a group is done in the console, by its admins."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.site import site
from groups.models import (
    Action,
    ArchivedMessage,
    BulkJob,
    BulkLine,
    Group,
    GroupBot,
    GroupChange,
    GroupCount,
    GroupGrant,
    GroupLink,
    MediaFile,
    MediaResource,
    MediaStore,
    Membership,
    Message,
    PersonAttribute,
    PersonAttributeValue,
    Reaction,
    Response,
    Subscription,
)
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


@admin.register(GroupCount, site=site)
class GroupCountAdmin(ReadOnlyAdmin):
    """What is kept; `manage.py recount_groups` counts it anew."""

    list_display = ["group", "level", "total", "unique", "total_unprovisioned"]
    list_select_related = ["group"]
    search_fields = ["group__name", "group__id__exact"]


@admin.register(GroupChange, site=site)
class GroupChangeAdmin(ReadOnlyAdmin):
    """Groups to be counted anew. Many of them for long mean that the worker does not run."""

    list_display = ["group", "id"]
    list_select_related = ["group"]
    search_fields = ["group__name", "group__id__exact"]


@admin.register(GroupGrant, site=site)
class GroupGrantAdmin(ReadOnlyAdmin):
    """Ending, suspending and resuming are actions on the grants themselves."""

    list_display = ["group", "connector", "granted_at", "revoked_at"]
    list_select_related = ["group", "grant__connector"]
    search_fields = ["group__name", "grant__connector__name", "grant__id__exact"]

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
    search_fields = ["group__name", "person__names__name", "person__number__exact"]

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
    search_fields = ["id__exact", "group__name", "person__names__name", "connector__name"]
    exclude = ["text", "recipients"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        return super().get_queryset(request).defer("text")


@admin.register(Action, site=site)
class ActionAdmin(ReadOnlyAdmin):
    """As for messages: not what a card says, nor to whom it was given."""

    list_display = ["id", "group", "kind", "package_id", "person", "connector", "response_count", "sent_at"]
    list_filter = ["kind", "audience", "is_anonymous"]
    list_select_related = ["group", "person", "connector"]
    search_fields = ["id__exact", "package_id", "group__name", "person__names__name", "connector__name"]
    exclude = ["title", "body", "recipients", "assignees"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Action]:
        return super().get_queryset(request).defer("title", "body")


@admin.register(Response, site=site)
class ResponseAdmin(ReadOnlyAdmin):
    """That something was answered. Of an anonymous card not even by whom: nobody knows."""

    list_display = ["id", "action", "person", "connector", "responded_at"]
    list_select_related = ["action", "person", "connector"]
    search_fields = ["id__exact", "action__id__exact", "action__group__name", "person__names__name"]
    exclude = ["body", "responder"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Response]:
        return super().get_queryset(request).defer("body", "responder")


@admin.register(Reaction, site=site)
class ReactionAdmin(ReadOnlyAdmin):
    """As for messages: not what a comment says."""

    list_display = ["id", "group", "reference_id", "reaction_type", "person", "bot", "modified_at"]
    list_filter = ["reaction_type"]
    list_select_related = ["group", "person", "bot"]
    search_fields = ["id__exact", "reference_id__exact", "group__name", "person__names__name"]
    exclude = ["comment"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reaction]:
        return super().get_queryset(request).defer("comment")


@admin.register(GroupBot, site=site)
class GroupBotAdmin(ReadOnlyAdmin):
    list_display = ["group", "bot", "connector", "added_at"]
    list_select_related = ["group", "bot__connector"]
    search_fields = ["group__name", "bot__name", "bot__id__exact"]

    @admin.display(description=_("connector"), ordering="bot__connector__name")
    def connector(self, row: GroupBot) -> Any:
        return row.bot.connector


@admin.register(MediaResource, site=site)
class MediaResourceAdmin(ReadOnlyAdmin):
    """Whose it is and whether it is used. What it shows is for the group, not for operators."""

    list_display = ["id", "kind", "organisation", "connector", "person", "created_at", "used_at"]
    list_filter = ["kind", ("used_at", admin.EmptyFieldListFilter), "organisation"]
    list_select_related = ["organisation", "connector", "person"]
    search_fields = ["id__exact", "connector__name", "person__names__name"]


@admin.register(MediaFile, site=site)
class MediaFileAdmin(ReadOnlyAdmin):
    """Names are for the group too; the key lets nobody in, and helps an operator to find a file that is lost."""

    list_display = ["id", "resource", "content_type", "size", "key"]
    list_select_related = ["resource"]
    search_fields = ["id__exact", "resource__id__exact", "key__exact", "sha256__exact"]
    exclude = ["name"]


@admin.register(MediaStore, site=site)
class MediaStoreAdmin(ReadOnlyAdmin):
    list_display = ["organisation", "bytes_used"]
    list_select_related = ["organisation"]
    search_fields = ["organisation__name"]


@admin.register(BulkJob, site=site)
class BulkJobAdmin(ReadOnlyAdmin):
    """How far files of many lines are. What stands in them is for whom they are about."""

    list_display = ["file_name", "kind", "state", "by", "total_lines", "done_lines", "created_at"]
    list_filter = ["kind", ("failed_at", admin.EmptyFieldListFilter), ("finished_at", admin.EmptyFieldListFilter)]
    list_select_related = ["by"]
    search_fields = ["file_name", "id__exact", "group__name", "by__name"]


@admin.register(BulkLine, site=site)
class BulkLineAdmin(ReadOnlyAdmin):
    """Which lines were passed by, and why; not what stands in them."""

    list_display = ["job", "line", "kind", "said"]
    list_filter = ["kind"]
    list_select_related = ["job"]
    search_fields = ["job__file_name", "job__id__exact"]
    exclude = ["text", "person", "wants"]


@admin.register(ArchivedMessage, site=site)
class ArchivedMessageAdmin(ReadOnlyAdmin):
    """That a message of an old tenant is there; whose and what it is, is for the organisation."""

    list_display = ["message_id", "organisation", "sent_at", "archived_at"]
    list_filter = ["organisation"]
    list_select_related = ["organisation"]
    search_fields = ["message_id__exact"]
    fields = ["message_id", "organisation", "sent_at", "job", "archived_at"]


@admin.register(PersonAttribute, site=site)
class PersonAttributeAdmin(ReadOnlyAdmin):
    list_display = ["name", "organisation", "position", "for_colleagues"]
    list_filter = ["organisation"]
    list_select_related = ["organisation"]
    search_fields = ["name"]
    ordering = ["position", "-pk"]  # there are few


@admin.register(PersonAttributeValue, site=site)
class PersonAttributeValueAdmin(ReadOnlyAdmin):
    """Who has a value. What it says is the organisation's own business."""

    list_display = ["attribute", "person"]
    list_select_related = ["attribute", "person"]
    search_fields = ["attribute__name", "person__names__name"]
    exclude = ["text"]
