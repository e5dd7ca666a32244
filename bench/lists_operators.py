"""The operators' largest lists, for bench/lists.py: as they open, searched, and filtered for what few rows have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from bench.lists_world import RARE, World

NOBODY = "qzx"


def lists(world: World) -> Iterator[tuple[str, Any, str]]:
    """Name, who looks, and the address."""
    for model, named, few in (
        ("accounts/person", RARE, {"provisioned_at__isempty": 0}),
        ("accounts/auditevent", str(world.connector.pk), {"tag": "operator:session:started"}),
        ("groups/group", f"{RARE} Depot", {"removed_at__isempty": 0}),
        ("groups/membership", RARE, {"role__exact": "Admin"}),
        ("groups/message", str(world.person.name), {"audience__exact": "chosen"}),
        ("groups/archivedmessage", "m-77", {}),
        ("connectors/connector", "Everywhere", {"suspended_at__isempty": 0}),
        ("connectors/grant", "Everywhere", {"revoked_at__isempty": 0}),
        ("connectors/refreshtoken", "Everywhere", {"revoked_at__isempty": 0}),
        ("connectors/handoff", "Everywhere", {"refused_at__isempty": 0}),
        ("connectors/webhookdelivery", "Everywhere", {"state": "waiting"}),
        ("connectors/webhookevent", str(world.group.pk), {"event_type": "JobCreated"}),
    ):
        path, name = f"/operators/{model}/", f"Operators: {model.partition('/')[2]}"
        yield name, world.operator, path
        yield f"{name}, page 2", world.operator, f"{path}?p=2"
        yield f"{name}, by what some have", world.operator, f"{path}?{urlencode({'q': named})}"
        yield f"{name}, by what nobody has", world.operator, f"{path}?{urlencode({'q': NOBODY})}"
        if few:
            yield f"{name}, of a kind", world.operator, f"{path}?{urlencode(few)}"
        yield f"{name}, sorted", world.operator, f"{path}?o=-2"
