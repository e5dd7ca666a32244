"""Drops what searched by one or two letters, and SQLite's tables of parts of names (ADR 0064)."""

from typing import Any

from django.db import migrations

SQLITE = [
    *(
        f"DROP TRIGGER IF EXISTS groups_{table}_{moment}"
        for table in ("person", "value")
        for moment in ("made", "changed", "gone")
    ),
    *(
        f"DROP TABLE IF EXISTS groups_{table}"
        for table in ("person_terms", "value_terms", "person_parts", "value_parts", "person_key")
    ),
]
POSTGRESQL = [
    "DROP INDEX IF EXISTS group_name_letters, connector_name_letters, person_name_letters, person_value_letters"
]


def drop(_apps: Any, schema_editor: Any) -> None:
    for statement in SQLITE if schema_editor.connection.vendor == "sqlite" else POSTGRESQL:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("groups", "0011_names_of_fields")]
    operations = [migrations.RunPython(drop, migrations.RunPython.noop)]
