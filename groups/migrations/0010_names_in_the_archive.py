"""The names that stand in archived messages, once each, and the messages of each name in their order (ADR 0064)."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q


def note(apps: Any, _schema_editor: Any) -> None:
    """The names of the messages that are there."""
    messages = apps.get_model("groups", "ArchivedMessage").objects.order_by()
    names = apps.get_model("groups", "ArchivedName")
    for kind, column in (("group", "group_name"), ("sender", "sender")):
        found = messages.exclude(**{column: ""}).values_list("organisation_id", column).distinct()
        names.objects.bulk_create(
            [names(organisation_id=organisation, kind=kind, name=name) for organisation, name in found.iterator()],
            batch_size=1000,
        )


def settle(_apps: Any, schema_editor: Any) -> None:
    """SQLite does not know how many rows its new indexes give."""
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("ANALYZE groups_archivedmessage")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_first_steps"),
        ("groups", "0009_letters_of_names"),
    ]

    operations = [
        migrations.CreateModel(
            name="ArchivedName",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("group", "Group"), ("sender", "Sender")], max_length=6, verbose_name="kind"
                    ),
                ),
                ("name", models.CharField(max_length=200, verbose_name="name")),
                (
                    "organisation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organisation",
                    ),
                ),
            ],
            options={
                "verbose_name": "archived name",
                "verbose_name_plural": "archived names",
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "kind", "name"), name="archived_name_once"),
                    models.CheckConstraint(condition=~Q(name=""), name="archived_name_is_one"),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="archivedmessage",
            index=models.Index(fields=["organisation", "group_name", "-sent_at", "-id"], name="archived_by_group"),
        ),
        migrations.AddIndex(
            model_name="archivedmessage",
            index=models.Index(fields=["organisation", "sender", "-sent_at", "-id"], name="archived_by_sender"),
        ),
        migrations.AddIndex(
            model_name="archivedmessage",
            index=models.Index(
                fields=["organisation", "group_name", "sender", "-sent_at", "-id"], name="archived_by_both"
            ),
        ),
        migrations.RunPython(note, migrations.RunPython.noop),
        migrations.RunPython(settle, migrations.RunPython.noop),
    ]
