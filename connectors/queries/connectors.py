"""What the pages of this app read. Scoped to who asks; no query is repeated for each row."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    UUIDField,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Lower

from accounts.models import User
from connectors import policies
from connectors.models import (
    AccessRequest,
    Bot,
    Connector,
    ConnectorLogo,
    ConnectorSecret,
    Grant,
    Handoff,
    LeakReport,
    RefreshToken,
    Webhook,
)
from connectors.models.connector import ConnectorQuerySet
from kaizala_console.lib import clock, ids
from kaizala_console.lib.bounded import Bounded, BoundedCount
from kaizala_console.lib.errors import NotFound
from kaizala_console.lib.pagination import Page, paginate
from kaizala_console.lib.prepared import Prepared
from kaizala_console.lib.text_search import cleaned

PAGE_SIZE: Final = 25
FIRST: Final = 100
NEVER: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
NO_END: Final = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
# The orders of a list of connectors. The last two show what owners alone may know: they are for own lists.
SORTS: Final = {
    "name": ("name", "id"),
    "newest": ("-created_at", "-id"),
    "oldest": ("created_at", "id"),
    "used": ("-used_or_never", "-id"),
    "ends": ("ends_or_never", "id"),
}
SORTS_OF_OWNERS: Final = frozenset({"used", "ends"})

# ---------------------------------------------------------------- Connectors


def get_connector_page(
    user: User,
    *,
    everybodys: bool = False,
    search: str = "",
    state: str = "",
    sort: str = "name",
    cursor: str | None = None,
    size: int = PAGE_SIZE,
) -> Page[Connector]:
    """The person's own connectors, or all of the organisation; each with its owner and the facts of `annotate_list`.

    `search` is part of the name, or a whole connector ID; `state` one of `ConnectorState` but deleted; `sort` one of
    `list_sorts`, else they are sorted by name. Raises `BadCursor`.
    """
    connectors = Connector.objects.present() if everybodys else list_own_connectors(user)
    if sort not in list_sorts(everybodys=everybodys):
        sort = "name"
    found = annotate_list(connectors.filter(organisation_id=user.organisation_id), user.pk, clock.now())
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
        found = found.filter(_filter_state(state))
    return paginate(found.select_related("owner"), SORTS[sort], cursor, size)


def list_sorts(*, everybodys: bool) -> list[str]:
    """Returns the keys of `SORTS` that this list can be sorted by."""
    return [sort for sort in SORTS if not everybodys or sort not in SORTS_OF_OWNERS]


def annotate_list(connectors: ConnectorQuerySet, user_id: Any, now: Any) -> QuerySet[Connector]:
    """Adds `mine`, `group_count`, and what only owners may know: `used_at`, `ends_at` (the next token's end).

    All of it costs the same with a hundred thousand grants (ADR 0064).
    """
    mine = Q(owner_id=user_id) | Exists(
        Connector.co_owners.through.objects.filter(connector_id=OuterRef("pk"), user_id=user_id)
    )
    used = RefreshToken.objects.filter(connector_id=OuterRef("pk"), last_used_at__isnull=False)
    last_use = used.order_by("-last_used_at").values("last_used_at")[:1]
    ends = _live_tokens(now).values("expires_at")[:1]
    return connectors.annotate(
        mine=ExpressionWrapper(mine, output_field=BooleanField()),
        group_count=BoundedCount(_present_grants().filter(kind=Grant.Kind.GROUP)),
    ).annotate(
        used_at=_show_owners(Subquery(last_use)),
        ends_at=_show_owners(Subquery(ends)),
    )


def list_own_connectors(user: User) -> ConnectorQuerySet:
    """The connectors that the account owns or co-owns, by name."""
    return Connector.objects.present().owned_by(user.pk)


def filter_own(user: User) -> Q:
    """The condition of rows whose `connector` the account owns or co-owns."""
    return Q(connector__in=list_own_connectors(user).order_by().values("pk"))


def list_audit_filters(user: User) -> list[Q]:
    """The events of the connectors that the account owns, deleted ones too (`accounts.audit.queries`).

    These are named: of a subquery the database only guesses how many events it will find.
    """
    owned = list(Connector.objects.owned_by(user.pk).order_by().values_list("pk", flat=True))
    return [Q(connector_id__in=owned)] if owned else []


def get_farthest(user: User) -> Any:
    """Return the own connector that has come farthest towards its first call, with how far that is; None without one.

    Among the first that were made: who owns a hundred connectors is at no first step.
    """
    return _FARTHEST.first(user_id=user.pk, now=clock.now())


def _select_farthest(user_id: Any, now: Any) -> QuerySet[Connector]:
    first = Connector.objects.present().owned_by(user_id).order_by("created_at", "id").values("pk")[:FIRST]
    mine = OuterRef("pk")
    handoffs = Handoff.objects.filter(connector=mine).order_by("-made_at", "-id")
    waiting = Handoff.objects.waiting().filter(connector=mine, expires_at__gt=now).order_by("-expires_at")
    used = RefreshToken.objects.filter(connector=mine, first_used_at__isnull=False)
    asked = AccessRequest.objects.open(now).filter(connector=mine).order_by("-expires_at")
    return (
        Connector.objects.filter(pk__in=first)
        .annotate(
            granted=Exists(Grant.objects.present().filter(connector=mine)),
            waiting_handoff=Subquery(waiting.values("pk")[:1]),
            last_handoff=Subquery(handoffs.values("pk")[:1]),
            claimed=Exists(Handoff.objects.filter(connector=mine, claimed_at__isnull=False)),
            works_since=Subquery(used.order_by("first_used_at").values("first_used_at")[:1]),
            asked=Subquery(asked.values("pk")[:1]),
        )
        .order_by(F("works_since").asc(nulls_last=True), "-claimed", "-granted", "-created_at", "-id")[:1]
    )


_FARTHEST: Final = Prepared(_select_farthest, user_id=BigIntegerField(), now=DateTimeField())


def list_names(user: User, *, but: Connector | None = None) -> set[str]:
    """The names, in lower case, that the account's own connectors have, `but` left out: what is taken."""
    taken = Connector.objects.present().filter(owner=user)
    if but is not None:
        taken = taken.exclude(pk=but.pk)
    return set(taken.order_by().values_list(Lower("name"), flat=True))


def get_connector(user: User, connector_id: UUID) -> Connector:
    """A connector of the person's organisation, with the facts of `annotate_list`. Raises NotFound."""
    connector = _ONE.first(
        connector_id=connector_id, organisation_id=user.organisation_id, user_id=user.pk, now=clock.now()
    )
    if connector is None or not policies.can_see(user, connector):
        raise NotFound
    return connector


def _select_one(connector_id: Any, organisation_id: Any, user_id: Any, now: Any) -> QuerySet[Connector]:
    found = Connector.objects.present().filter(pk=connector_id, organisation_id=organisation_id)
    return annotate_list(found, user_id, now).select_related("owner", "organisation")


_ONE: Final = Prepared(
    _select_one,
    connector_id=UUIDField(),
    organisation_id=UUIDField(),
    user_id=BigIntegerField(),
    now=DateTimeField(),
)


def get_own_connector(user: User, connector_id: UUID) -> Connector:
    """A connector that the account owns or co-owns. Raises NotFound, also for one that it may see but does not own."""
    connector = get_connector(user, connector_id)
    policies.require_owner(user, connector)
    return connector


def get_logo(user: User, connector_id: UUID, sha256: str) -> ConnectorLogo:
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
    """How much depends on a connector, and would stop with it."""

    groups: Bounded
    live_tokens: Bounded
    live_secrets: Bounded
    waiting_handoffs: Bounded


def count_tabs(connector: Connector) -> Counts:
    """One statement, of one moment."""
    return Counts(*_TABS.first(connector_id=connector.pk, now=clock.now()) or (Bounded(),) * 5)


def _select_tabs(connector_id: Any, now: Any) -> QuerySet[Connector, Any]:
    counted = (
        _present_grants(),
        ConnectorSecret.objects.live(now).filter(connector=OuterRef("pk")).order_by(),
        Webhook.objects.present().filter(connector=OuterRef("pk")),
        AccessRequest.objects.open(now).filter(connector=OuterRef("pk")).order_by("expires_at"),
        Bot.objects.present().filter(connector=OuterRef("pk")).order_by(),
    )
    return Connector.objects.filter(pk=connector_id).order_by().values_list(*map(BoundedCount, counted))


_TABS: Final = Prepared(_select_tabs, connector_id=UUIDField(), now=DateTimeField())


def count_stopping(connector: Connector) -> Stopping:
    """One statement, of one moment."""
    counted = (
        _present_grants().filter(kind=Grant.Kind.GROUP),
        _live_tokens(clock.now()),
        ConnectorSecret.objects.live(clock.now()).filter(connector=OuterRef("pk")).order_by(),
        Handoff.objects.waiting().filter(connector=OuterRef("pk")).order_by("expires_at"),
    )
    counts = Connector.objects.filter(pk=connector.pk).order_by().values_list(*map(BoundedCount, counted)).first()
    return Stopping(*counts or (Bounded(),) * len(counted))


def _present_grants() -> QuerySet[Grant]:
    """Those of each connector, by the index that has no others."""
    return Grant.objects.present().filter(connector_id=OuterRef("pk")).order_by("target")


def _live_tokens(now: Any) -> QuerySet[RefreshToken]:
    """Those of each connector, the next to end in front."""
    live = RefreshToken.objects.live(now).filter(connector_id=OuterRef("pk"), grant__revoked_at=None)
    return live.order_by("expires_at")


def list_secrets(connector: Connector) -> QuerySet[ConnectorSecret]:
    """The secrets of a connector: those not revoked by slot, then the revoked ones, the latest first."""
    return connector.secrets.select_related("created_by").order_by(
        Case(When(revoked_at__isnull=True, then=Value(0)), default=Value(1)), "-revoked_at", "slot", "-created_at"
    )


def list_bots(connector: Connector) -> list[Bot]:
    """The bots of a connector, the oldest first; 50 at the most."""
    return list(Bot.objects.present().filter(connector=connector))


def get_secret_to_end_next(connector: Connector) -> ConnectorSecret | None:
    """The live secret that ends by itself soonest; None when none has an end date."""
    live = ConnectorSecret.objects.live(clock.now()).filter(connector=connector, expires_at__isnull=False)
    return live.order_by("expires_at").first()


def list_open_leak_reports(whose: Q) -> QuerySet[LeakReport]:
    """What was reported and not answered yet, the oldest first; `whose` says of which connectors."""
    found = LeakReport.objects.open().filter(whose)
    return found.select_related("connector", "secret", "refresh_token__grant").order_by("reported_at", "id")


# ---------------------------------------------------------------- Pieces


def _show_owners(value: Subquery) -> Case:
    return Case(When(mine=True, then=value), default=Value(None), output_field=DateTimeField())


def _filter_state(state: str) -> Q:
    return {
        "live": Q(deactivated_at__isnull=True, suspended_at__isnull=True),
        "deactivated": Q(deactivated_at__isnull=False, suspended_at__isnull=True),
        "suspended": Q(suspended_at__isnull=False),
    }.get(state, Q(pk__in=[]))


def get_own_secret(user: User, connector_id: UUID, secret_id: int) -> ConnectorSecret:
    """A secret of a connector that the account owns, revoked or not. Raises NotFound."""
    connector = get_own_connector(user, connector_id)
    secret = connector.secrets.select_related("created_by").filter(pk=secret_id).first()
    if secret is None:
        raise NotFound
    secret.connector = connector
    return secret


SOON: Final = dt.timedelta(days=30)


def list_ending_tokens(user: User, *, at: Any = None, until: Any = None) -> QuerySet[RefreshToken]:
    """Live tokens of own connectors that end within a month, or are live at `at` and end by `until`; the next in front.

    Left out are those whose successor is in use, and those with a waiting handoff, which has its own notice.
    """
    now = at or clock.now()
    waiting = Handoff.objects.waiting().filter(grant_id=OuterRef("grant_id"), expires_at__gt=now)
    return (
        RefreshToken.objects.live(now)
        .unfollowed()
        .filter(
            ~Exists(waiting),
            filter_own(user),
            expires_at__lte=until or now + SOON,
            grant__revoked_at__isnull=True,
        )
        .select_related("grant__connector")
        .order_by("expires_at", "pk")
    )
