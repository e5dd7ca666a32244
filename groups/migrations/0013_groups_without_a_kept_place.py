"""Whether a group stands below another one is asked, not kept beside it."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("groups", "0012_search_by_trigrams")]

    operations = [
        migrations.RemoveIndex(model_name="group", name="group_at_the_top"),
        migrations.RemoveField(model_name="group", name="stands_below"),
    ]
