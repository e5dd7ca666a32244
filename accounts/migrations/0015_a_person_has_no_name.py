"""The names are where `groups.0013_names_to_organisations` has put them."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0014_names_by_organisation"), ("groups", "0013_names_to_organisations")]
    operations = [
        migrations.AlterModelOptions(
            name="person",
            options={"ordering": ["number"], "verbose_name": "person", "verbose_name_plural": "people"},
        ),
        migrations.RemoveIndex(model_name="person", name="person_by_name"),
        migrations.RemoveField(model_name="person", name="name"),
    ]
