"""The use of each connector by all its grants together, and what other lists of a million rows go by (ADR 0064)."""

from typing import Any

import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

# One statement a table: of a large installation, these are millions of rows.
HOURS = """
INSERT INTO connectors_connectorhour (connector_id, hour, operation, scope, calls, refused, throttled, failed)
SELECT g.connector_id, u.hour, u.operation, MAX(u.scope), SUM(u.calls), SUM(u.refused), SUM(u.throttled), SUM(u.failed)
  FROM connectors_usagehour u JOIN connectors_grant g ON g.id = u.grant_id GROUP BY 1, 2, 3"""
# From hours: of long ago, days may not be summed up yet (ADR 0059).
DAYS = """
INSERT INTO connectors_connectorday (connector_id, day, operation, calls, refused, throttled, failed)
SELECT connector_id, {day}, operation, SUM(calls), SUM(refused), SUM(throttled), SUM(failed)
  FROM connectors_connectorhour GROUP BY 1, 2, 3"""
DAY = {"sqlite": "date(hour)", "postgresql": "CAST(hour AT TIME ZONE 'UTC' AS date)"}


def fill(_apps: Any, schema_editor: Any) -> None:
    """Sums up what was counted until now; and tells SQLite anew how many rows there are of what it made anew."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(HOURS)
        cursor.execute(DAYS.format(day=DAY[schema_editor.connection.vendor]))
    if schema_editor.connection.vendor == "postgresql":  # which else refuses to change a table with checks to come
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        schema_editor.execute("SET CONSTRAINTS ALL DEFERRED")
    else:
        for table in ("grant", "handoff", "connectorhour", "connectorday"):
            schema_editor.execute(f"ANALYZE connectors_{table}")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_audit_marks"),
        ("connectors", "0006_handoff_webhooks"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ConnectorDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("operation", models.CharField(max_length=120)),
                ("calls", models.PositiveBigIntegerField(default=0)),
                ("refused", models.PositiveBigIntegerField(default=0)),
                ("throttled", models.PositiveBigIntegerField(default=0)),
                ("failed", models.PositiveBigIntegerField(default=0)),
            ],
            options={
                "verbose_name": "usage of a connector in a day",
                "verbose_name_plural": "usage of connectors by the day",
                "ordering": ["-day", "connector", "operation"],
            },
        ),
        migrations.CreateModel(
            name="ConnectorHour",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hour", models.DateTimeField()),
                ("operation", models.CharField(max_length=120)),
                ("scope", models.CharField(blank=True, max_length=32)),
                ("calls", models.PositiveBigIntegerField(default=0)),
                ("refused", models.PositiveBigIntegerField(default=0)),
                ("throttled", models.PositiveBigIntegerField(default=0)),
                ("failed", models.PositiveBigIntegerField(default=0)),
            ],
            options={
                "verbose_name": "usage of a connector in an hour",
                "verbose_name_plural": "usage of connectors by the hour",
                "ordering": ["-hour", "connector", "operation"],
            },
        ),
        migrations.AlterField(
            model_name="grant",
            name="granted_by",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="Empty for somebody without an account here, who let the connector act by a PIN.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="grant",
            index=models.Index(
                condition=models.Q(("revoked_at__isnull", False)),
                fields=["connector", "revoked_at"],
                name="grant_ended_lately",
            ),
        ),
        migrations.AddIndex(
            model_name="grant",
            index=models.Index(fields=["granted_by", "granted_at"], name="grant_by_granter"),
        ),
        migrations.AddIndex(
            model_name="handoff",
            index=models.Index(
                condition=models.Q(
                    ("claimed_at__isnull", True),
                    ("expired_at__isnull", True),
                    ("refused_at__isnull", True),
                    ("withdrawn_at__isnull", True),
                ),
                fields=["connector", "-made_at", "-id"],
                name="handoff_waiting_newest",
            ),
        ),
        migrations.AddField(
            model_name="connectorday",
            name="connector",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="connectors.connector"
            ),
        ),
        migrations.AddField(
            model_name="connectorhour",
            name="connector",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="connectors.connector"
            ),
        ),
        migrations.AddIndex(
            model_name="connectorday",
            index=models.Index(fields=["day"], name="connector_usage_by_day"),
        ),
        migrations.AddConstraint(
            model_name="connectorday",
            constraint=models.UniqueConstraint(
                fields=("connector", "day", "operation"), name="one_row_a_connector_day_and_operation"
            ),
        ),
        migrations.AddConstraint(
            model_name="connectorday",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "calls__gte",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                models.F("refused"), "+", models.F("throttled")
                            ),
                            "+",
                            models.F("failed"),
                        ),
                    )
                ),
                name="connector_day_outcomes_are_calls",
            ),
        ),
        migrations.AddIndex(
            model_name="connectorhour",
            index=models.Index(fields=["hour"], name="connector_usage_by_hour"),
        ),
        migrations.AddConstraint(
            model_name="connectorhour",
            constraint=models.UniqueConstraint(
                fields=("connector", "hour", "operation"), name="one_row_a_connector_hour_and_operation"
            ),
        ),
        migrations.AddConstraint(
            model_name="connectorhour",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "calls__gte",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                models.F("refused"), "+", models.F("throttled")
                            ),
                            "+",
                            models.F("failed"),
                        ),
                    )
                ),
                name="connector_hour_outcomes_are_calls",
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
