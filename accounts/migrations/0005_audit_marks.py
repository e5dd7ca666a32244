"""Every audit event gets the console's mark, and the newest seal says that the trail ends there.

Whatever was done to older rows is still found by their hashes and seals: the mark says only that they were there now.
"""

from django.db import migrations, models

from accounts.audit import marks, seals
from kaizala_console.lib import crypto

AT_ONCE = 1000


def mark(apps, schema_editor):
    AuditEvent = apps.get_model("accounts", "AuditEvent")
    after = 0
    while events := list(AuditEvent.objects.filter(pk__gt=after).order_by("pk")[:AT_ONCE]):
        for event in events:
            event.mark = marks.made_for(marks.told_by(event))
        AuditEvent.objects.bulk_update(events, ["mark"], batch_size=200)
        after = events[-1].pk


def _newest_in_turn(apps, is_so, tag_of):
    seal = apps.get_model("accounts", "AuditSeal").objects.order_by("-position").first()
    try:
        if seal is not None and is_so(seal):
            seal.tag = tag_of(seal)
            seal.save(update_fields=["tag"])
    except crypto.UnknownKey:
        pass  # `verify_audit` names the pepper that is missing


def end(apps, schema_editor):
    _newest_in_turn(apps, seals.says_it_went_on, seals.as_the_end)


def go_on(apps, schema_editor):
    _newest_in_turn(apps, seals.says_it_ends, seals.as_passed)


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0004_first_steps"),
    ]

    operations = [
        migrations.AddField(
            model_name="auditevent",
            name="mark",
            field=models.CharField(blank=True, default="", editable=False, max_length=100),
            preserve_default=False,
        ),
        migrations.RunPython(mark, migrations.RunPython.noop),
        migrations.RunPython(end, go_on),
    ]
