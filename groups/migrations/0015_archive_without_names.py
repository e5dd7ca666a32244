"""The archive is searched in its messages, on PostgreSQL by trigrams, and not in names that are kept beside them."""

from typing import Any

from django.db import migrations, transaction
from django.db.utils import DatabaseError


def add_indexes(_apps: Any, schema_editor: Any) -> None:
    """Without pg_trgm, which its owner may not let us add, the same is found, only slower."""
    if schema_editor.connection.vendor != "postgresql":
        return
    try:
        with transaction.atomic(using=schema_editor.connection.alias):
            schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            for column in ("group_name", "sender"):
                schema_editor.execute(
                    f"CREATE INDEX archived_{column}_parts ON groups_archivedmessage"
                    f" USING gin (UPPER({column}) gin_trgm_ops)"
                )
    except DatabaseError:
        pass  # the migrations before have logged it


def drop_indexes(_apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS archived_group_name_parts, archived_sender_parts")


class Migration(migrations.Migration):
    dependencies = [("groups", "0014_groups_without_a_kept_place")]

    operations = [
        migrations.DeleteModel(name="ArchivedName"),
        migrations.RemoveIndex(model_name="archivedmessage", name="archived_by_group"),
        migrations.RemoveIndex(model_name="archivedmessage", name="archived_by_sender"),
        migrations.RemoveIndex(model_name="archivedmessage", name="archived_by_both"),
        migrations.RunPython(add_indexes, drop_indexes),
    ]
