"""Whether a group stands below another one is asked, not kept beside it."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("groups", "0013_names_to_organisations")]

    operations = [
        migrations.RemoveIndex(model_name="group", name="group_at_the_top"),
        migrations.RemoveField(model_name="group", name="stands_below"),
    ]
