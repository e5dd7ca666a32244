"""Pagination by key, held against plain slicing; and counts that stop."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import (
    BooleanField,
    Case,
    CharField,
    DateField,
    DecimalField,
    Field,
    OuterRef,
    QuerySet,
    UUIDField,
    Value,
    When,
)
from django.db.models.functions import Upper
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from kaizala_console.lib import bounded, pagination
from kaizala_console.lib.bounded import Bounded, BoundedCount
from kaizala_console.templatetags.counts import counted
from kaizala_console.tests import plans

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 24, tzinfo=UTC)
ORDERS = [
    ("session_key",),
    ("-expire_date", "-session_key"),
    ("-expire_date", "session_key"),
    ("expire_date", "-session_key"),
    ("session_data", "-expire_date", "session_key"),
    ("-session_data", "-expire_date", "-session_key"),
]
Session: Any = apps.get_model("accounts", "Session")


def add_sessions(moments: list[int], texts: str = "x") -> None:
    """Sessions serve as rows here: a unique text, a moment and a text that may both have ties."""
    Session.objects.bulk_create(
        Session(
            session_key=f"key-{number:04}",
            expire_date=START + timedelta(microseconds=moment),
            session_data=texts[number % len(texts)],
        )
        for number, moment in enumerate(moments)
    )


def keys(rows: list[Any]) -> list[str]:
    return [row.session_key for row in rows]


def walk(queryset: QuerySet[Any, Any], order: tuple[str, ...], size: int) -> list[pagination.Page[Any]]:
    """All pages from the first on."""
    pages = [pagination.paginate(queryset, order, None, size)]
    while pages[-1].next_cursor:
        pages.append(pagination.paginate(queryset, order, pages[-1].next_cursor, size))
        assert len(pages) < 500, "the pages go round in circles"
    return pages


def assert_pages_are_slices(order: tuple[str, ...], size: int) -> None:
    """Walk forwards to the end and backwards to the beginning."""
    whole = keys(list(Session.objects.order_by(*order)))
    slices = [whole[start : start + size] for start in range(0, len(whole), size)] or [[]]
    forwards = walk(Session.objects.all(), order, size)
    assert [keys(page.items) for page in forwards] == slices

    page = forwards[-1]
    backwards = [keys(page.items)]
    while page.previous_cursor:
        page = pagination.paginate(Session.objects.all(), order, page.previous_cursor, size)
        backwards.append(keys(page.items))
        assert len(backwards) < 500, "the pages go round in circles"
    assert backwards == slices[::-1]


@pytest.mark.postgresql
@hypothesis_settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moments=st.lists(st.integers(min_value=0, max_value=3), max_size=25),
    order=st.sampled_from(ORDERS),
    size=st.integers(min_value=1, max_value=9),
)
def test_pages_forwards_and_backwards_are_the_slices_of_the_whole(
    moments: list[int], order: tuple[str, ...], size: int
) -> None:
    Session.objects.all().delete()
    add_sessions(moments, "aab")
    assert_pages_are_slices(order, size)


def first_page(order: tuple[str, ...] = ("session_key",), size: int = 1) -> pagination.Page[Any]:
    return pagination.paginate(Session.objects.all(), order, "", size)


@pytest.mark.postgresql
def test_rows_that_come_and_go_between_pages_are_neither_repeated_nor_cause_others_to_be_missed() -> None:
    add_sessions([10, 20, 30, 40])
    order = ("expire_date", "session_key")
    first = first_page(order, 2)
    Session.objects.filter(session_key__in=["key-0000", "key-0001"]).delete()
    Session.objects.create(session_key="early", expire_date=START, session_data="x")
    second = pagination.paginate(Session.objects.all(), order, first.next_cursor, 2)
    assert keys(second.items) == ["key-0002", "key-0003"]


@pytest.mark.postgresql
def test_when_everything_on_one_side_is_gone_the_way_back_includes_the_edge() -> None:
    add_sessions([10, 20, 30, 40])
    order, rows = ("expire_date", "session_key"), Session.objects.all()
    first = first_page(order, 2)
    Session.objects.filter(session_key__in=["key-0002", "key-0003"]).delete()
    nothing = pagination.paginate(rows, order, first.next_cursor, 2)
    assert (nothing.items, nothing.next_cursor) == ([], None)
    back = pagination.paginate(rows, order, nothing.previous_cursor, 1)
    assert keys(back.items) == ["key-0001"]
    Session.objects.filter(session_key="key-0000").delete()
    nothing = pagination.paginate(rows, order, back.previous_cursor, 2)
    assert (nothing.items, nothing.previous_cursor) == ([], None)
    assert keys(pagination.paginate(rows, order, nothing.next_cursor, 2).items) == ["key-0001"]


@pytest.mark.postgresql
def test_filters_paths_values_and_annotations_work() -> None:
    kinds = [ContentType.objects.create(app_label=f"app{n}", model="thing") for n in range(3)]
    Permission.objects.all().delete()
    for n in range(9):
        Permission.objects.create(name=f"n{n % 2}", codename=f"c{n}", content_type=kinds[n % 3])
    permissions = Permission.objects.annotate(shout=Upper("name", output_field=CharField()))
    for queryset, order in [
        (permissions.select_related("content_type"), ("content_type__app_label", "id")),
        (permissions, ("-shout", "pk")),
        (permissions.filter(name="n1"), ("-content_type_id", "-pk")),
        (permissions.values("id", "name"), ("name", "-id")),
    ]:
        rows = [row for page in walk(queryset, order, 2) for row in page.items]
        assert rows == list(queryset.order_by(*order)), order


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("field", "value"),
    [
        (UUIDField(), UUID("019aaaaa-0000-7000-8000-000000000001")),
        (DecimalField(max_digits=9, decimal_places=2), Decimal("12.50")),
        (DateField(), date(2026, 11, 24)),
        (BooleanField(), True),
    ],
)
def test_a_column_of_any_type_can_be_ordered_by(field: Field[Any, Any], value: Any) -> None:
    add_sessions([1, 2, 3])
    rows = Session.objects.annotate(
        same=Case(When(session_key="none", then=Value(None)), default=Value(value), output_field=field)
    )
    for order in (("same", "session_key"), ("-same", "session_key")):
        walked = [row for page in walk(rows, order, 1) for row in page.items]
        assert keys(walked) == ["key-0000", "key-0001", "key-0002"]


@pytest.mark.postgresql
@pytest.mark.parametrize("order", [("-expire_date", "-session_key"), ("expire_date", "-session_key")])
def test_a_page_far_down_is_found_through_the_index(order: tuple[str, ...]) -> None:
    columns = ", ".join(f"{name.removeprefix('-')} {'DESC' if name.startswith('-') else 'ASC'}" for name in order)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE INDEX keyset_test ON {Session._meta.db_table} ({columns})")
    add_sessions([moment // 3 for moment in range(3000)])
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {Session._meta.db_table}")
    middle = first_page(order, 1500)
    with CaptureQueriesContext(connection) as queries:
        pagination.paginate(Session.objects.all(), order, middle.next_cursor, 5)
    [query] = queries.captured_queries
    assert "LIMIT 6" in query["sql"]
    assert "OFFSET" not in query["sql"]
    plan = "\n".join(plans.steps_of([query["sql"]], measured=True))
    if connection.vendor == "sqlite":
        assert f"SEARCH {Session._meta.db_table} USING INDEX keyset_test" in plan, plan
        assert "TEMP B-TREE" not in plan, plan
    else:
        assert "Index Scan" in plan, plan
        assert "Index Cond" in plan, plan
        assert "->  Sort" not in plan, plan  # "Incremental Sort" of a few ties is fine


def tampered(cursor: str) -> str:
    return cursor[:-2] + ("A" if cursor[-2] != "A" else "B") + cursor[-1]


@pytest.mark.parametrize(
    "spoil",
    [
        tampered,
        lambda cursor: cursor[:10],
        lambda cursor: cursor + "AAAA",
        lambda cursor: "é" * 20,
        lambda cursor: "\0",
        lambda cursor: "A" * 100_000,
        lambda cursor: urlsafe_b64encode(b"\0" * 12 + b'["A","key"]').decode(),
    ],
)
def test_a_cursor_that_is_not_ours_is_refused_cleanly(spoil: Callable[[str], str]) -> None:
    add_sessions([1, 2, 3])
    cursor = first_page().next_cursor
    assert cursor is not None
    with pytest.raises(pagination.BadCursor) as caught:
        pagination.paginate(Session.objects.all(), ("session_key",), spoil(cursor), 1)
    assert (caught.value.code, caught.value.field) == ("bad_cursor", "cursor")


def test_a_cursor_of_another_list_or_order_is_refused() -> None:
    add_sessions([1, 2, 3])
    cursor = first_page().next_cursor
    with pytest.raises(pagination.BadCursor):
        pagination.paginate(Session.objects.all(), ("-session_key",), cursor, 1)
    with pytest.raises(pagination.BadCursor):
        pagination.paginate(Permission.objects.all(), ("id",), cursor, 1)


@given(st.text(min_size=1))
def test_no_text_raises_anything_else(cursor: str) -> None:
    with pytest.raises(pagination.BadCursor):
        pagination.paginate(Session.objects.none(), ("session_key",), cursor, 1)


def test_a_cursor_outlives_the_rotation_of_peppers(settings: Settings) -> None:
    add_sessions([1, 2, 3])
    old = settings.CREDENTIAL_PEPPERS
    cursor = first_page().next_cursor
    settings.CREDENTIAL_PEPPERS = [("newer", b"n" * 32), *old]
    assert keys(pagination.paginate(Session.objects.all(), ("session_key",), cursor, 1).items) == ["key-0001"]
    settings.CREDENTIAL_PEPPERS = [("newer", b"n" * 32)]
    with pytest.raises(pagination.BadCursor):
        pagination.paginate(Session.objects.all(), ("session_key",), cursor, 1)


@pytest.mark.parametrize(
    ("order", "size", "says"),
    [
        ((), 1, "unique"),
        (("expire_date",), 1, "unique"),
        (("nonsense", "session_key"), 1, "no column"),
        (("session_key__nonsense", "session_key"), 1, "no column"),
        (("session_key",), 0, "at least one row"),
    ],
)
def test_a_page_that_can_never_be_right_is_a_programming_error(order: tuple[str, ...], size: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        first_page(order, size)


@pytest.mark.postgresql
def test_null_in_an_order_is_noticed_instead_of_losing_rows() -> None:
    add_sessions([1, 2])
    rows = Session.objects.annotate(nothing=Value(None, output_field=CharField()))
    with pytest.raises(ValueError, match="NULL"):
        pagination.paginate(rows, ("nothing", "session_key"), None, 1)


@pytest.mark.postgresql
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


@pytest.mark.postgresql
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
