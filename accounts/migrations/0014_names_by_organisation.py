"""What an organisation calls a person is its own: nobody learns from a number what others call it."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0013_audit_checkpoint")]
    operations = [
        migrations.CreateModel(
            name="PersonName",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                (
                    "organisation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organisation",
                        verbose_name="organisation",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="names",
                        to="accounts.person",
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "name of a person",
                "verbose_name_plural": "names of people",
                "indexes": [models.Index(fields=["organisation", "name", "id"], name="person_name_in_order")],
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "person"), name="one_name_in_an_organisation"),
                    models.CheckConstraint(condition=~models.Q(("name", "")), name="person_name_is_one"),
                ],
            },
        ),
    ]
