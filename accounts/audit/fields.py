"""What the fields of an audit row are called on pages. Exports keep their names as they are written down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.apps import apps
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

FIELDS: Final[Mapping[str, Promise]] = {
    "added": _("Added"),
    "address": pgettext_lazy("network address", "From"),
    "admin": pgettext_lazy("role in a group", "Admin"),
    "admins_may_see_tokens": _("Admins may have tokens shown"),
    "archived": _("Archived"),
    "attribute": _("Attribute"),
    "attributes": _("Attributes"),
    "bad": _("Bad lines"),
    "bot": _("Bot"),
    "by": _("Confirmed with"),
    "by_link": _("Asked by a link"),
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
    "grants": _("Access ended"),
    "grants_ended": _("Access ended"),
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
    "links_ended": _("Links ended"),
    "logo": _("Logo"),
    "members_see_members": _("Members see each other"),
    "moved_to": _("New address"),
    "name": _("Name"),
    "names_kept": _("Names kept"),
    "noted": _("Attributes changed"),
    "number": pgettext_lazy("of a phone", "Number"),
    "object": _("What happens in"),
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
    "position": pgettext_lazy("in a list", "Place"),
    "present": _("There already"),
    "properties": _("Properties"),
    "public_part": _("Public part"),
    "purpose": _("What for"),
    "reason": _("Reason"),
    "redirect_urls": _("Redirect URLs"),
    "refused": _("Refused"),
    "removed": _("Removed"),
    "renamed": _("Renamed"),
    "role": _("Role"),
    "roles": _("Roles changed"),
    "scope": _("Scopes"),
    "sealed_to": _("Sealed to the key"),
    "sent_to": _("Sent to"),
    "sessions": _("Sessions"),
    "sha256": _("Hash of the file (SHA-256)"),
    "slot": _("Secret"),
    "state": _("State"),
    "subscriptions": _("Subscriptions"),
    "target": _("Access to"),
    "tokens_ended": _("Tokens ended"),
    "type": _("Type"),
    "unchanged": _("Unchanged"),
    "unlinked": _("Detached"),
    "until": _("Until"),
    "updated": _("Changed"),
    "user": _("Account"),
    "values": _("Values"),
    "way": _("Way"),
    "where": _("Where"),
}


def field_label(name: str) -> str:
    """A field as people call it; one that no words are known for, as it is written down."""
    return str(FIELDS.get(name) or name.replace("_", " "))


def kind_label(name: str) -> str:
    """What an actor or a subject is: a row of ours, or somebody who has none."""
    known = {model._meta.model_name: model._meta.verbose_name for model in apps.get_models()}
    return str({**known, "user": _("user"), "system": _("the console")}.get(name) or name)
