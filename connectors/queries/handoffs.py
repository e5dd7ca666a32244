"""The search of the inbox: handoffs by a part of the connector's name, or of what it was let into (ADR 0064)."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import User
from connectors.models import Grant, Handoff
from connectors.queries.connectors import PAGE_SIZE, own_connectors, with_both_sides
from kaizala_console.lib import keyset
from kaizala_console.lib.keyset import Page

ORDER: Final = ("-made_at", "-id")
MOST: Final = 5000
FEW_CONNECTORS: Final = 200

Within = tuple[str, QuerySet[Any]]


def found_page(
    user: User, search: str, *, waiting: bool = True, cursor: str | None = None, size: int = PAGE_SIZE
) -> Page[Handoff]:
    """The handoffs of `queries.handoff_page` whose connector, or whose group or person, has this in its name.

    Who asks for either name in one statement makes the database look at all that was ever made, with what each row
    names. So each is asked for by itself, as far as one page needs it, and the page is made of what they gave: a cursor
    is the same for all of them. Up to seven statements, whatever there is. Raises `keyset.BadCursor`.
    """
    words = search.replace("\0", "").strip()  # PostgreSQL takes no NUL in a text
    handoffs = Handoff.objects.waiting() if waiting else Handoff.objects.ended()
    called: Within = ("connector", own_connectors(user).filter(name__icontains=words))
    keys: set[UUID] = set()
    for rows, within in ((handoffs, called), _let_into(handoffs, user, words)):
        page = keyset.page(rows.only("made_at"), ORDER, cursor, size + 1, within=within)
        keys.update(row.pk for row in page.items)
    return keyset.page(with_both_sides(Handoff.objects.filter(pk__in=keys)), ORDER, cursor, size)


def _let_into(handoffs: QuerySet[Handoff], user: User, words: str) -> tuple[QuerySet[Handoff], Within | None]:
    """Those for what is called like this, as `keyset.page` takes them.

    Up to `MOST` grants are named. Where more match, the newest handoffs of each own connector soon fill a page; who has
    very many connectors has few handoffs for each, so theirs are sorted (PostgreSQL took minutes to look at each).
    """
    own = own_connectors(user)
    of_own = own.order_by().values("pk")
    grants = Grant.objects.filter(connector__in=of_own, target_name__icontains=words).order_by()
    keys = list(grants.values_list("pk", flat=True)[: MOST + 1])
    if len(keys) <= MOST:
        return handoffs.filter(grant__in=keys), None
    called = handoffs.filter(grant__target_name__icontains=words)
    if len(of_own[: FEW_CONNECTORS + 1]) <= FEW_CONNECTORS:
        return called, ("connector", own)
    return called.filter(connector__in=of_own), None
