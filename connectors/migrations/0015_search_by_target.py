"""On PostgreSQL an index of trigrams for the search by part of the name of what a connector was given access to."""

from typing import Any

from django.db import migrations, transaction
from django.db.utils import DatabaseError


def add_index(_apps: Any, schema_editor: Any) -> None:
    """Without pg_trgm, which its owner may not let us add, the same is found, only slower."""
    if schema_editor.connection.vendor != "postgresql":
        return
    try:
        with transaction.atomic(using=schema_editor.connection.alias):
            schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            schema_editor.execute(
                "CREATE INDEX grant_target_name_parts ON connectors_grant USING gin (UPPER(target_name) gin_trgm_ops)"
            )
    except DatabaseError:
        pass  # the migration of accounts has logged it


def drop_index(_apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS grant_target_name_parts")


class Migration(migrations.Migration):
    dependencies = [("connectors", "0014_scope_of_user_tokens")]
    operations = [migrations.RunPython(add_index, drop_index)]
