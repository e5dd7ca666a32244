"""What the pages of a connector with a hundred thousand grants go by (ADR 0064)."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Max, Min, OuterRef, Subquery
from django.db.models.functions import Coalesce, Greatest

AT_ONCE = 2000


def fill(apps: Any, schema_editor: Any) -> None:
    """Tells each token its connector, and each connector when its tokens were used."""
    models_of = {name: apps.get_model("connectors", name) for name in ("Grant", "RefreshToken", "ConnectorUse")}
    tokens = models_of["RefreshToken"].objects
    of_grant = models_of["Grant"].objects.filter(pk=OuterRef("grant_id")).values("connector_id")
    tokens.update(connector_id=Subquery(of_grant))
    used = (
        tokens.exclude(first_used_at=None, last_used_at=None)
        .order_by()
        .values("connector_id")
        .annotate(
            first=Min("first_used_at"),
            last=Max(
                Greatest(
                    Coalesce(F("last_used_at"), F("first_used_at")), Coalesce(F("first_used_at"), F("last_used_at"))
                )
            ),
        )
    )
    rows = (
        models_of["ConnectorUse"](connector_id=row["connector_id"], first_at=row["first"], last_at=row["last"])
        for row in used.iterator(chunk_size=AT_ONCE)
    )
    models_of["ConnectorUse"].objects.bulk_create(rows, batch_size=AT_ONCE)
    if schema_editor.connection.vendor == "postgresql":  # which else refuses to change a table with checks to come
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        schema_editor.execute("SET CONSTRAINTS ALL DEFERRED")


class Migration(migrations.Migration):
    dependencies = [("connectors", "0003_webhook_answers")]

    operations = [
        migrations.CreateModel(
            name="ConnectorUse",
            fields=[
                (
                    "connector",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="use",
                        serialize=False,
                        to="connectors.connector",
                    ),
                ),
                ("first_at", models.DateTimeField(blank=True, null=True, verbose_name="first use")),
                ("last_at", models.DateTimeField(verbose_name="last use")),
            ],
            options={
                "verbose_name": "use of a connector",
                "verbose_name_plural": "use of connectors",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("first_at__isnull", True), ("first_at__lte", F("last_at")), _connector="OR"
                        ),
                        name="connector_use_begins_before_it_ends",
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="refreshtoken",
            name="connector",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="connectors.connector",
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="refreshtoken",
            name="connector",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="connectors.connector",
            ),
        ),
        migrations.AddIndex(
            model_name="refreshtoken",
            index=models.Index(
                condition=models.Q(("reported_at__isnull", True), ("revoked_at__isnull", True)),
                fields=["connector", "expires_at"],
                name="refresh_token_of_connector",
            ),
        ),
        migrations.AddIndex(
            model_name="grant",
            index=models.Index(
                condition=models.Q(("revoked_at__isnull", False)),
                fields=["connector", "-granted_at", "-id"],
                name="grant_ended_by_connector",
            ),
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
                fields=["connector", "expires_at"],
                name="handoff_waiting_of_connector",
            ),
        ),
        migrations.AddIndex(
            model_name="accessrequest",
            index=models.Index(
                condition=models.Q(
                    ("approved_at__isnull", True),
                    ("expired_at__isnull", True),
                    ("refused_at__isnull", True),
                    ("withdrawn_at__isnull", True),
                ),
                fields=["connector", "expires_at"],
                name="request_waiting_of_connector",
            ),
        ),
        migrations.AddIndex(
            model_name="accessrequest",
            index=models.Index(
                condition=models.Q(
                    ("approved_at__isnull", True),
                    ("expired_at__isnull", True),
                    ("refused_at__isnull", True),
                    ("withdrawn_at__isnull", True),
                    ("grant__isnull", False),
                ),
                fields=["grant"],
                name="request_waiting_of_grant",
            ),
        ),
        migrations.AlterField(
            model_name="grant",
            name="connector",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="grants",
                to="connectors.connector",
            ),
        ),
        migrations.AlterField(
            model_name="handoff",
            name="connector",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="handoffs",
                to="connectors.connector",
            ),
        ),
        migrations.AlterField(
            model_name="accessrequest",
            name="connector",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="requests",
                to="connectors.connector",
            ),
        ),
        migrations.AlterField(
            model_name="webhook",
            name="connector",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="webhooks",
                to="connectors.connector",
            ),
        ),
    ]
