"""Gives each name to the organisation that it came from: that of the person's account, or the only one that knows them.

A name that several organisations may have given is forgotten.
"""

from collections import defaultdict
from itertools import islice
from typing import Any
from uuid import UUID

import structlog
from django.db import DatabaseError, migrations, transaction

log = structlog.get_logger(__name__)


def give(apps: Any, _schema_editor: Any) -> None:
    phones = apps.get_model("accounts", "VerifiedPhone").objects.filter(released_at=None)
    accounts: dict[UUID, UUID] = dict(phones.values_list("person_id", "user__organisation_id"))
    knowing: dict[UUID, set[UUID]] = defaultdict(set)
    for model in ("Membership", "Subscription"):
        rows = apps.get_model("groups", model).objects.exclude(group__organisation=None)
        for person, organisation in rows.values_list("person_id", "group__organisation_id").iterator():
            knowing[person].add(organisation)
    names = apps.get_model("accounts", "PersonName")
    people = apps.get_model("accounts", "Person").objects.exclude(name="").values_list("pk", "name").iterator()
    while some := list(islice(people, 1000)):
        made = []
        for person, name in some:
            organisation = accounts.get(person)
            if organisation is None and len(knowing[person]) == 1:
                (organisation,) = knowing[person]
            if organisation is not None:
                made.append(names(organisation_id=organisation, person_id=person, name=name))
        names.objects.bulk_create(made, ignore_conflicts=True)


def add_index(_apps: Any, schema_editor: Any) -> None:
    """Without pg_trgm, which its owner may not let us add, the same is found, only slower."""
    if schema_editor.connection.vendor != "postgresql":
        return
    try:
        with transaction.atomic(using=schema_editor.connection.alias), schema_editor.connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            cursor.execute(
                "CREATE INDEX person_name_trigrams ON accounts_personname USING gin (UPPER(name::text) gin_trgm_ops)"
            )
    except DatabaseError as error:
        log.warning("search_without_index", error=type(error).__name__, why=str(error))


class Migration(migrations.Migration):
    dependencies = [("accounts", "0014_names_by_organisation"), ("groups", "0012_search_by_trigrams")]
    operations = [
        migrations.RunPython(give, migrations.RunPython.noop),
        migrations.RunPython(add_index, migrations.RunPython.noop),
    ]
