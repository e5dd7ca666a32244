"""The names in an event's sentence, to search in; on PostgreSQL with an index of trigrams."""

from typing import Any

import structlog
from django.db import migrations, models, transaction
from django.db.utils import DatabaseError

log = structlog.get_logger(__name__)


def add_index(_apps: Any, schema_editor: Any) -> None:
    """Without pg_trgm, which its owner may not let us add, the same is found, only slower."""
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            cursor.execute(
                "CREATE INDEX audit_by_search_text ON accounts_auditevent USING gin (UPPER(search_text) gin_trgm_ops)"
            )
    except DatabaseError as error:
        log.warning("search_without_index", error=type(error).__name__, why=str(error))


def drop_index(_apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS audit_by_search_text")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_sms_outbox")]

    operations = [
        migrations.AddField(
            model_name="auditevent", name="search_text", field=models.TextField(blank=True, editable=False)
        ),
        migrations.RunPython(add_index, drop_index),
    ]
