"""The lists that bench/lists.py opens in the world of bench/lists_world.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.lists_world import World

UNPAGED = ("Requests to an admin",)  # the first 200: what expires first stands in front


def lists(world: World) -> Iterator[tuple[str, Any, str]]:
    """Name, who looks, and the address; `next:` for the page after it."""
    group, connector = f"/console/groups/{world.group.pk}/", f"/console/connectors/{world.connector.pk}/"
    found = [
        ("Groups", world.boss, "/console/groups/"),
        ("Users of a group", world.admin, group),
        ("Messages & Actions", world.admin, f"{group}messages/"),
        ("Connectors of a group", world.admin, f"{group}connectors/"),
        ("Activity of a group", world.admin, f"{group}activity/"),
        ("Sub-Groups", world.admin, f"{group}sub-groups/"),
        ("Requests to an admin", world.admin, "/console/groups/requests/"),
        ("My Connectors", world.developer, "/console/connectors/"),
        ("My Connectors, last used first", world.developer, "/console/connectors/?sort=used"),
        ("My Connectors, next to end first", world.developer, "/console/connectors/?sort=ends"),
        ("All Connectors", world.developer, "/console/connectors/?show=all"),
        ("Groups of a connector", world.developer, f"{connector}groups/"),
        ("Deliveries of a webhook", world.developer, f"{connector}webhooks/{world.webhook.pk}/"),
        ("Activity of a connector", world.developer, f"{connector}activity/"),
        ("Handoffs", world.developer, "/console/handoffs/"),
        ("Handoffs of earlier", world.developer, "/console/handoffs/?show=earlier"),
        ("Directory", world.boss, "/console/directory/"),
        ("Archive", world.boss, "/console/archive/"),
        ("Activity", world.boss, "/console/activity/"),
    ]
    for name, user, path in found:
        yield name, user, path
    for name, user, path in found:
        if name not in UNPAGED:
            yield f"{name}, page 2", user, f"next:{path}"
    yield "Home", world.developer, "/console/"
    yield "Home of an admin", world.boss, "/console/"
    yield "A connector", world.developer, connector
    yield "Usage of a connector", world.developer, f"{connector}usage/"
    yield "Requests of a connector", world.developer, f"{connector}requests/"
    yield "Deleting a connector", world.developer, f"{connector}state/delete/"
    yield "Tree of groups", world.boss, "/console/groups/?view=tree"
    yield "Tree of groups, a branch", world.boss, f"/console/groups/?view=tree&under={world.group.pk}"
    yield "Groups to put below a group", world.admin, f"{group}sub-groups/attach/"
    yield "Policies of a group", world.admin, f"{group}policies/"
    yield "Search: everything", world.boss, "/console/search/?q=Person%20777"
    yield "Groups, by name", world.boss, "/console/groups/?q=Depot%20777"
    yield "Directory, by name", world.boss, "/console/directory/?q=Person%20777"
    said = f"attribute={world.department.pk}&value=Department%207"
    yield "Directory, by attribute", world.boss, f"/console/directory/?{said}"
    yield "Users of a group, by name", world.admin, f"{group}?q=Person%20777"
    for letters in ("x", "qz"):  # of which there are none
        yield f"Search: everything, “{letters}”", world.boss, f"/console/search/?q={letters}"
        yield f"Groups, by “{letters}”", world.boss, f"/console/groups/?q={letters}"
        yield f"All Connectors, by “{letters}”", world.developer, f"/console/connectors/?show=all&q={letters}"
        yield f"Directory, by “{letters}”", world.boss, f"/console/directory/?q={letters}"
        yield f"Users of a group, by “{letters}”", world.admin, f"{group}?q={letters}"
