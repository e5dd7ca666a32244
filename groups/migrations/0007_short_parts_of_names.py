"""Made indexes for one or two letters, which `0012_search_by_trigrams` dropped."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("groups", "0006_lists_of_a_million")]
    operations: list[migrations.operations.base.Operation] = []
