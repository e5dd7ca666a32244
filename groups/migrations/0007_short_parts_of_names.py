"""Indexes for people whom somebody looks for by one or two letters (ADR 0064)."""

from typing import Any

from django.db import migrations

from groups import search_index


def make(_apps: Any, schema_editor: Any) -> None:
    search_index.make_short(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("groups", "0006_lists_of_a_million")]

    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
