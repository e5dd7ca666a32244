"""When a connector was used first and last, kept beside it: in the transaction that writes it to one of its tokens.

So at every committed moment it is what all its tokens say; and it costs the same with a hundred thousand of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from connectors.models import ConnectorUse


class Use(NamedTuple):
    """From when to when. `first` is None for who does not know when that was."""

    first: dt.datetime | None
    last: dt.datetime


def keep(uses: Mapping[UUID, Use]) -> None:
    """Adds these uses of connectors. Whoever writes them to tokens calls it afterwards, in the same transaction.

    In the order of their keys, and after the tokens: so two that write at once wait for each other, and never both.
    Raises RuntimeError outside a transaction.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("The use of a connector is kept in the transaction that writes that of its tokens.")
    fields = ConnectorUse._meta.concrete_fields  # in the order of `_UPSERT`
    rows = [
        [field.get_db_prep_save(value, connection) for field, value in zip(fields, (key, *uses[key]), strict=True)]
        for key in sorted(uses)
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_UPSERT.format(table=ConnectorUse._meta.db_table), rows)


_UPSERT: Final = """
INSERT INTO {table} (connector_id, first_at, last_at) VALUES (%s, %s, %s)
ON CONFLICT (connector_id) DO UPDATE SET
  first_at = CASE WHEN {table}.first_at IS NULL OR EXCLUDED.first_at < {table}.first_at
    THEN COALESCE(EXCLUDED.first_at, {table}.first_at) ELSE {table}.first_at END,
  last_at = CASE WHEN EXCLUDED.last_at > {table}.last_at THEN EXCLUDED.last_at ELSE {table}.last_at END"""
