"""What a status is called and how it looks: one table for every pill of the console.

A pill always has an icon and a word; the tone only adds colour. Tones: ``live`` green, ``soon`` amber, ``ended`` grey,
``refused`` red, ``waiting`` blue.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


@dataclass(frozen=True)
class Status:
    """One row of the table: the word shown, the tone of the pill, and the name of its icon."""

    word: str | Promise
    tone: str
    icon: str


STATUSES: dict[str, Status] = {
    "live": Status(_("Live"), "live", "check-circle"),
    "active": Status(_("Active"), "live", "check-circle"),
    "verified": Status(_("Verified"), "live", "check-circle"),
    "registered": Status(_("Registered"), "live", "check-circle"),
    "works": Status(_("Works"), "live", "check-circle"),
    "ready": Status(_("Ready"), "live", "check-circle"),
    "done": Status(_("Done"), "live", "check-circle"),
    "delivered": Status(_("Delivered"), "live", "check-circle"),
    "approved": Status(_("Approved"), "live", "check-circle"),
    "admin": Status(pgettext_lazy("role in a group", "Admin"), "waiting", "shield"),
    "member": Status(pgettext_lazy("role in a group", "Member"), "ended", "person"),
    "ends-soon": Status(_("Ends soon"), "soon", "hourglass"),
    "troubled": Status(_("Failing"), "soon", "hourglass"),
    "unused": Status(_("Not used yet"), "soon", "hourglass"),
    "suspended": Status(_("Suspended"), "soon", "pause"),
    "paused": Status(_("Paused"), "soon", "pause"),
    "not-registered": Status(_("Not registered"), "soon", "hourglass"),
    "deactivated": Status(_("Deactivated"), "ended", "ended"),
    "ended": Status(_("Ended"), "ended", "ended"),
    "expired": Status(_("Expired"), "ended", "ended"),
    "revoked": Status(_("Revoked"), "ended", "ended"),
    "removed": Status(_("Removed"), "ended", "ended"),
    "deleted": Status(_("Deleted"), "ended", "ended"),
    "cancelled": Status(_("Cancelled"), "ended", "ended"),
    "withdrawn": Status(_("Withdrawn"), "ended", "ended"),
    "not-sent": Status(_("Not sent"), "ended", "ended"),
    "replaced": Status(_("Replaced"), "ended", "ended"),
    "refused": Status(_("Refused"), "refused", "refused"),
    "leaked": Status(_("Leaked"), "refused", "refused"),
    "failed": Status(_("Failed"), "refused", "refused"),
    "waiting": Status(_("Waiting"), "waiting", "clock"),
    "requested": Status(_("Requested"), "waiting", "clock"),
    "sealed": Status(_("Sealed"), "waiting", "sealed"),
    "told": Status(_("Notified"), "waiting", "info"),
    "opened": Status(_("Claimed"), "live", "opened"),
    "running": Status(_("Running"), "waiting", "refresh"),
    "kept": Status(_("Buffered"), "waiting", "inbox"),
    "queued": Status(_("Queued"), "waiting", "clock"),
}


def get_status(name: str) -> Status:
    """The row for a status name; an unknown name is a page's mistake: ``ValueError``, with the known ones."""
    try:
        return STATUSES[name]
    except KeyError:
        raise ValueError(f"unknown status {name!r}; known are: {', '.join(sorted(STATUSES))}") from None
