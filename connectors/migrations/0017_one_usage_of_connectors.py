"""The use of connectors by the hour and by the day stands in one table."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Q

COPIED = """
INSERT INTO connectors_connectorusage
  (connector_id, bucket, at, operation, scope, calls, refused, throttled, failed)
SELECT connector_id, '{bucket}', {at}, operation, {scope}, calls, refused, throttled, failed FROM {table}"""
MIDNIGHT = {"sqlite": "day || ' 00:00:00'", "postgresql": "CAST(day AS timestamp) AT TIME ZONE 'UTC'"}


def copy(_apps: Any, schema_editor: Any) -> None:
    midnight = MIDNIGHT[schema_editor.connection.vendor]
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(COPIED.format(bucket="hour", at="hour", scope="scope", table="connectors_connectorhour"))
        cursor.execute(COPIED.format(bucket="day", at=midnight, scope="''", table="connectors_connectorday"))
    if schema_editor.connection.vendor == "postgresql":  # which else refuses to change a table with checks to come
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        schema_editor.execute("SET CONSTRAINTS ALL DEFERRED")


class Migration(migrations.Migration):
    dependencies = [("connectors", "0016_use_of_tokens")]

    operations = [
        migrations.CreateModel(
            name="ConnectorUsage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("calls", models.PositiveBigIntegerField(default=0, verbose_name="calls")),
                ("refused", models.PositiveBigIntegerField(default=0, verbose_name="refused")),
                ("throttled", models.PositiveBigIntegerField(default=0, verbose_name="throttled")),
                ("failed", models.PositiveBigIntegerField(default=0, verbose_name="failed")),
                (
                    "bucket",
                    models.CharField(choices=[("hour", "hour"), ("day", "day")], max_length=4, verbose_name="bucket"),
                ),
                ("at", models.DateTimeField(verbose_name="begins at")),
                ("operation", models.CharField(max_length=120, verbose_name="operation")),
                ("scope", models.CharField(blank=True, help_text="Of an hour.", max_length=32, verbose_name="scope")),
                (
                    "connector",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="connectors.connector",
                        verbose_name="connector",
                    ),
                ),
            ],
            options={
                "verbose_name": "usage of a connector",
                "verbose_name_plural": "usage of connectors",
                "ordering": ["-at", "connector", "operation"],
                "indexes": [models.Index(fields=["bucket", "at"], name="connector_usage_by_time")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("connector", "bucket", "at", "operation"),
                        name="one_row_a_connector_bucket_and_operation",
                    ),
                    models.CheckConstraint(condition=Q(bucket__in=["hour", "day"]), name="usage_bucket_is_known"),
                    models.CheckConstraint(
                        condition=Q(calls__gte=F("refused") + F("throttled") + F("failed")),
                        name="connector_usage_outcomes_are_calls",
                    ),
                ],
            },
        ),
        migrations.RunPython(copy, migrations.RunPython.noop),
        migrations.DeleteModel(name="ConnectorDay"),
        migrations.DeleteModel(name="ConnectorHour"),
    ]
