"""Addresses of the group pages. No credential ever stands in one."""

from django.urls import path

from groups.views import (
    access_requests,
    actions,
    archive,
    bots,
    bulk,
    connectors,
    directory,
    grants,
    groups,
    messages,
    policies,
    reactions,
    sub_groups,
    subscribers,
    users,
)

app_name = "groups"

ONE = "console/groups/<uuid:group_id>/"
USER = f"{ONE}users/<uuid:person_id>/"
SUB_GROUP = f"{ONE}sub-groups/<uuid:sub_group_id>/"
REQUEST = "console/requests/<uuid:request_id>/"
BULK = "console/bulk/<uuid:job_id>/"
ACTION = f"{ONE}actions/<uuid:action_id>/"
REACTIONS = f"{ONE}reactions/<uuid:reference_id>/"
PERSON = "console/directory/<uuid:person_id>/"
ORGANISATION = "console/organisation/"
ATTRIBUTE = f"{ORGANISATION}attributes/<uuid:attribute_id>/"
GRANT = f"{ONE}connectors/<uuid:grant_id>/"

urlpatterns = [
    path("console/groups/", groups.group_list, name="list"),
    path("console/groups/requests/", access_requests.listing, name="requests"),
    path(f"{ORGANISATION}ending/", grants.ending, name="ending"),
    path("console/groups/requests/several/", access_requests.several, name="requests_several"),
    path(REQUEST, access_requests.one, name="request"),
    path(f"{REQUEST}approve/", access_requests.approve, name="request_approve"),
    path(f"{REQUEST}refuse/", access_requests.refuse, name="request_refuse"),
    path("console/groups/create/", groups.create, name="create"),
    path(ONE, users.users, name="details"),
    path(f"{ONE}users/add/", users.add, name="users_add"),
    path(f"{ONE}users/several/", users.several, name="users_several"),
    path(f"{USER}role/", users.set_role, name="user_role"),
    path(f"{USER}remove/", users.remove, name="user_remove"),
    path(f"{ONE}subscribers/add/", subscribers.add, name="subscribers_add"),
    path(f"{ONE}subscribers/<uuid:person_id>/remove/", subscribers.remove, name="subscriber_remove"),
    path(f"{ONE}sub-groups/", sub_groups.sub_groups, name="sub_groups"),
    path(f"{ONE}sub-groups/attach/", sub_groups.find, name="sub_group_find"),
    path(f"{SUB_GROUP}attach/", sub_groups.attach, name="sub_group_attach"),
    path(f"{SUB_GROUP}detach/", sub_groups.detach, name="sub_group_detach"),
    path(f"{ONE}connectors/", connectors.connectors, name="connectors"),
    path(f"{ONE}connectors/add/", connectors.add, name="connector_add"),
    path(f"{ONE}bots/add/", bots.add, name="bot_add"),
    path(f"{ONE}bots/<uuid:bot_id>/remove/", bots.remove, name="bot_remove"),
    path(GRANT, grants.grant, name="grant"),
    path(f"{GRANT}show/", grants.show, name="grant_show"),
    path(f"{GRANT}show/download/", grants.show_download, name="grant_show_download"),
    path(f"{GRANT}show/done/", grants.show_done, name="grant_show_done"),
    path(f"{GRANT}regenerate/", grants.regenerate, name="grant_regenerate"),
    path(f"{GRANT}suspend/", grants.suspend, name="grant_suspend"),
    path(f"{GRANT}resume/", grants.resume, name="grant_resume"),
    path(f"{GRANT}end-date/", grants.end_date, name="grant_end_date"),
    path(f"{GRANT}remove/", grants.remove, name="grant_remove"),
    path(f"{ONE}messages/", messages.list_messages, name="messages"),
    path(f"{ONE}messages/poll/", messages.post_poll, name="poll_post"),
    path(f"{ONE}messages/announcement/", messages.post_announcement, name="announcement_post"),
    path(f"{ONE}messages/files/", messages.post_files, name="files_post"),
    path(REACTIONS, reactions.reactions, name="reactions"),
    path(f"{REACTIONS}like/", reactions.like, name="like"),
    path(ACTION, actions.action, name="action"),
    path(f"{ACTION}answers.csv", actions.export, name="action_export"),
    path(f"{ONE}policies/", policies.details, name="policies"),
    path(f"{ONE}policies/rules/", policies.rules, name="policies_rules"),
    path(f"{ONE}remove/", policies.remove, name="group_remove"),
    path(f"{ONE}activity/", groups.activity, name="activity"),
    path(f"{ORGANISATION}archive/", archive.archive, name="archive"),
    path(f"{ORGANISATION}archive/import/", archive.import_file, name="archive_import"),
    path(f"{ORGANISATION}archive/import/<uuid:job_id>/columns/", archive.columns, name="archive_columns"),
    path(f"{ONE}bulk/", bulk.users, name="bulk"),
    path(f"{ONE}bulk/export/", bulk.export_users, name="bulk_export"),
    path(f"{ORGANISATION}parent-groups/", bulk.mapping, name="mapping"),
    path(f"{ORGANISATION}parent-groups/export/", bulk.export_mapping, name="mapping_export"),
    path("console/bulk/templates/<str:kind>.csv", bulk.template, name="bulk_template"),
    path(BULK, bulk.job, name="bulk_job"),
    path(f"{BULK}go/", bulk.go_on, name="bulk_go"),
    path(f"{BULK}cancel/", bulk.cancel, name="bulk_cancel"),
    path(f"{BULK}file/", bulk.file, name="bulk_file"),
    path(f"{BULK}log/", bulk.log, name="bulk_log"),
    path(f"{BULK}bad-lines/", bulk.problems, name="bulk_problems"),
    path("console/directory/", directory.directory_list, name="directory"),
    path(f"{ORGANISATION}attributes/", directory.attributes, name="attributes"),
    path(ATTRIBUTE, directory.attribute, name="attribute"),
    path(f"{ATTRIBUTE}up/", directory.move_up, name="attribute_up"),
    path(f"{ATTRIBUTE}remove/", directory.remove_attribute, name="attribute_remove"),
    path(f"{ORGANISATION}people/", directory.upload, name="people_upload"),
    path(f"{ORGANISATION}people/export/", directory.export, name="people_export"),
    path(PERSON, directory.person, name="person"),
    path(f"{PERSON}attributes/", directory.save_attributes, name="person_attributes"),
    path(f"{PERSON}remove/", directory.remove, name="person_remove"),
]
