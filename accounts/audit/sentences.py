"""What an audit row says to a person, in the reader's language.

A sentence may name `%(actor)s`, `%(subject)s` and anything that the act put into `after` or `before`.
What a row lacks is shown as an ellipsis: an old row must always be readable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.audit.tags import Tag
from accounts.models import AuditEvent

SENTENCES: dict[Tag, str | Promise] = {
    Tag.ORGANISATION_ADDED: _("The organisation “%(subject)s” was added, with its first sign-in."),
    Tag.ORGANISATION_CHANGED: _("%(actor)s changed the settings of the organisation “%(subject)s”."),
    Tag.USER_CREATED: _("%(subject)s signed in for the first time and got an account."),
    Tag.USER_CHANGED: _("The name or e-mail address of %(subject)s changed in Office365."),
    Tag.USER_ACTIVATED: _("%(actor)s let %(subject)s sign in again."),
    Tag.USER_DEACTIVATED: _("%(actor)s stopped %(subject)s from signing in."),
    Tag.USER_ROLES_CHANGED: _("%(actor)s changed the roles of %(subject)s."),
    Tag.SIGNED_IN: _("%(actor)s signed in."),
    Tag.SIGN_IN_REFUSED: _("%(subject)s tried to sign in and was refused: the account is deactivated."),
    Tag.CONFIRMED: _("%(actor)s confirmed who they are."),
    Tag.PERSON_RENAMED: _("%(actor)s changed the name of %(subject)s."),
    Tag.PIN_REQUESTED: _("%(actor)s asked for a PIN to %(number)s."),
    Tag.PIN_NOT_SENT: _("A PIN for %(actor)s could not be sent to %(number)s."),
    Tag.PIN_REFUSED: _("%(actor)s entered a wrong PIN for %(number)s."),
    Tag.PHONE_VERIFIED: _("%(actor)s verified the phone number %(number)s."),
    Tag.PHONE_HELD_ELSEWHERE: _("%(actor)s proved to hold %(number)s, which belongs to another account."),
    Tag.PHONE_RELEASED: _("%(actor)s removed the phone number %(number)s from the account."),
    Tag.PHONE_MADE_PRIMARY: _("%(actor)s made %(number)s the primary phone number."),
    Tag.CREDENTIALS_LOCKED: _(
        "The credentials of %(subject)s were locked for a time, because the number %(number)s was verified."
    ),
    Tag.CREDENTIALS_UNLOCKED: _("%(actor)s unlocked the credentials of %(subject)s before the time was over."),
    Tag.TOTP_ENROLLED: _("%(actor)s set up an authenticator app for the operators’ pages."),
    Tag.TOTP_REMOVED: _("%(actor)s removed the authenticator app of %(user)s."),
    Tag.TOTP_REFUSED: _("%(actor)s entered a wrong code of the authenticator app."),
    Tag.OPERATOR_ENTERED: _("%(actor)s entered the operators’ pages."),
    Tag.NOTICE_REQUEUED: _("%(actor)s had a notice sent again."),
    Tag.AUDIT_EXPORTED: _("%(actor)s exported the activity as a file."),
    Tag.CONNECTOR_CREATED: _("%(actor)s created the connector “%(subject)s”."),
    Tag.CONNECTOR_CHANGED: _("%(actor)s changed the connector “%(subject)s”."),
    Tag.CONNECTOR_DEACTIVATED: _(
        "%(actor)s deactivated the connector “%(subject)s”: no new grants, existing ones go on."
    ),
    Tag.CONNECTOR_REACTIVATED: _("%(actor)s reactivated the connector “%(subject)s”."),
    Tag.CONNECTOR_SUSPENDED: _("%(actor)s suspended the connector “%(subject)s”: all its tokens are refused."),
    Tag.CONNECTOR_RESUMED: _("%(actor)s resumed the connector “%(subject)s”."),
    Tag.CONNECTOR_DELETED: _("%(actor)s deleted the connector “%(subject)s” for good."),
    Tag.PERMISSIONS_CHANGED: _("%(actor)s changed what the connector “%(subject)s” asks to be allowed."),
    Tag.SECRET_CREATED: _("%(actor)s made a secret for the connector “%(connector)s”."),
    Tag.SECRET_VIEWED: _("%(actor)s had a secret of the connector “%(connector)s” shown once."),
    Tag.SECRET_REVOKED: _("%(actor)s revoked a secret of the connector “%(connector)s”."),
    Tag.KEY_REGISTERED: _("%(actor)s registered a public key for “%(connector)s”: %(fingerprint)s."),
    Tag.KEY_REMOVED: _("%(actor)s removed the public key of “%(connector)s”: %(fingerprint)s."),
    Tag.LEAK_REPORTED: _("%(actor)s reported a %(kind)s of “%(connector)s” as leaked: it is refused since."),
    Tag.LEAK_CONFIRMED: _("%(actor)s confirmed that a %(kind)s of “%(connector)s” had leaked, and revoked it."),
    Tag.LEAK_RESTORED: _("%(actor)s restored a %(kind)s of “%(connector)s” that was reported as leaked."),
    Tag.GRANT_MADE: _("%(actor)s let “%(connector)s” act in “%(target)s”."),
    Tag.GRANT_SUSPENDED: _("%(actor)s suspended what “%(connector)s” may do in “%(target)s”."),
    Tag.GRANT_RESUMED: _("%(actor)s resumed what “%(connector)s” may do in “%(target)s”."),
    Tag.GRANT_REVOKED: _("%(actor)s ended what “%(connector)s” may do for “%(target)s”."),
    Tag.GRANT_REGENERATED: _(
        "%(actor)s made a new refresh token of “%(connector)s” for “%(target)s”; the old one ended."
    ),
    Tag.GRANT_ENDED: _("The right of “%(connector)s” to act in “%(target)s” came to its end date."),
    Tag.GRANT_PERMISSIONS_CHANGED: _("%(actor)s changed what “%(connector)s” may do in “%(target)s”."),
    Tag.REQUEST_MADE: _("%(actor)s sent a request for “%(connector)s” to be answered by a group admin."),
    Tag.REQUEST_APPROVED: _("%(actor)s approved a request of “%(connector)s” for “%(target)s”."),
    Tag.REQUEST_REFUSED: _("%(actor)s refused a request of “%(connector)s” for “%(target)s”."),
    Tag.REQUEST_WITHDRAWN: _("A request of “%(connector)s” was withdrawn."),
    Tag.REQUEST_EXPIRED: _("Nobody answered a request of “%(connector)s” in time."),
    Tag.USER_TOKEN_MADE: _("%(actor)s let “%(connector)s” act for “%(target)s”."),
    Tag.USER_TOKEN_BY_PIN: _("“%(target)s” let “%(connector)s” act for them, by a PIN."),
    Tag.USER_TOKEN_BY_OAUTH: _("%(actor)s let “%(connector)s” act for “%(target)s”, in the browser."),
    Tag.USER_TOKEN_REPLAYED: _(
        "A sign-in code of “%(connector)s” for “%(target)s” came a second time; the token that it had made was ended."
    ),
    Tag.USER_TOKEN_ASKED: _("%(actor)s asked to let “%(connector)s” act for “%(target)s” in the whole organisation."),
    Tag.USER_TOKEN_CONFIRMED: _("%(actor)s confirmed that “%(connector)s” acts for “%(target)s”."),
    Tag.USER_TOKEN_REFUSED: _("%(actor)s refused that “%(connector)s” acts for “%(target)s”."),
    Tag.USER_TOKEN_WITHDRAWN: _("%(actor)s no longer wants “%(connector)s” to act for “%(target)s”."),
    Tag.USER_TOKEN_EXPIRED: _("Nobody confirmed in time that “%(connector)s” acts for “%(target)s”."),
    Tag.WARM_TOKEN_KEPT: _(
        "%(actor)s entrusted the credentials of “%(connector)s” for “%(target)s”, to keep an access token ready."
    ),
    Tag.WARM_TOKEN_STOPPED: _("%(actor)s stopped keeping an access token of “%(connector)s” for “%(target)s” ready."),
    Tag.WARM_TOKEN_REFUSED: _(
        "The Token Service refused the credentials that “%(connector)s” had entrusted for “%(target)s”; they were "
        "wiped."
    ),
    Tag.ORPHAN_FOUND: _("“%(name)s” was found to have nobody left here who looks after it."),
    Tag.TOKEN_FIRST_USED: _("“%(connector)s” used its refresh token for “%(target)s” for the first time."),
    Tag.TOKEN_SUCCEEDED: _(
        "A successor of the refresh token of “%(connector)s” for “%(target)s” was made; the old one works on."
    ),
    Tag.HANDOFF_SEALED: _("The refresh token of “%(connector)s” for “%(target)s” was sealed for its developer."),
    Tag.HANDOFF_CLAIMED: _("%(actor)s claimed the refresh token of “%(connector)s” for “%(target)s”."),
    Tag.HANDOFF_REVEALED: _("%(actor)s had the refresh token of “%(connector)s” for “%(target)s” shown once."),
    Tag.HANDOFF_REFUSED: _("%(actor)s refused the refresh token of “%(connector)s” for “%(target)s”."),
    Tag.HANDOFF_EXPIRED: _(
        "Nobody claimed the refresh token of “%(connector)s” for “%(target)s” in time; it was wiped."
    ),
    Tag.HANDOFF_WITHDRAWN: _(
        "The handoff of “%(connector)s” for “%(target)s” was withdrawn, and the sealed token wiped."
    ),
    Tag.HANDOFF_REISSUED: _("%(actor)s issued the handoff of “%(connector)s” for “%(target)s” again."),
    Tag.GROUP_CREATED: _("%(actor)s created the group “%(subject)s”."),
    Tag.GROUP_CHANGED: _("%(actor)s changed the group “%(subject)s”."),
    Tag.GROUP_REMOVED: _("%(actor)s removed the group “%(subject)s”."),
    Tag.MEMBER_ADDED: _("%(actor)s added %(subject)s to “%(group)s”."),
    Tag.MEMBER_ROLE_CHANGED: _("%(actor)s changed the role of %(subject)s in “%(group)s”."),
    Tag.MEMBER_REMOVED: _("%(actor)s removed %(subject)s from “%(group)s”."),
    Tag.SUBGROUP_LINKED: _("%(actor)s put “%(child_name)s” under “%(parent_name)s”."),
    Tag.SUBGROUP_UNLINKED: _("%(actor)s took “%(child_name)s” from under “%(parent_name)s”."),
    Tag.MESSAGE_POSTED: _("%(actor)s posted a message in “%(group)s”."),
    Tag.GROUP_CONNECTOR_ADDED: _("%(actor)s added the connector “%(connector)s” to “%(group)s”."),
    Tag.GROUP_CONNECTOR_REMOVED: _("%(actor)s removed the connector “%(connector)s” from “%(group)s”."),
}


class _Facts(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "…"


def sentence(event: AuditEvent) -> str:
    """What `event` says, in the active language. A tag of a later or earlier version reads as its name."""
    facts = _Facts(
        {
            **_plain(event.before),
            **_plain(event.after),
            "actor": event.actor_name or _("Somebody"),
            "subject": event.subject_name or event.subject_id,
        }
    )
    try:
        text = SENTENCES[Tag(event.tag)]
    except (KeyError, ValueError):
        return f"{facts['actor']}: {event.tag} ({facts['subject']})"
    return str(text) % facts


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if isinstance(value, str | int | float)}
