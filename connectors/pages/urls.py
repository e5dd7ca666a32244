"""Addresses of the connector pages. No credential ever stands in one."""

from django.urls import path

from connectors.pages import (
    activity,
    changes,
    create,
    credentials,
    details,
    grants,
    handoffs,
    inspector,
    keys,
    lists,
    oauth,
    permissions,
    requests,
    shown,
    sign_in,
    states,
)

app_name = "connectors"

ONE = "console/connectors/<uuid:connector_id>/"
HANDOFF = "console/handoffs/<uuid:handoff_id>/"

urlpatterns = [
    path("console/connectors/", lists.connectors, name="list"),
    path("console/connectors/add/", create.details, name="create"),
    path("console/connectors/add/permissions/", create.permissions, name="create_permissions"),
    path("console/connectors/inspector/", inspector.inspector, name="inspector"),
    path(ONE, details.overview, name="details"),
    path(f"{ONE}change/", changes.change, name="change"),
    path(f"{ONE}credentials/", credentials.credentials, name="credentials"),
    path(f"{ONE}credentials/add/", credentials.add, name="secret_add"),
    path(f"{ONE}credentials/<int:secret_id>/revoke/", credentials.revoke, name="secret_revoke"),
    path(f"{ONE}keys/", keys.overview, name="keys"),
    path(f"{ONE}keys/add/", keys.add, name="key_add"),
    path(f"{ONE}keys/<int:key_id>/remove/", keys.remove, name="key_remove"),
    path(f"{ONE}groups/", grants.grants, name="groups"),
    path(f"{ONE}permissions/", permissions.change, name="permissions"),
    path(f"{ONE}requests/", requests.listing, name="requests"),
    path(f"{ONE}requests/send/", requests.send, name="request_send"),
    path(f"{ONE}requests/<uuid:request_id>/", requests.one, name="request"),
    path(f"{ONE}requests/<uuid:request_id>/withdraw/", requests.withdraw, name="request_withdraw"),
    path("api/oauth/authorize", oauth.authorize, name="authorize"),
    path("console/consent/<str:consent_id>/", oauth.consent, name="consent"),
    path(f"{ONE}sign-in/", sign_in.sign_in, name="sign_in"),
    path(f"{ONE}activity/", activity.activity, name="activity"),
    path(f"{ONE}state/<slug:verb>/", states.change_state, name="change_state"),
    path(f"{ONE}secret/download/", shown.connector_download, name="connector_download"),
    path(f"{ONE}secret/done/", shown.connector_done, name="connector_done"),
    path(f"{ONE}credentials/<int:secret_id>/download/", shown.secret_download, name="secret_download"),
    path(f"{ONE}credentials/<int:secret_id>/done/", shown.secret_done, name="secret_done"),
    path("console/handoffs/", handoffs.inbox, name="handoffs"),
    path(HANDOFF, handoffs.handoff, name="handoff"),
    path(f"{HANDOFF}claim/", handoffs.claim, name="handoff_claim"),
    path(f"{HANDOFF}refuse/", handoffs.refuse, name="handoff_refuse"),
    path(f"{HANDOFF}reissue/", handoffs.reissue, name="handoff_reissue"),
    path(f"{HANDOFF}download/", shown.handoff_download, name="handoff_download"),
    path(f"{HANDOFF}done/", shown.handoff_done, name="handoff_done"),
]
