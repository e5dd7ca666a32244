"""What the page of the archive reads: messages of an old tenant, by parts of names that stand in them (ADR 0064)."""

from __future__ import annotations

import datetime as dt

from accounts.models import Organisation
from groups.models import ArchivedMessage
from kaizala_console.lib.pagination import Page, paginate
from kaizala_console.lib.text_search import cleaned


def archive_page(
    organisation: Organisation,
    *,
    group: str = "",
    sender: str = "",
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    cursor: str | None = None,
    size: int = 50,
) -> Page[ArchivedMessage]:
    """Returns the archived messages of an organisation, the newest first, in which these words stand.

    Raises BadCursor.
    """
    found = ArchivedMessage.objects.filter(organisation=organisation)
    if since is not None:
        found = found.filter(sent_at__gte=since)
    if until is not None:
        found = found.filter(sent_at__lt=until)
    if words := cleaned(group):
        found = found.filter(group_name__icontains=words)
    if words := cleaned(sender):
        found = found.filter(sender__icontains=words)
    return paginate(found, ("-sent_at", "-id"), cursor, size)
