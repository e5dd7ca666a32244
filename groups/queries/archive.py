"""What the page of the archive reads: messages of an old tenant, by parts of names that stand in them (ADR 0064)."""

from __future__ import annotations

import datetime as dt
from itertools import product
from math import prod
from typing import Final

from django.db.models import BooleanField, Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from accounts.models import Organisation
from groups.models import ArchivedMessage, ArchivedName
from kaizala_console.lib import keyset
from kaizala_console.lib.keyset import Page

Kind = ArchivedName.Kind
COLUMNS: Final = {Kind.GROUP: "group_name", Kind.SENDER: "sender"}
MOST_PARTS: Final = 10  # each is a statement of its own
MOST_NAMES: Final = 1000
MOST: Final = 5000  # as many are sorted, or as many pairs of a group and a sender looked up, in no time
ORDER: Final = ("-sorted_at", "-id")


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
    """The archived messages of an organisation, the newest first, in which these words stand. Raises BadCursor.

    The names with these words are few, and each has its messages in their order. Of many names, few messages are
    sorted; of many, a page is met on a walk through all. The mark of a page holds when names are added.
    """
    found = ArchivedMessage.objects.filter(organisation=organisation)
    if since is not None:
        found = found.filter(sent_at__gte=since)
    if until is not None:
        found = found.filter(sent_at__lt=until)
    walked, named = found, dict[str, list[str]]()
    for kind, words in ((Kind.GROUP, group), (Kind.SENDER, sender)):
        words = words.replace("\0", "").strip()
        if not words:
            continue
        having = _asked_one_by_one(Q((f"{COLUMNS[kind]}__icontains", words)))
        walked = walked.filter(having)
        names = _names(organisation, kind, words)
        if len(names) <= MOST_NAMES:
            named[COLUMNS[kind]] = names
        else:
            found = found.filter(having)
    choices = prod(len(names) for names in named.values())
    if not choices:
        return keyset.page(_in_order(found.none()), ORDER, cursor, size)
    if choices <= MOST_PARTS:
        parts = [found.filter(**dict(zip(named, names, strict=True))) for names in product(*named.values())]
        return keyset.merged([_in_order(part) for part in parts], ORDER, cursor, size)
    found = found.filter(**{f"{column}__in": names for column, names in named.items()})
    if choices > MOST or found.order_by().values("pk")[: MOST + 1].count() > MOST:
        return keyset.page(_in_order(walked), ORDER, cursor, size)
    # As no index orders them: else the database walks through all messages, as if these few were spread among them.
    return keyset.page(found.annotate(sorted_at=Coalesce("sent_at", "sent_at")), ORDER, cursor, size)


def _names(organisation: Organisation, kind: Kind, words: str) -> list[str]:
    """Those with these words in them, or one more than `MOST_NAMES`."""
    names = ArchivedName.objects.filter(organisation=organisation, kind=kind, name__icontains=words)
    return list(names.order_by("name").values_list("name", flat=True)[: MOST_NAMES + 1])


def _asked_one_by_one(having: Q) -> Case:
    """For what many messages have. Of the condition itself, PostgreSQL expects that hardly any has it, if the words are
    long, and sorts all that have.
    """
    return Case(When(having, then=Value(True)), default=Value(False), output_field=BooleanField())


def _in_order(messages: QuerySet[ArchivedMessage]) -> QuerySet[ArchivedMessage]:
    return messages.annotate(sorted_at=F("sent_at"))
