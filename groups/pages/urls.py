"""Addresses of the group pages. No credential ever stands in one."""

from django.urls import path

from groups.pages import (
    activity,
    connectors,
    create,
    directory,
    grant_states,
    grants,
    lists,
    messages,
    requests,
    sub_groups,
    users,
)

app_name = "groups"

ONE = "console/groups/<uuid:group_id>/"
USER = f"{ONE}users/<uuid:person_id>/"
REQUEST = "console/requests/<uuid:request_id>/"
GRANT = f"{ONE}connectors/<uuid:grant_id>/"

urlpatterns = [
    path("console/groups/", lists.groups, name="list"),
    path("console/groups/requests/", requests.listing, name="requests"),
    path(REQUEST, requests.one, name="request"),
    path(f"{REQUEST}approve/", requests.approve, name="request_approve"),
    path(f"{REQUEST}refuse/", requests.refuse, name="request_refuse"),
    path("console/groups/create/", create.create, name="create"),
    path(ONE, users.users, name="details"),
    path(f"{ONE}users/add/", users.add, name="users_add"),
    path(f"{USER}role/", users.set_role, name="user_role"),
    path(f"{USER}remove/", users.remove, name="user_remove"),
    path(f"{ONE}sub-groups/", sub_groups.sub_groups, name="sub_groups"),
    path(f"{ONE}connectors/", connectors.connectors, name="connectors"),
    path(f"{ONE}connectors/add/", connectors.add, name="connector_add"),
    path(GRANT, grants.grant, name="grant"),
    path(f"{GRANT}show/", grants.show, name="grant_show"),
    path(f"{GRANT}show/download/", grants.show_download, name="grant_show_download"),
    path(f"{GRANT}show/done/", grants.show_done, name="grant_show_done"),
    path(f"{GRANT}regenerate/", grants.regenerate, name="grant_regenerate"),
    path(f"{GRANT}suspend/", grant_states.suspend, name="grant_suspend"),
    path(f"{GRANT}resume/", grant_states.resume, name="grant_resume"),
    path(f"{GRANT}remove/", grants.remove, name="grant_remove"),
    path(f"{ONE}messages/", messages.list_messages, name="messages"),
    path(f"{ONE}activity/", activity.activity, name="activity"),
    path("console/directory/", directory.directory, name="directory"),
]
