"""One signed checkpoint in place of marks and seals. The worker chains the whole trail again, over the events' MACs."""

from django.db import migrations, models

import accounts.models.audit_event
import kaizala_console.lib.clock

AT_ONCE = 1000


def begin_again(apps, schema_editor):
    AuditEvent = apps.get_model("accounts", "AuditEvent")
    after = 0
    while events := list(AuditEvent.objects.filter(pk__gt=after).order_by("pk")[:AT_ONCE]):
        for event in events:
            event.mac = accounts.models.audit_event.new_event_mac()
            event.position, event.previous_hash, event.hash = None, "", ""
        AuditEvent.objects.bulk_update(events, ["mac", "position", "previous_hash", "hash"], batch_size=200)
        after = events[-1].pk


class Migration(migrations.Migration):
    atomic = False  # PostgreSQL alters no table whose rows have just changed

    dependencies = [
        ("accounts", "0012_sessions"),
    ]

    operations = [
        migrations.DeleteModel("AuditSeal"),
        migrations.RenameField("auditevent", "mark", "mac"),
        migrations.RunPython(begin_again, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="auditevent",
            name="mac",
            field=models.CharField(
                default=accounts.models.audit_event.new_event_mac,
                editable=False,
                max_length=100,
                unique=True,
                verbose_name="MAC",
            ),
        ),
        migrations.CreateModel(
            name="AuditCheckpoint",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(
                        default=1, editable=False, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.BigIntegerField(verbose_name="position")),
                ("hash", models.CharField(max_length=64, verbose_name="hash")),
                ("broken_at", models.BigIntegerField(null=True, verbose_name="broken at")),
                ("key_id", models.CharField(max_length=16, verbose_name="key id")),
                ("mac", models.CharField(max_length=64, verbose_name="MAC")),
                ("signed_at", models.DateTimeField(default=kaizala_console.lib.clock.now, verbose_name="signed at")),
            ],
            options={
                "verbose_name": "audit checkpoint",
                "verbose_name_plural": "audit checkpoints",
                "constraints": [models.CheckConstraint(condition=models.Q(("pk", 1)), name="one_audit_checkpoint")],
            },
        ),
    ]
