"""The name of everything that the audit trail can tell: `noun:noun:verb`, the verb in the past.

All apps' names stand here, so that a reader of the trail finds them in one place. Each needs a sentence in
`accounts/audit/sentences.py`; a test says which is missing.
"""

# ruff: noqa: S105 (SECRET and TOKEN name events here, not passwords)

from enum import StrEnum


class Tag(StrEnum):
    """Names are kept for ever once released: old rows carry them."""

    # Who
    ORGANISATION_ADDED = "organisation:tenant:added"
    ORGANISATION_CHANGED = "organisation:settings:changed"
    USER_CREATED = "user:account:created"
    USER_CHANGED = "user:account:changed"
    USER_ACTIVATED = "user:account:activated"
    USER_DEACTIVATED = "user:account:deactivated"
    USER_ROLES_CHANGED = "user:roles:changed"
    SIGNED_IN = "user:session:started"
    SIGN_IN_REFUSED = "user:session:refused"
    CONFIRMED = "user:confirmation:given"
    PERSON_RENAMED = "person:name:changed"
    PIN_REQUESTED = "phone:pin:requested"
    PIN_NOT_SENT = "phone:pin:failed"
    PIN_REFUSED = "phone:pin:refused"
    PHONE_VERIFIED = "phone:number:verified"
    PHONE_HELD_ELSEWHERE = "phone:number:refused"
    PHONE_RELEASED = "phone:number:released"
    PHONE_MADE_PRIMARY = "phone:primary:changed"
    TOTP_ENROLLED = "operator:totp:enrolled"
    TOTP_REMOVED = "operator:totp:removed"
    TOTP_REFUSED = "operator:totp:refused"
    OPERATOR_ENTERED = "operator:session:started"
    NOTICE_REQUEUED = "notice:mail:requeued"
    AUDIT_EXPORTED = "organisation:audit:exported"

    # With what right
    CONNECTOR_CREATED = "connector:account:created"
    CONNECTOR_CHANGED = "connector:details:changed"
    CONNECTOR_DEACTIVATED = "connector:account:deactivated"
    CONNECTOR_REACTIVATED = "connector:account:reactivated"
    CONNECTOR_SUSPENDED = "connector:account:suspended"
    CONNECTOR_RESUMED = "connector:account:resumed"
    CONNECTOR_DELETED = "connector:account:deleted"
    SECRET_CREATED = "connector:secret:created"
    SECRET_VIEWED = "connector:secret:viewed"
    SECRET_REVOKED = "connector:secret:revoked"
    GRANT_MADE = "grant:access:granted"
    GRANT_SUSPENDED = "grant:access:suspended"
    GRANT_RESUMED = "grant:access:resumed"
    GRANT_REVOKED = "grant:access:revoked"
    GRANT_REGENERATED = "grant:token:regenerated"
    GRANT_ENDED = "grant:access:ended"
    TOKEN_FIRST_USED = "grant:token:used"
    TOKEN_SUCCEEDED = "grant:token:succeeded"
    HANDOFF_SEALED = "handoff:token:sealed"
    HANDOFF_CLAIMED = "handoff:token:claimed"
    HANDOFF_REVEALED = "handoff:token:revealed"
    HANDOFF_REFUSED = "handoff:token:refused"
    HANDOFF_EXPIRED = "handoff:token:expired"
    HANDOFF_WITHDRAWN = "handoff:token:withdrawn"
    HANDOFF_REISSUED = "handoff:token:reissued"

    # On what
    GROUP_CREATED = "group:account:created"
    GROUP_CHANGED = "group:details:changed"
    GROUP_REMOVED = "group:account:removed"
    MEMBER_ADDED = "group:member:added"
    MEMBER_ROLE_CHANGED = "group:member:changed"
    MEMBER_REMOVED = "group:member:removed"
    SUBGROUP_LINKED = "group:subgroup:linked"
    SUBGROUP_UNLINKED = "group:subgroup:unlinked"
    MESSAGE_POSTED = "group:message:posted"
    GROUP_CONNECTOR_ADDED = "group:connector:added"
    GROUP_CONNECTOR_REMOVED = "group:connector:removed"
