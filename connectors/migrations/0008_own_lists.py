"""Indexes for the lists of who owns very many connectors, and of what few connectors are (ADR 0064)."""

from typing import Any

from django.conf import settings
from django.db import migrations, models


def analyze(_apps: Any, schema_editor: Any) -> None:
    """Tells SQLite what the new indexes hold: else it takes the one that it knows nothing of to be the best of all."""
    if schema_editor.connection.vendor == "sqlite":
        for table in ("connector", "handoff"):
            schema_editor.execute(f"ANALYZE connectors_{table}")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_audit_marks"),
        ("connectors", "0007_usage_of_connectors"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="handoff",
            name="handoff_waiting",
        ),
        migrations.RemoveIndex(
            model_name="usertokenrequest",
            name="user_token_request_waiting",
        ),
        migrations.AddIndex(
            model_name="connector",
            index=models.Index(fields=["organisation", "created_at", "id"], name="connector_by_age"),
        ),
        migrations.AddIndex(
            model_name="connector",
            index=models.Index(
                condition=models.Q(("deactivated_at__isnull", False)),
                fields=["organisation", "name", "id"],
                name="connector_deactivated",
            ),
        ),
        migrations.AddIndex(
            model_name="connector",
            index=models.Index(
                condition=models.Q(("suspended_at__isnull", False)),
                fields=["organisation", "name", "id"],
                name="connector_suspended",
            ),
        ),
        migrations.AddIndex(
            model_name="handoff",
            index=models.Index(fields=["-made_at", "-id"], name="handoff_newest"),
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
                fields=["-made_at", "-id"],
                name="handoff_newest_waiting",
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
                fields=["expires_at", "id"],
                name="handoff_waiting",
            ),
        ),
        migrations.AddIndex(
            model_name="leakreport",
            index=models.Index(
                condition=models.Q(("closed_at__isnull", True)), fields=["reported_at", "id"], name="leak_report_open"
            ),
        ),
        migrations.AddIndex(
            model_name="usertokenrequest",
            index=models.Index(
                condition=models.Q(
                    ("confirmed_at__isnull", True),
                    ("expired_at__isnull", True),
                    ("refused_at__isnull", True),
                    ("withdrawn_at__isnull", True),
                ),
                fields=["expires_at", "id"],
                name="user_token_request_waiting",
            ),
        ),
        migrations.RunPython(analyze, migrations.RunPython.noop),
    ]
