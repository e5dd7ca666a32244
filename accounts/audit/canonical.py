"""How an audit event is hashed, and a verifier of exported files that needs nothing but Python:

    python -m accounts.audit.canonical export.jsonl

An event's hash is the SHA-256 of the previous event's hash, a newline, and the event itself as JSON: the fields below
and its position, keys sorted, no white space, UTF-8, times in UTC with microseconds. So a changed event no longer
has its hash, and a removed, moved or added one breaks the link to its neighbours. Pure: imports nothing of this house.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

FIELDS = (
    "id",
    "at",
    "tag",
    "actor_kind",
    "actor_id",
    "actor_name",
    "organisation_id",
    "subject_kind",
    "subject_id",
    "subject_name",
    "connector_id",
    "group_id",
    "person_id",
    "before",
    "after",
    "client_address",
    "request_id",
    "mac",
    "position",
)
GENESIS = "0" * 64


def compute_hash(event: Mapping[str, Any], previous_hash: str) -> str:
    """The hexadecimal hash of an event whose values are as an export spells them (text, numbers, objects, null)."""
    content = {field: event[field] for field in FIELDS}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(f"{previous_hash}\n{text}".encode()).hexdigest()


def to_export_value(value: Any) -> Any:
    """A value of an event as an export spells it."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, UUID) else value


class Verdict(NamedTuple):
    """A sentence a fault, and one about the events that nothing can be said of yet; empty when there are none."""

    faults: list[str]
    unchained: str


def verify_lines(lines: Iterable[str]) -> Verdict:
    """What is wrong with an exported JSON Lines file.

    An export may leave events out (a filter, somebody's rights); so a gap in the positions is no fault by itself, but
    neighbours must be linked. What was not chained yet when it was exported has no position.
    """
    faults: list[str] = []
    unchained = 0
    before: dict[str, Any] | None = None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
            if event["position"] is None:
                unchained += 1
                continue
            position = int(event["position"])
            intact = compute_hash(event, event["previous_hash"]) == event["hash"]
        except (ValueError, KeyError, TypeError):
            faults.append(f"Line {number} is no event of this console's export.")
            before = None
            continue
        if not intact:
            faults.append(f"Line {number}: event {event['id']} was changed, or moved from another position.")
        if before is not None and position <= before["position"]:
            faults.append(f"Line {number}: event {event['id']} stands behind a later one: the order was changed.")
        linked = before is None or position != before["position"] + 1 or event["previous_hash"] == before["hash"]
        if not linked:
            faults.append(f"Line {number}: event {event['id']} does not follow from the one before it.")
        before = event
    says = f"Events that were not chained yet: {unchained}. Nothing shows whether they were changed."
    return Verdict(faults, says if unchained else "")


def main(arguments: list[str]) -> int:
    """Verifies one file; 0 when it is intact, 1 when not, 2 when it cannot be read."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m accounts.audit.canonical export.jsonl\n")
        return 2
    try:
        with Path(arguments[0]).open(encoding="utf-8") as file:
            faults, unchained = verify_lines(file)
    except (OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.writelines(f"{says}\n" for says in (*faults, unchained) if says)
    sys.stdout.write("NOT intact.\n" if faults else "Intact: every event is as it was written.\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
