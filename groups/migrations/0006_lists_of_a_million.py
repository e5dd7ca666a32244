"""Indexes for lists of a million rows: what a bot posted last, and people by any part of their name (ADR 0064)."""

from typing import Any

import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models

from groups import search_index


def make(_apps: Any, schema_editor: Any) -> None:
    search_index.make(schema_editor.connection)


def drop(_apps: Any, schema_editor: Any) -> None:
    search_index.drop(schema_editor.connection)


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
