"""The table of contents of the Platform Service (wire protocol §6). Segments match in any case, with or without /v1."""

from django.urls import path

from groups.platform_service import groups, members, messages, users

urlpatterns = [
    path("v1/groups", groups.groups),
    path("v1/groups/<group_id>", groups.group),
    path("v1/groups/<group_id>/members", members.members),
    path("v1/groups/<group_id>/messages", messages.messages),
    path("v1/users/me", users.me),
]
