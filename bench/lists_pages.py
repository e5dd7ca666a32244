"""The lists that bench/lists.py opens in the world of bench/lists_world.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.lists_narrowed import narrowed
from bench.lists_world import RARE, World

MANY = "what a ninth have"
# Requests: the first 200 (what expires first stands in front). In a small database, the other owner has no page more.
UNPAGED = ("Requests to an admin", "My Connectors, of who owns nearly all")


def lists(world: World) -> Iterator[tuple[str, Any, str]]:
    """Name, who looks, and the address; `next:` for the page after it."""
    group, connector = f"/console/groups/{world.group.pk}/", f"/console/connectors/{world.connector.pk}/"
    public = f"/console/groups/{world.public.pk}/?show=subscribers"
    found = [
        ("Groups", world.boss, "/console/groups/"),
        ("Users of a group", world.admin, group),
        ("Users of a group, sorted by name", world.admin, f"{group}?sort=name"),
        ("Messages & Actions", world.admin, f"{group}messages/"),
        ("Connectors of a group", world.admin, f"{group}connectors/"),
        ("Activity of a group", world.admin, f"{group}activity/"),
        ("Subscribers of a public group", world.admin, public),
        ("Uploads of users of a group", world.admin, f"{group}bulk/"),
        ("Sub-Groups", world.admin, f"{group}sub-groups/"),
        ("Requests to an admin", world.admin, "/console/groups/requests/"),
        ("My Connectors", world.developer, "/console/connectors/"),
        ("My Connectors, last used first", world.developer, "/console/connectors/?sort=used"),
        ("My Connectors, next to end first", world.developer, "/console/connectors/?sort=ends"),
        ("My Connectors, of who owns nearly all", world.another, "/console/connectors/"),
        ("All Connectors", world.developer, "/console/connectors/?show=all"),
        ("Groups of a connector", world.developer, f"{connector}groups/"),
        ("Deliveries of a webhook", world.developer, f"{connector}webhooks/{world.webhook.pk}/"),
        ("Activity of a connector", world.developer, f"{connector}activity/"),
        ("Deliveries of the address for handoffs", world.developer, f"{connector}webhooks/{world.address.pk}/"),
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
    yield "Home of who let a connector in everywhere", world.admin, "/console/"
    yield "Home of who owns nearly all connectors", world.another, "/console/"
    yield "A connector", world.developer, connector
    yield "Usage of a connector", world.developer, f"{connector}usage/"
    yield "Requests of a connector", world.developer, f"{connector}requests/"
    yield "Deleting a connector", world.developer, f"{connector}state/delete/"
    yield "Tree of groups", world.boss, "/console/groups/?view=tree"
    yield "Tree of groups, a branch", world.boss, f"/console/groups/?view=tree&under={world.group.pk}"
    yield "Groups to put below a group", world.admin, f"{group}sub-groups/attach/"
    yield "Policies of a group", world.admin, f"{group}policies/"
    yield "Owners of a connector", world.developer, f"{connector}owners/"
    yield "Usage of the organisation", world.boss, "/console/usage/"
    for what, name, groups in (
        ("what sixty have", f"{RARE}%20Person", f"{RARE}%20Depot"),
        (MANY, "Person%207", "Depot%207"),
    ):
        yield f"Search: everything, by {what}", world.boss, f"/console/search/?q={name}"
        yield f"Groups, by {what}", world.boss, f"/console/groups/?q={groups}"
        yield f"Directory, by {what}", world.boss, f"/console/directory/?q={name}"
        yield f"Users of a group, by {what}", world.admin, f"{group}?q={name}"
        yield f"Subscribers of a public group, by {what}", world.admin, f"{public}&q={name}"
    for name in (f"{RARE}%20Depot", "Depot%201", "Depot", "Field", "qz"):
        inbox = f"/console/handoffs/?q={name}"
        yield f"Handoffs, by “{name}”", world.developer, inbox
        yield f"Handoffs of earlier, by “{name}”", world.developer, f"{inbox}&show=earlier"
    said = f"attribute={world.department.pk}&value=Department%2077"
    yield "Directory, by an attribute that a hundredth have", world.boss, f"/console/directory/?{said}"
    for letters in ("x", "qz"):  # of which there are none
        yield f"Search: everything, “{letters}”", world.boss, f"/console/search/?q={letters}"
        yield f"Groups, by “{letters}”", world.boss, f"/console/groups/?q={letters}"
        yield f"All Connectors, by “{letters}”", world.developer, f"/console/connectors/?show=all&q={letters}"
        yield f"Directory, by “{letters}”", world.boss, f"/console/directory/?q={letters}"
        yield f"Users of a group, by “{letters}”", world.admin, f"{group}?q={letters}"
    yield from narrowed(world)
