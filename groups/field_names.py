"""What the operators' pages call this app's fields, where Django made the name: see `accounts.field_names`."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_noop as _

NAMES: Final = (
    _("action"),
    _("added at"),
    _("archived at"),
    _("assignee count"),
    _("assignees"),
    _("attribute"),
    _("awaits columns"),
    _("bot"),
    _("by"),
    _("cancelled at"),
    _("checked at"),
    _("child"),
    _("failed at"),
    _("failed because"),
    _("failed code"),
    _("failed params"),
    _("file deleted at"),
    _("group"),
    _("headers"),
    _("is first"),
    _("job"),
    _("joined at"),
    _("lease"),
    _("leased until"),
    _("linked at"),
    _("modified at"),
    _("params"),
    _("parent"),
    _("recipients"),
    _("resource"),
    _("responded at"),
    _("responder"),
    _("response count"),
    _("stored at"),
    _("subscribed at"),
    _("wants"),
)
