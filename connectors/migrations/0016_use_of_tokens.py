"""When a connector was used first and last is read from its tokens, by an index of each, and not kept beside them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connectors", "0015_search_by_target")]

    operations = [
        migrations.DeleteModel(name="ConnectorUse"),
        migrations.AddIndex(
            model_name="refreshtoken",
            index=models.Index(
                condition=models.Q(("first_used_at__isnull", False)),
                fields=["connector", "first_used_at"],
                name="refresh_token_first_used",
            ),
        ),
        migrations.AddIndex(
            model_name="refreshtoken",
            index=models.Index(
                condition=models.Q(("last_used_at__isnull", False)),
                fields=["connector", "last_used_at"],
                name="refresh_token_last_used",
            ),
        ),
    ]
