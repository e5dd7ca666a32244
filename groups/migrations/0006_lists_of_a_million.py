"""Indexes for long lists: what a bot posted last, and on PostgreSQL names and numbers by any part (ADR 0064)."""

from typing import Any

import django.db.models.deletion
import django.db.models.functions.text
import structlog
from django.db import DatabaseError, migrations, models, transaction

log = structlog.get_logger(__name__)

TRIGRAMS = {
    "person_name_parts": "accounts_person USING gin (UPPER(name::text) gin_trgm_ops)",
    "person_number_parts": "accounts_person USING gin (number gin_trgm_ops)",
    "group_name_parts": "groups_group USING gin (UPPER(name::text) gin_trgm_ops)",
    "connector_name_parts": "connectors_connector USING gin (UPPER(name::text) gin_trgm_ops)",
    "person_value_parts": "groups_personattributevalue USING gin (UPPER(text::text) gin_trgm_ops)",
}


def make(_apps: Any, schema_editor: Any) -> None:
    """Without pg_trgm, which its owner may not let us add, the same is found, only slower."""
    if schema_editor.connection.vendor != "postgresql":
        return
    try:
        with transaction.atomic(using=schema_editor.connection.alias), schema_editor.connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            for name, rest in TRIGRAMS.items():
                cursor.execute(f"CREATE INDEX {name} ON {rest}")
    except DatabaseError as error:
        log.warning("search_without_index", error=type(error).__name__, why=str(error))


def drop(_apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX IF EXISTS {', '.join(TRIGRAMS)}")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_first_steps"),
        ("connectors", "0003_webhook_answers"),
        ("groups", "0005_media_of_people"),
    ]

    operations = [
        migrations.AlterField(
            model_name="action",
            name="bot",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="connectors.bot",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="bot",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="Of that connector; then it is what people see as the sender.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="connectors.bot",
            ),
        ),
        migrations.AddIndex(
            model_name="action",
            index=models.Index(
                condition=models.Q(("bot__isnull", False)),
                fields=["bot", "-sent_at", "-id"],
                name="action_by_bot",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("bot__isnull", False)),
                fields=["bot", "-sent_at", "-id"],
                name="message_by_bot",
            ),
        ),
        migrations.AddIndex(
            model_name="personattributevalue",
            index=models.Index(
                models.F("attribute"), django.db.models.functions.text.Upper("text"), name="person_value_by_text"
            ),
        ),
        migrations.RunPython(make, drop),
    ]
