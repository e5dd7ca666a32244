"""What an audit row says to a person, in the reader's language.

A sentence may name `%(actor)s`, `%(subject)s` and anything that the act put into `after` or `before`.
What a row lacks is shown as an ellipsis: an old row must always be readable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from django.apps import apps
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.audit.events import EventType
from accounts.models import AuditEvent

SENTENCES: dict[EventType, str | Promise] = {
    EventType.ORGANISATION_ADDED: _("The organisation “%(subject)s” was added at its first sign-in."),
    EventType.ORGANISATION_CHANGED: _("%(actor)s changed the settings of the organisation “%(subject)s”."),
    EventType.USER_CREATED: _("%(subject)s signed in for the first time."),
    EventType.USER_CHANGED: _("The name or e-mail address of %(subject)s changed in Office365."),
    EventType.USER_ACTIVATED: _("%(actor)s reactivated the account of %(subject)s."),
    EventType.USER_DEACTIVATED: _("%(actor)s deactivated the account of %(subject)s."),
    EventType.USER_ROLES_CHANGED: _("%(actor)s changed the roles of %(subject)s."),
    EventType.SIGNED_IN: _("%(actor)s signed in."),
    EventType.SESSION_ENDED: _("%(actor)s signed out of %(sessions)s other sessions."),
    EventType.SIGN_IN_REFUSED: _("%(subject)s could not sign in: the account is deactivated."),
    EventType.CONFIRMED: _("%(actor)s confirmed their identity."),
    EventType.PERSON_RENAMED: _("%(actor)s changed the name of %(subject)s."),
    EventType.PERSON_PICTURE_CHANGED: _("%(actor)s changed the picture of %(subject)s."),
    EventType.PIN_REQUESTED: _("%(actor)s requested a PIN to %(number)s."),
    EventType.PIN_NOT_SENT: _("A PIN for %(actor)s could not be sent to %(number)s."),
    EventType.PIN_REFUSED: _("%(actor)s entered a wrong PIN for %(number)s."),
    EventType.PHONE_VERIFIED: _("%(actor)s verified the phone number %(number)s."),
    EventType.PHONE_HELD_ELSEWHERE: _("%(actor)s proved that they have %(number)s, which belongs to another account."),
    EventType.PHONE_RELEASED: _("%(actor)s removed the phone number %(number)s from the account."),
    EventType.PHONE_MADE_PRIMARY: _("%(actor)s made %(number)s the primary phone number."),
    EventType.CREDENTIALS_LOCKED: _("The credentials of %(subject)s were locked because %(number)s was verified."),
    EventType.CREDENTIALS_UNLOCKED: _("%(actor)s unlocked the credentials of %(subject)s."),
    EventType.TOTP_ENROLLED: _("%(actor)s set up an authenticator app."),
    EventType.TOTP_REMOVED: _("%(actor)s removed the authenticator app of %(user)s."),
    EventType.TOTP_REFUSED: _("%(actor)s entered a wrong authenticator code."),
    EventType.OPERATOR_ENTERED: _("%(actor)s opened the operators’ pages."),
    EventType.NOTICE_REQUEUED: _("%(actor)s resent a notice."),
    EventType.AUDIT_EXPORTED: _("%(actor)s exported the activity."),
    EventType.AUDIT_PRUNED: _("Old audit events were deleted: %(events)s."),
    EventType.CONNECTOR_CREATED: _("%(actor)s created the connector “%(subject)s”."),
    EventType.CONNECTOR_CHANGED: _("%(actor)s changed the connector “%(subject)s”."),
    EventType.CONNECTOR_DEACTIVATED: _(
        "%(actor)s deactivated the connector “%(subject)s”: no new groups, existing access continues."
    ),
    EventType.CONNECTOR_REACTIVATED: _("%(actor)s reactivated the connector “%(subject)s”."),
    EventType.CONNECTOR_SUSPENDED: _("%(actor)s suspended the connector “%(subject)s”: all its tokens are refused."),
    EventType.CONNECTOR_RESUMED: _("%(actor)s resumed the connector “%(subject)s”."),
    EventType.CONNECTOR_DELETED: _("%(actor)s deleted the connector “%(subject)s”."),
    EventType.PERMISSIONS_CHANGED: _("%(actor)s changed the permissions of the connector “%(subject)s”."),
    EventType.OWNER_CHANGED: _("%(actor)s made %(owner)s the owner of the connector “%(subject)s”."),
    EventType.CO_OWNER_ADDED: _("%(actor)s made %(user)s a co-owner of the connector “%(subject)s”."),
    EventType.CO_OWNER_REMOVED: _("%(actor)s removed %(user)s from the co-owners of the connector “%(subject)s”."),
    EventType.SECRET_CREATED: _("%(actor)s created a secret for the connector “%(connector)s”."),
    EventType.SECRET_VIEWED: _("%(actor)s viewed or downloaded a new secret of the connector “%(connector)s” again."),
    EventType.SECRET_END_CHANGED: _("%(actor)s changed the end date of a secret of the connector “%(connector)s”."),
    EventType.SECRET_REVOKED: _("%(actor)s revoked a secret of the connector “%(connector)s”."),
    EventType.WRONG_SECRETS: _("“%(connector)s” got more than %(count)s calls with a wrong secret in an hour."),
    EventType.KEY_REGISTERED: _("%(actor)s registered a public key for “%(connector)s”: %(fingerprint)s."),
    EventType.KEY_REMOVED: _("%(actor)s removed the public key of “%(connector)s”: %(fingerprint)s."),
    EventType.BOT_CREATED: _("%(actor)s created the bot “%(bot)s” of “%(connector)s”."),
    EventType.BOT_CHANGED: _("%(actor)s changed the bot “%(bot)s” of “%(connector)s”."),
    EventType.BOT_REMOVED: _("%(actor)s deleted the bot “%(bot)s” of “%(connector)s”."),
    EventType.LEAK_REPORTED: _(
        "%(actor)s reported a %(kind)s of “%(connector)s” as leaked. It is refused until the owner answers."
    ),
    EventType.LEAK_CONFIRMED: _("%(actor)s confirmed that a %(kind)s of “%(connector)s” had leaked, and revoked it."),
    EventType.LEAK_RESTORED: _("%(actor)s restored a %(kind)s of “%(connector)s” that was reported as leaked."),
    EventType.GRANT_MADE: _("%(actor)s added “%(connector)s” to “%(target)s”."),
    EventType.GRANT_SUSPENDED: _("%(actor)s suspended the access of “%(connector)s” to “%(target)s”."),
    EventType.GRANT_RESUMED: _("%(actor)s resumed the access of “%(connector)s” to “%(target)s”."),
    EventType.GRANT_REVOKED: _("%(actor)s removed the access of “%(connector)s” to “%(target)s”."),
    EventType.GRANT_REGENERATED: _("%(actor)s regenerated the refresh token of “%(connector)s” for “%(target)s”."),
    EventType.GRANT_ENDED: _("The access of “%(connector)s” to “%(target)s” ended on its end date."),
    EventType.GRANT_END_CHANGED: _("%(actor)s changed the end date of “%(connector)s” in “%(target)s”."),
    EventType.GRANT_PERMISSIONS_CHANGED: _("%(actor)s changed the permissions of “%(connector)s” in “%(target)s”."),
    EventType.REQUEST_MADE: _("%(actor)s sent a request for “%(connector)s” to the group admins."),
    EventType.REQUEST_APPROVED: _("%(actor)s approved a request of “%(connector)s” for “%(target)s”."),
    EventType.REQUEST_REFUSED: _("%(actor)s refused a request of “%(connector)s” for “%(target)s”."),
    EventType.REQUEST_WITHDRAWN: _("A request of “%(connector)s” was withdrawn."),
    EventType.REQUEST_EXPIRED: _("A request of “%(connector)s” expired."),
    EventType.USER_TOKEN_MADE: _("%(actor)s allowed “%(connector)s” to act for “%(target)s”."),
    EventType.USER_TOKEN_BY_PIN: _("“%(target)s” allowed “%(connector)s” to act for them with a PIN."),
    EventType.USER_TOKEN_BY_OAUTH: _("%(actor)s allowed “%(connector)s” to act for “%(target)s” in the browser."),
    EventType.USER_TOKEN_REPLAYED: _(
        "A sign-in code of “%(connector)s” for “%(target)s” was used twice; its token was revoked."
    ),
    EventType.USER_TOKEN_ASKED: _(
        "%(actor)s requested that “%(connector)s” acts for “%(target)s” in the whole organisation."
    ),
    EventType.USER_TOKEN_CONFIRMED: _("%(actor)s confirmed that “%(connector)s” acts for “%(target)s”."),
    EventType.USER_TOKEN_REFUSED: _("%(actor)s refused to let “%(connector)s” act for “%(target)s”."),
    EventType.USER_TOKEN_WITHDRAWN: _("%(actor)s withdrew the request that “%(connector)s” acts for “%(target)s”."),
    EventType.USER_TOKEN_EXPIRED: _("The request that “%(connector)s” acts for “%(target)s” expired."),
    EventType.CACHED_TOKEN_KEPT: _(
        "%(actor)s stored credentials of “%(connector)s” for “%(target)s”, to keep an access token ready."
    ),
    EventType.CACHED_TOKEN_STOPPED: _(
        "%(actor)s stopped keeping an access token of “%(connector)s” for “%(target)s” ready."
    ),
    EventType.CACHED_TOKEN_REFUSED: _(
        "The Token Service refused the stored credentials of “%(connector)s” for “%(target)s”; they were deleted."
    ),
    EventType.ORPHAN_FOUND: _("“%(name)s” has no active owner or admin."),
    EventType.TOKEN_FIRST_USED: _("“%(connector)s” used its refresh token for “%(target)s” for the first time."),
    EventType.TOKEN_SUCCEEDED: _(
        "The next refresh token of “%(connector)s” for “%(target)s” was created; the old one still works."
    ),
    EventType.HANDOFF_SEALED: _("The refresh token of “%(connector)s” for “%(target)s” was sealed for its developer."),
    EventType.HANDOFF_CLAIMED: _("%(actor)s claimed the refresh token of “%(connector)s” for “%(target)s”."),
    EventType.HANDOFF_REVEALED: _("%(actor)s viewed the refresh token of “%(connector)s” for “%(target)s”."),
    EventType.HANDOFF_REFUSED: _("%(actor)s refused the refresh token of “%(connector)s” for “%(target)s”."),
    EventType.HANDOFF_EXPIRED: _("The handoff of “%(connector)s” for “%(target)s” expired; its token was deleted."),
    EventType.HANDOFF_REISSUED: _("%(actor)s regenerated the handoff of “%(connector)s” for “%(target)s”."),
    EventType.WEBHOOK_CREATED: _("%(actor)s created a webhook of “%(connector)s” to %(host)s."),
    EventType.WEBHOOK_CHANGED: _("%(actor)s changed a webhook of “%(connector)s” to %(host)s."),
    EventType.WEBHOOK_PAUSED: _("%(actor)s paused a webhook of “%(connector)s” to %(host)s."),
    EventType.WEBHOOK_WOKEN: _("%(actor)s resumed a webhook of “%(connector)s” to %(host)s."),
    EventType.WEBHOOK_ENDED: _("A webhook of “%(connector)s” to %(host)s stopped."),
    EventType.WEBHOOK_REMOVED: _("%(actor)s removed a webhook of “%(connector)s” to %(host)s."),
    EventType.WEBHOOK_SECRET_VIEWED: _("%(actor)s viewed the signing secret of a webhook of “%(connector)s”."),
    EventType.WEBHOOK_SECRET_ROTATED: _("%(actor)s regenerated the signing secret of a webhook of “%(connector)s”."),
    EventType.WEBHOOK_REDELIVERED: _("%(actor)s redelivered %(count)s deliveries of a webhook of “%(connector)s”."),
    EventType.WEBHOOK_REPLAYED: _(
        "%(actor)s redelivered %(count)s deliveries of a webhook of “%(connector)s” since %(since)s."
    ),
    EventType.GROUP_CREATED: _("%(actor)s created the group “%(subject)s”."),
    EventType.GROUP_CHANGED: _("%(actor)s changed the group “%(subject)s”."),
    EventType.GROUP_REMOVED: _("%(actor)s deleted the group “%(subject)s”."),
    EventType.MEMBER_ADDED: _("%(actor)s added %(subject)s to “%(group)s”."),
    EventType.MEMBER_ROLE_CHANGED: _("%(actor)s changed the role of %(subject)s in “%(group)s”."),
    EventType.MEMBER_REMOVED: _("%(actor)s removed %(subject)s from “%(group)s”."),
    EventType.SUBSCRIBERS_ADDED: _("%(actor)s added %(count)s subscribers to “%(group)s”."),
    EventType.SUBSCRIBERS_REMOVED: _("%(actor)s removed %(count)s subscribers from “%(group)s”."),
    EventType.SUBGROUP_LINKED: _("%(actor)s attached “%(child_name)s” to “%(parent_name)s”."),
    EventType.SUBGROUP_UNLINKED: _("%(actor)s detached “%(child_name)s” from “%(parent_name)s”."),
    EventType.MEMBERS_UPLOADED: _(
        "%(actor)s changed users of “%(group)s” with lines %(first)s to %(last)s of “%(subject)s”."
    ),
    EventType.MEMBERS_EXPORTED: _("%(actor)s exported the users of “%(subject)s”."),
    EventType.PEOPLE_UPLOADED: _(
        "%(actor)s changed names and attributes of people with lines %(first)s to %(last)s of “%(subject)s”."
    ),
    EventType.PEOPLE_EXPORTED: _("%(actor)s exported the people of “%(subject)s”."),
    EventType.PERSON_REMOVED: _("%(actor)s removed %(subject)s from all groups of “%(organisation)s”: %(groups)s."),
    EventType.ATTRIBUTES_DEFINED: _("%(actor)s changed the attributes that “%(organisation)s” uses: %(attribute)s."),
    EventType.ATTRIBUTES_SET: _("%(actor)s changed attributes of %(subject)s: %(attributes)s."),
    EventType.SUBGROUPS_UPLOADED: _(
        "%(actor)s changed parent groups with lines %(first)s to %(last)s of “%(subject)s”."
    ),
    EventType.SUBGROUPS_EXPORTED: _("%(actor)s exported the parent groups of “%(subject)s”."),
    EventType.BULK_UPLOADED: _("%(actor)s uploaded the file “%(subject)s”."),
    EventType.BULK_STARTED: _("%(actor)s started the import of “%(subject)s”."),
    EventType.BULK_CANCELLED: _("%(actor)s cancelled the upload “%(subject)s”."),
    EventType.BULK_FINISHED: _("The upload “%(subject)s” of %(actor)s finished."),
    EventType.BULK_FAILED: _("The upload “%(subject)s” of %(actor)s failed."),
    EventType.ACTION_CHANGED: _("%(actor)s changed properties of an action (%(kind)s) in “%(group)s”."),
    EventType.RESPONSES_EXPORTED: _("%(actor)s exported the answers to an action (%(kind)s) in “%(group)s”."),
    EventType.MEDIA_UPLOADED: _("%(actor)s uploaded media (%(kind)s): %(files)s files, %(bytes)s bytes."),
    EventType.MEDIA_DELETED: _("Unused media (%(kind)s) was deleted: %(files)s files."),
    EventType.GROUP_BOT_ADDED: _("%(actor)s added the bot “%(bot)s” to “%(group)s”."),
    EventType.GROUP_BOT_REMOVED: _("%(actor)s removed the bot “%(bot)s” from “%(group)s”."),
}


# The same where the first line is the last.
_OF_ONE_LINE: dict[EventType, str | Promise] = {
    EventType.MEMBERS_UPLOADED: _("%(actor)s changed users of “%(group)s” with line %(first)s of “%(subject)s”."),
    EventType.PEOPLE_UPLOADED: _(
        "%(actor)s changed names and attributes of people with line %(first)s of “%(subject)s”."
    ),
    EventType.SUBGROUPS_UPLOADED: _("%(actor)s changed parent groups with line %(first)s of “%(subject)s”."),
}
# The same of one thing.
_OF_ONE: dict[EventType, str | Promise] = {
    EventType.SUBSCRIBERS_ADDED: _("%(actor)s added a subscriber to “%(group)s”."),
    EventType.SUBSCRIBERS_REMOVED: _("%(actor)s removed a subscriber from “%(group)s”."),
    EventType.WEBHOOK_REDELIVERED: _("%(actor)s redelivered a delivery of a webhook of “%(connector)s”."),
}
# Kinds of cards as the wire spells them, and of credentials: what programs invent beside these is called as it is.
_KINDS: dict[Any, Promise] = {
    "Announcement": _("announcement"),
    "Job": _("job"),
    "Poll": _("poll"),
    "LetsMeet": _("meeting"),
    "Survey": _("survey"),
    "secret": _("secret"),
    "refresh token": _("refresh token"),
    "access token": _("access token"),
}


_PLACEHOLDER: Final = re.compile(r"%\((\w+)\)s")


class _Facts(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "…"


def sentence(event: AuditEvent) -> str:
    """What `event` says, in the active language. A tag of a later or earlier version reads as its name."""
    facts = _Facts(
        {
            **_plain(event.before),
            **_plain(event.after),
            "actor": actor(event),
            "subject": event.subject_name or event.subject_id,
        }
    )
    facts["kind"] = _KINDS.get(facts["kind"], facts["kind"])
    try:
        text = SENTENCES[EventType(event.tag)]
    except (KeyError, ValueError):
        return f"{facts['actor']}: {event.tag} ({facts['subject']})"
    if facts["first"] == facts["last"]:
        text = _OF_ONE_LINE.get(EventType(event.tag), text)
    if facts["count"] == 1:
        text = _OF_ONE.get(EventType(event.tag), text)
    return str(text) % facts


def extract_names(tag: EventType, columns: Mapping[str, Any]) -> str:
    """Return who acted, on what, and what else the sentence names, one name a line, to search in."""
    facts = {
        **_plain(columns["before"]),
        **_plain(columns["after"]),
        "actor": columns["actor_name"],
        "subject": columns["subject_name"],
    }
    named = ["actor", "subject", *_PLACEHOLDER.findall(str(SENTENCES[tag]))]
    return "\n".join(dict.fromkeys(facts[name] for name in named if isinstance(facts.get(name), str)))


def actor(event: AuditEvent) -> str:
    """Who acted; one that nobody knows is called so in the reader's language, not in that of the moment."""
    if event.actor_kind == "finder":
        return str(_("Someone who found it"))
    return event.actor_name or str(_("Someone"))


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if isinstance(value, str | int | float)}


FIELDS: Final[Mapping[str, Promise]] = {
    "added": _("Added"),
    "address": pgettext_lazy("network address", "From"),
    "admin": pgettext_lazy("role in a group", "Admin"),
    "admins_may_see_tokens": _("Admins can view tokens"),
    "archived": _("Archived"),
    "attribute": _("Attribute"),
    "attributes": _("Attributes"),
    "bad": _("Bad lines"),
    "bot": _("Bot"),
    "by": _("Confirmed with"),
    "by_link": _("Requested by link"),
    "bytes": _("Size in bytes"),
    "changed": _("Changed"),
    "child": _("ID of the sub-group"),
    "child_name": _("Sub-group"),
    "connector": _("Connector"),
    "count": pgettext_lazy("how many", "Number"),
    "curve": _("Curve"),
    "description": _("Description"),
    "done_lines": _("Lines done"),
    "email": _("E-mail"),
    "ends_at": _("End date"),
    "events": _("Events"),
    "fields": _("Changed"),
    "files": _("Files"),
    "filters": _("Filters"),
    "fingerprint": _("Fingerprint"),
    "first": _("First line"),
    "for_colleagues": _("Colleagues may see it"),
    "format": _("Format"),
    "given": _("Given"),
    "grants": _("Access removed"),
    "grants_ended": _("Access removed"),
    "group": _("Group"),
    "groups": _("Groups"),
    "handoff": _("Handoff"),
    "handoffs_withdrawn": _("Handoffs withdrawn"),
    "home_page": _("Home page"),
    "host": _("Sends to"),
    "image_url": _("Picture"),
    "is_organisation_admin": _("Organisation admin"),
    "is_staff": _("Operator"),
    "kind": _("Kind"),
    "last": _("Last line"),
    "leaked": _("Leaked"),
    "lines": _("Lines"),
    "linked": _("Linked"),
    "links_ended": _("Links removed"),
    "logo": _("Logo"),
    "members_see_members": _("Members see each other"),
    "moved_to": _("New address"),
    "name": _("Name"),
    "names_kept": _("Names unchanged"),
    "noted": _("Attributes changed"),
    "number": pgettext_lazy("of a phone", "Number"),
    "object": _("Events in"),
    "only_admins_post": _("Only admins post"),
    "organisation": _("Organisation"),
    "owner": _("Owner"),
    "parent": _("ID of the parent group"),
    "parent_name": _("Parent group"),
    "people": _("People"),
    "permissions": _("Permissions"),
    "picture": _("Picture"),
    "picture_url": _("Picture"),
    "pkce_required": _("PKCE required"),
    "position": pgettext_lazy("in a list", "Position"),
    "present": _("Already there"),
    "properties": _("Properties"),
    "public_part": _("Public part"),
    "purpose": _("Purpose"),
    "reason": _("Reason"),
    "redirect_urls": _("Redirect URLs"),
    "refused": _("Refused"),
    "removed": _("Removed"),
    "renamed": _("Renamed"),
    "role": _("Role"),
    "roles": _("Roles changed"),
    "scope": _("Scopes"),
    "sealed_to": _("Sealed to the key"),
    "sessions": _("Sessions"),
    "sha256": _("Hash of the file (SHA-256)"),
    "slot": _("Secret"),
    "state": _("State"),
    "subscriptions": _("Subscriptions"),
    "target": _("Access to"),
    "tokens_ended": _("Tokens revoked"),
    "type": _("Type"),
    "unchanged": _("Unchanged"),
    "unlinked": _("Detached"),
    "until": _("Until"),
    "updated": _("Changed"),
    "user": _("Account"),
    "values": _("Values"),
    "way": _("Method"),
    "where": _("Where"),
}


def field_label(name: str) -> str:
    """A field as people call it; one that no words are known for, as it is written down."""
    return str(FIELDS.get(name) or name.replace("_", " "))


def kind_label(name: str) -> str:
    """What an actor or a subject is: a row of ours, or somebody who has none."""
    known = {model._meta.model_name: model._meta.verbose_name for model in apps.get_models()}
    return str({**known, "user": _("user"), "system": _("the console")}.get(name) or name)
