"""What the pages of this app read. Scoped to who asks; no query is repeated for each row."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import (
    BooleanField,
    Case,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Lower

from accounts.models import User
from connectors import owning, policies
from connectors.models import (
    AccessRequest,
    Bot,
    Connector,
    ConnectorLogo,
    ConnectorSecret,
    ConnectorUse,
    Grant,
    Handoff,
    LeakReport,
    RefreshToken,
    Webhook,
)
from connectors.models.connector import ConnectorQuerySet
from kaizala_console.lib import clock, ids, keyset
from kaizala_console.lib.bounded import Bounded, BoundedCount
from kaizala_console.lib.errors import NotFound
from kaizala_console.lib.keyset import Page
from kaizala_console.lib.text_search import cleaned

PAGE_SIZE: Final = 25
NEVER: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
NO_END: Final = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
# What a list of connectors can be sorted by. The last two tell what owners alone may know: they are for own lists.
SORTS: Final = {
    "name": ("name", "id"),
    "newest": ("-created_at", "-id"),
    "oldest": ("created_at", "id"),
    "used": ("-used_or_never", "-id"),
    "ends": ("ends_or_never", "id"),
}
SORTS_OF_OWNERS: Final = frozenset({"used", "ends"})

# ---------------------------------------------------------------- Connectors


def connector_page(
    user: User,
    *,
    everybodys: bool = False,
    search: str = "",
    state: str = "",
    sort: str = "name",
    own: owning.Own | None = None,
    cursor: str | None = None,
    size: int = PAGE_SIZE,
) -> Page[Connector]:
    """The person's own connectors, or all of the organisation; each with its owner and the facts of `described`.

    `search` is part of the name, or a whole connector ID; `state` one of `ConnectorState` but deleted; `sort` one of
    `sorts_for`, else they are sorted by name; `own` what the caller knows already. Raises `keyset.BadCursor`.
    """
    if everybodys:
        connectors = Connector.objects.present().filter(organisation_id=user.organisation_id)
    else:
        own = own or owning.of(user)
        connectors = own.connectors().filter(organisation_id=user.organisation_id)
    if sort not in sorts_for(own, everybodys=everybodys):
        sort = "name"
    found = described(connectors, user)
    if sort in SORTS_OF_OWNERS:  # without NULLs
        never, no_end = Value(NEVER), Value(NO_END)
        found = found.annotate(
            used_or_never=Coalesce("used_at", never, output_field=DateTimeField()),
            ends_or_never=Coalesce("ends_at", no_end, output_field=DateTimeField()),
        )
    if search.strip():
        key = ids.parse_guid(search)
        found = found.filter(pk=key) if key else found.filter(name__icontains=cleaned(search))
    if state:
        found = found.filter(_in_state(state))
    return keyset.page(found.select_related("owner"), SORTS[sort], cursor, size)


def sorts_for(own: owning.Own | None, *, everybodys: bool) -> list[str]:
    """The keys of `SORTS` that this list can be sorted by: by use, only own connectors that are not very many."""
    by_use = own is not None and not everybodys and not own.are_many
    return [sort for sort in SORTS if by_use or sort not in SORTS_OF_OWNERS]


def described(connectors: ConnectorQuerySet, user: User) -> QuerySet[Connector]:
    """Adds `mine`, `group_count`, and what only owners may know: `used_at`, `ends_at` (the next token's end).

    All of it costs the same with a hundred thousand grants (ADR 0064).
    """
    mine = Q(owner_id=user.pk) | Exists(
        Connector.co_owners.through.objects.filter(connector_id=OuterRef("pk"), user_id=user.pk)
    )
    used = ConnectorUse.objects.filter(connector_id=OuterRef("pk")).values("last_at")
    ends = _live_tokens().values("expires_at")[:1]
    return connectors.annotate(
        mine=ExpressionWrapper(mine, output_field=BooleanField()),
        group_count=BoundedCount(_present_grants().filter(kind=Grant.Kind.GROUP)),
    ).annotate(
        used_at=_for_owners(Subquery(used)),
        ends_at=_for_owners(Subquery(ends)),
    )


def own_connectors(user: User) -> ConnectorQuerySet:
    """The connectors that the account owns or co-owns, by name."""
    return Connector.objects.present().owned_by(user.pk)


def names_of(user: User, *, but: Connector | None = None) -> set[str]:
    """The names, in lower case, that the account's own connectors have, `but` left out: what is taken."""
    taken = Connector.objects.present().filter(owner=user)
    if but is not None:
        taken = taken.exclude(pk=but.pk)
    return set(taken.order_by().values_list(Lower("name"), flat=True))


def connector_for(user: User, connector_id: UUID) -> Connector:
    """A connector of the person's organisation, with the facts of `described`. Raises NotFound."""
    found = described(
        Connector.objects.present().filter(pk=connector_id, organisation_id=user.organisation_id), user
    ).select_related("owner", "organisation")
    connector = found.first()
    if connector is None or not policies.can_see(user, connector):
        raise NotFound
    return connector


def own_connector(user: User, connector_id: UUID) -> Connector:
    """A connector that the account owns or co-owns. Raises NotFound, also for one that it may see but does not own."""
    connector = connector_for(user, connector_id)
    policies.require_owner(user, connector)
    return connector


def logo_for(user: User, connector_id: UUID, sha256: str) -> ConnectorLogo:
    """The logo that this connector has now, for who may see the connector. Raises NotFound."""
    found = ConnectorLogo.objects.select_related("connector").filter(pk=connector_id, sha256=sha256).first()
    if found is None or not policies.can_see(user, found.connector):
        raise NotFound
    return found


@dataclass(frozen=True, slots=True)
class Counts:
    """What the tabs of a connector say."""

    grants: Bounded
    live_secrets: Bounded
    webhooks: Bounded
    requests: Bounded
    bots: Bounded


@dataclass(frozen=True, slots=True)
class Stopping:
    """How much stands on a connector, and would stop with it."""

    groups: Bounded
    live_tokens: Bounded
    live_secrets: Bounded
    waiting_handoffs: Bounded


def counts_of(connector: Connector) -> Counts:
    """One statement, of one moment."""
    now = clock.now()
    counted = (
        _present_grants(),
        ConnectorSecret.objects.live(now).filter(connector=OuterRef("pk")).order_by(),
        Webhook.objects.present().filter(connector=OuterRef("pk")),
        AccessRequest.objects.open(now).filter(connector=OuterRef("pk")).order_by("expires_at"),
        Bot.objects.present().filter(connector=OuterRef("pk")).order_by(),
    )
    return Counts(*_counted(connector, *counted))


def stopping(connector: Connector) -> Stopping:
    """One statement, of one moment."""
    counted = (
        _present_grants().filter(kind=Grant.Kind.GROUP),
        _live_tokens(),
        ConnectorSecret.objects.live(clock.now()).filter(connector=OuterRef("pk")).order_by(),
        Handoff.objects.waiting().filter(connector=OuterRef("pk")).order_by("expires_at"),
    )
    return Stopping(*_counted(connector, *counted))


def _counted(connector: Connector, *rows: QuerySet[Any]) -> tuple[Bounded, ...]:
    counts = Connector.objects.filter(pk=connector.pk).order_by().values_list(*map(BoundedCount, rows)).first()
    return counts or (Bounded(),) * len(rows)


def _present_grants() -> QuerySet[Grant]:
    """Those of each connector, by the index that has no others."""
    return Grant.objects.present().filter(connector_id=OuterRef("pk")).order_by("target")


def _live_tokens() -> QuerySet[RefreshToken]:
    """Those of each connector, the next to end in front."""
    live = RefreshToken.objects.live(clock.now()).filter(connector_id=OuterRef("pk"), grant__revoked_at=None)
    return live.order_by("expires_at")


def secrets_of(connector: Connector) -> QuerySet[ConnectorSecret]:
    """The secrets of a connector: those not revoked by slot, then the revoked ones, the latest first."""
    return connector.secrets.select_related("created_by").order_by(
        Case(When(revoked_at__isnull=True, then=Value(0)), default=Value(1)), "-revoked_at", "slot", "-created_at"
    )


def bots_of(connector: Connector) -> list[Bot]:
    """The bots of a connector, the oldest first; 50 at the most."""
    return list(Bot.objects.present().filter(connector=connector))


def secret_to_end_next(connector: Connector) -> ConnectorSecret | None:
    """The live secret that ends by itself soonest; None when none has an end date."""
    live = ConnectorSecret.objects.live(clock.now()).filter(connector=connector, expires_at__isnull=False)
    return live.order_by("expires_at").first()


def open_leak_reports(whose: Q) -> QuerySet[LeakReport]:
    """What was reported and not answered yet, the oldest first; `whose` says of which connectors."""
    found = LeakReport.objects.open().filter(whose)
    return found.select_related("connector", "secret", "refresh_token__grant").order_by("reported_at", "id")


# ---------------------------------------------------------------- Grants


def grant_page(
    connector: Connector, *, ended: bool = False, search: str = "", cursor: str | None = None, size: int = PAGE_SIZE
) -> Page[Grant]:
    """The grants of a connector, the newest first: those in force, or those that ended. Each as `with_line`."""
    grants = Grant.objects.filter(connector=connector, revoked_at__isnull=not ended)
    if search.strip():
        grants = grants.filter(target_name__icontains=cleaned(search))
    return keyset.page(with_line(grants), ("-granted_at", "-id"), cursor, size)


def with_line(grants: QuerySet[Grant]) -> QuerySet[Grant]:
    """Adds what a line about a grant says: `handoffs_newest_first`, and `live_tokens`, the newest first."""
    return grants.select_related("connector", "person", "granted_by").prefetch_related(
        Prefetch("handoffs", with_both_sides(Handoff.objects.all()), to_attr="handoffs_newest_first"),
        Prefetch(
            "refresh_tokens",
            RefreshToken.objects.live(clock.now()).order_by("-issued_at", "-id"),
            to_attr="live_tokens",
        ),
    )


# ---------------------------------------------------------------- Handoffs


def handoff_page(
    user: User,
    *,
    waiting: bool = True,
    own: owning.Own | None = None,
    cursor: str | None = None,
    size: int = PAGE_SIZE,
) -> Page[Handoff]:
    """The developer's inbox: handoffs to the account's own connectors that wait, or those that ended; newest first.

    `own` is what the caller knows already.
    """
    found = Handoff.objects.waiting() if waiting else Handoff.objects.ended()
    own, order = own or owning.of(user), ("-made_at", "-id")
    if own.are_many:
        return keyset.page(with_both_sides(found.filter(own.rows("connector"))), order, cursor, size, keys_first=True)
    return keyset.page(with_both_sides(found), order, cursor, size, within=("connector", own.connectors()))


def waiting_handoffs(own: owning.Own) -> QuerySet[Handoff]:
    """What can be claimed now of own connectors, the one that expires first in front."""
    found = Handoff.objects.waiting().filter(own.rows("connector"), expires_at__gt=clock.now())
    return with_both_sides(found).order_by("expires_at", "id")


def handoff_for(user: User, handoff_id: UUID) -> Handoff:
    """A handoff for one of its two sides. Raises NotFound, the same for "not yours" and "not there"."""
    handoff = with_both_sides(Handoff.objects.filter(pk=handoff_id)).first()
    if handoff is None or not policies.can_see_handoff(user, handoff):
        raise NotFound
    return handoff


def with_both_sides(handoffs: QuerySet[Handoff]) -> QuerySet[Handoff]:
    """With everybody whom a line or a card about a handoff names, and without the ciphertext."""
    return (
        handoffs.select_related(
            "connector__organisation",
            "connector__owner",
            "grant__person",
            "grant__granted_by",
            "refresh_token",
            "notice",
            "made_by",
            "claimed_by",
            "revealed_to",
        )
        .defer("sealed")
        .order_by("-made_at", "-id")
    )


# ---------------------------------------------------------------- Pieces


def _for_owners(value: Subquery) -> Case:
    return Case(When(mine=True, then=value), default=Value(None), output_field=DateTimeField())


def _in_state(state: str) -> Q:
    return {
        "live": Q(deactivated_at__isnull=True, suspended_at__isnull=True),
        "deactivated": Q(deactivated_at__isnull=False, suspended_at__isnull=True),
        "suspended": Q(suspended_at__isnull=False),
    }.get(state, Q(pk__in=[]))
