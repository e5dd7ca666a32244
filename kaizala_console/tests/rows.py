"""All rows of some tables, to check that nothing has changed."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection
from django.db.models import Model


def rows_of(models: Iterable[type[Model]]) -> dict[str, list[str]]:
    """Returns the rows of each model by its name, as the database gives them: doors are tried by the hundred, and
    Django would make every value a Python object twice for each.
    """
    found = {}
    with connection.cursor() as cursor:
        for model in models:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(model._meta.db_table)}")  # noqa: S608 - our own
            found[model.__name__] = sorted(map(repr, cursor.fetchall()))
    return found
