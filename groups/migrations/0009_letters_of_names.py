"""Indexes for one or two letters: on SQLite too, and of the names of groups and connectors (ADR 0064)."""

from typing import Any

from django.db import migrations

from groups import search_index


def make(_apps: Any, schema_editor: Any) -> None:
    """SQLite's are made anew, of texts with an end; of PostgreSQL's, those that are new."""
    if schema_editor.connection.vendor == "sqlite":
        search_index.make(schema_editor.connection)
    else:
        search_index.make_short(schema_editor.connection, "group_name_letters", "connector_name_letters")


class Migration(migrations.Migration):
    dependencies = [
        ("connectors", "0007_usage_of_connectors"),
        ("groups", "0008_groups_at_the_top"),
    ]

    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
