"""Indexes for what the Activity page looks for: events of a kind that is rare, and of some days (ADR 0064)."""

from typing import Any

from django.db import migrations, models


def analyze(_apps: Any, schema_editor: Any) -> None:
    """Tells SQLite what the new indexes hold: else it takes the one that it knows nothing of to be the best of all."""
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("ANALYZE accounts_auditevent")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_audit_marks")]

    operations = [
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["tag", "id"], name="audit_by_tag"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["at"], name="audit_by_time"),
        ),
        migrations.RunPython(analyze, migrations.RunPython.noop),
    ]
