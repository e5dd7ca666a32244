"""Each delivery of a webhook says of which type its event is: so a log is narrowed to one by an index (ADR 0064)."""

from typing import Any

from django.db import migrations, models

# One statement: of a large installation, these are millions of rows.
TYPES = """
UPDATE connectors_webhookdelivery SET event_type =
  (SELECT e.event_type FROM connectors_webhookevent e WHERE e.id = connectors_webhookdelivery.event_id)"""


def fill(_apps: Any, schema_editor: Any) -> None:
    """As the events have it."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(TYPES)


def analyze(_apps: Any, schema_editor: Any) -> None:
    """Tells SQLite what the new index holds: else it takes the one that it knows nothing of to be the best of all."""
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("ANALYZE connectors_webhookdelivery")


class Migration(migrations.Migration):
    dependencies = [("connectors", "0008_own_lists")]

    operations = [
        migrations.AddField(
            model_name="webhookdelivery",
            name="event_type",
            field=models.CharField(default="", max_length=32),
            preserve_default=False,
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(fields=["webhook", "event_type", "-id"], name="webhook_delivery_by_type"),
        ),
        migrations.AddConstraint(
            model_name="webhookdelivery",
            constraint=models.CheckConstraint(
                condition=models.Q(("event_type", ""), _negated=True), name="webhook_delivery_has_a_type"
            ),
        ),
        migrations.RunPython(analyze, migrations.RunPython.noop),
    ]
