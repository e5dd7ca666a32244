"""Groups of the organisation by name: `GET /v1/tenant/findGroupsByQuery` (ADR 0061)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from connectors.authentication import operation
from groups import access
from groups.platform_service.groups import GroupList, spelled
from groups.queries import groups as queries
from kaizala_console.api.endpoint import Call, resource
from kaizala_console.api.fields import Count, Query

MOST_FOUND = 100


class GroupSearch(Query):
    """`query` is a part of the name, or a group's ID. `resultsOffset` leaves out the first ones."""

    query: str = ""
    results_offset: Count = 0
    page_size: Annotated[int, Field(ge=1, le=2**31 - 1)] = MOST_FOUND


@operation(scope="tenant.read", query=GroupSearch, response=GroupList, summary="Find groups by name")
def find_groups(call: Call) -> dict[str, Any]:
    """Answers with at most 100 of the groups that the token reaches, by name."""
    size = min(call.query.page_size, MOST_FOUND)
    found = queries.list_named(
        access.reachable(call.caller), call.query.query, offset=call.query.results_offset, size=size
    )
    return {"groups": [spelled(group, tally) for group, tally in queries.tallied(found)]}


groups = resource(GET=find_groups)
