"""Lists with a filter, a search of their own or another order, opened where very few rows match, or all of them do.

A list that walks in its order until a page is full takes longest where few match: these have an index, or are asked
another way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from bench.lists_world import World

Line = tuple[str, Any, str]


def narrowed(world: World) -> Iterator[Line]:
    """As `bench.lists_pages.lists`."""
    yield from _of_connectors(world)
    yield from _of_groups(world)
    yield from _of_the_organisation(world)


def _of_connectors(world: World) -> Iterator[Line]:
    lists, connector = "/console/connectors/", f"/console/connectors/{world.connector.pk}/"
    log = f"{connector}webhooks/{world.webhook.pk}/"
    for sort in ("newest", "oldest"):
        yield f"All Connectors, {sort} first", world.developer, f"{lists}?show=all&sort={sort}"
    for state in ("live", "deactivated", "suspended"):
        yield f"All Connectors, {state}", world.developer, f"{lists}?show=all&state={state}"
    whose = "of who owns nearly all"
    for sort in ("newest", "oldest", "used", "ends"):
        yield f"My Connectors, {whose}, by {sort}", world.another, f"{lists}?sort={sort}"
    for state in ("live", "suspended"):
        yield f"My Connectors, {whose}, {state}", world.another, f"{lists}?state={state}"
    for words in ("Program 77", "Zubin", "qz"):
        yield f"My Connectors, {whose}, “{words}”", world.another, f"{lists}?{urlencode({'q': words})}"
    yield f"Handoffs, {whose}", world.another, "/console/handoffs/"
    yield f"Handoffs of earlier, {whose}", world.another, "/console/handoffs/?show=earlier"
    yield f"Activity, {whose}", world.another, "/console/activity/"
    yield "Groups of a connector, that ended", world.developer, f"{connector}groups/?show=ended"
    for words in ("Zubin Depot", "Depot 7", "qz"):
        yield f"Groups of a connector, “{words}”", world.developer, f"{connector}groups/?{urlencode({'q': words})}"
    yield "Requests of a connector, of earlier", world.developer, f"{connector}requests/?show=earlier"
    for state in ("delivered", "waiting", "failed"):
        yield f"Deliveries of a webhook, {state}", world.developer, f"{log}?state={state}"
    for event in ("TextMessageCreated", "JobCreated"):
        yield f"Deliveries of a webhook, {event}", world.developer, f"{log}?event={event}"


def _of_groups(world: World) -> Iterator[Line]:
    group = f"/console/groups/{world.group.pk}/"
    yield "Groups, that an admin runs", world.admin, "/console/groups/?only=run"
    yield "Groups, that an organisation admin runs", world.boss, "/console/groups/?only=run"
    for only in ("admins", "members", "not-registered"):
        yield f"Users of a group, {only}", world.admin, f"{group}?only={only}"
    yield "Groups to put below a group, “qz”", world.admin, f"{group}sub-groups/attach/?q=qz"
    yield "Connectors to add, “Program 77”", world.admin, f"{group}connectors/?find=Program+77"
    yield "Connectors to add, “qz”", world.admin, f"{group}connectors/?find=qz"


def _of_the_organisation(world: World) -> Iterator[Line]:
    archive, activity = "/console/archive/", "/console/activity/"
    for what, query in (
        ("a group that a five-hundredth are of", {"group": "Group 77"}),
        ("a group that there is not", {"group": "Nowhere"}),
        ("the sender of all", {"sender": "+919820000011"}),
        ("a sender of none", {"sender": "+919820999999"}),
        ("a day of long ago", {"since": "1999-01-01", "until": "1999-01-02"}),
    ):
        yield f"Archive, {what}", world.boss, f"{archive}?{urlencode(query)}"
    for what, query in (
        ("what all are", {"what": "groups"}),
        ("what few are", {"what": "organisation"}),
        ("own acts", {"mine": "on"}),
        ("a word in all", {"q": "member"}),
        ("a word in none", {"q": "xyzzy"}),
        ("of a connector", {"connector": str(world.connector.pk)}),
        ("of a group", {"group": str(world.group.pk)}),
        ("a day of long ago", {"since": "1999-01-01", "until": "1999-01-02"}),
        ("since long ago, what few are", {"since": "1999-01-01", "what": "phones"}),
    ):
        yield f"Activity, {what}", world.boss, f"{activity}?{urlencode(query)}"
    yield "What ends soon", world.boss, "/console/groups/ending/"
    yield "Sessions", world.boss, "/console/settings/sessions/"
