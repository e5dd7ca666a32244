"""Which groups stand below no other is kept beside them: the first page of the tree goes by it (ADR 0064)."""

from typing import Any

from django.db import migrations, models
from django.db.models import Exists, OuterRef, Q


def mark(apps: Any, _schema_editor: Any) -> None:
    """As `groups.models.group.is_below_another`: a present group of the same organisation, or a private one of both."""
    above = apps.get_model("groups", "GroupLink").objects.filter(
        Q(parent__organisation=OuterRef("organisation"))
        | Q(parent__organisation__isnull=True, child__organisation__isnull=True),
        child_id=OuterRef("pk"),
        parent__removed_at__isnull=True,
    )
    apps.get_model("groups", "Group").objects.filter(Exists(above)).update(stands_below=True)


def settle(_apps: Any, schema_editor: Any) -> None:
    """SQLite made the table anew, and knows no more how many rows its indexes give, if it knew."""
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("ANALYZE groups_group")


class Migration(migrations.Migration):
    dependencies = [("groups", "0007_short_parts_of_names")]

    operations = [
        migrations.AddField(
            model_name="group",
            name="stands_below",
            field=models.BooleanField(
                db_default=False, default=False, editable=False, verbose_name="stands below another group"
            ),
        ),
        migrations.RunPython(mark, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="group",
            index=models.Index(condition=Q(("stands_below", False)), fields=["name", "id"], name="group_at_the_top"),
        ),
        migrations.RunPython(settle, migrations.RunPython.noop),
    ]
