"""Counts that stop, and how people read them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import OuterRef
from django.test.utils import CaptureQueriesContext

from kaizala_console.lib import bounded
from kaizala_console.lib.bounded import Bounded, BoundedCount
from kaizala_console.templatetags.counts import counted

pytestmark = pytest.mark.postgresql


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0"),
        (999, "999"),
        (123456, "123,456"),
        (Bounded(1000), "1,000"),
        (Bounded(1001), "1,000+"),
        ("1,204", "1,204"),
    ],
)
def test_only_a_count_that_stopped_says_that_there_are_more(number: object, said: str) -> None:
    assert counted(number) == said


@pytest.mark.parametrize("most", [1, 2, 100])
def test_it_counts_no_further_than_it_says(db: None, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(bounded, "MOST", most)
    kind = ContentType.objects.get_for_model(Permission)
    there = Permission.objects.filter(content_type=kind).count()
    rows = Permission.objects.filter(content_type=OuterRef("pk")).order_by("codename")
    with CaptureQueriesContext(connection) as asked:
        found = ContentType.objects.filter(pk=kind.pk).values_list(BoundedCount(rows), flat=True).get()
        assert found == bounded.count(Permission.objects.filter(content_type=kind)) == min(there, most + 1)
    assert (isinstance(found, Bounded), found.is_more) == (True, there > most)
    assert len(asked) == 2
    assert all(f"LIMIT {most + 1}" in query["sql"] for query in asked)
