"""Made more of the indexes of `0007_short_parts_of_names`, which `0012_search_by_trigrams` dropped."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("connectors", "0007_usage_of_connectors"), ("groups", "0008_groups_at_the_top")]
    operations: list[migrations.operations.base.Operation] = []
