"""An index of requests: with it, a search in Activity has an index for each way in which an event may match."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0015_a_person_has_no_name")]

    operations = [
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(
                condition=models.Q(("request_id", ""), _negated=True), fields=["request_id"], name="audit_by_request"
            ),
        ),
    ]
