"""A query that is put together once gives what its QuerySet gives, on every run anew."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models, transaction
from django.db.models import F
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from kaizala_console.lib.prepared import Parameter, Prepared

pytestmark = [pytest.mark.django_db, pytest.mark.both, pytest.mark.postgresql]


def select(codename: Parameter | str, app: Parameter | str = "auth") -> models.QuerySet[Permission]:
    found = Permission.objects.select_related("content_type").annotate(app=F("content_type__app_label"))
    return found.filter(codename=codename, content_type__app_label=app, pk__gte=0).order_by("pk")


BY_CODENAME = Prepared(select, codename=models.CharField(), app=models.CharField())


def test_instances_are_those_of_the_queryset_with_what_it_selects_and_annotates() -> None:
    for codename in ("add_group", "change_permission", "no_such", "add_group"):
        ordinary = list(select(codename))
        prepared = BY_CODENAME.all(codename=codename, app="auth")
        with CaptureQueriesContext(connection) as captured:
            seen = [(each.pk, each.name, each.content_type.model, vars(each)["app"]) for each in prepared]
        assert seen == [(each.pk, each.name, each.content_type.model, vars(each)["app"]) for each in ordinary]
        assert not captured
        assert prepared == ordinary
    assert BY_CODENAME.first(codename="add_group", app="sites") is None


def test_rows_are_those_of_values_list() -> None:
    def select_rows(model: Parameter | str) -> models.QuerySet[ContentType, tuple[int, str]]:
        return ContentType.objects.filter(model=model).values_list("pk", "model")

    rows = Prepared(select_rows, model=models.CharField())
    expected = list(select_rows("group"))
    assert rows.all(model="group") == expected
    assert expected


def test_each_run_asks_the_database() -> None:
    assert BY_CODENAME.first(codename="add_group", app="auth") is not None
    Permission.objects.filter(codename="add_group").update(codename="renamed")
    assert BY_CODENAME.first(codename="add_group", app="auth") is None
    with CaptureQueriesContext(connection) as captured:
        assert BY_CODENAME.first(codename="renamed", app="auth") is not None
    assert len(captured) == 1


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="prepares on PostgreSQL alone")
def test_the_statement_is_prepared_once() -> None:
    for _number in range(3):
        BY_CODENAME.first(codename="add_group", app="auth")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%%auth_permission%%'")
        assert cursor.fetchone() == (1,)


def test_within_a_transaction_that_has_failed_nothing_runs() -> None:
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            BY_CODENAME.first(codename="add_group", app="auth")
