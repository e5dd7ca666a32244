from django.db import migrations, models


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
    ]
