"""On PostgreSQL: trigram indexes for the search by a part of a name, a number or a text, in the tables of all apps."""

from typing import Any

import structlog
from django.db import DatabaseError, migrations, transaction

log = structlog.get_logger(__name__)

# Each on an expression, also where there are no letters: an index on the column itself would serve `=` and IN too, and
# where the statistics are old the planner takes it, though it is a thousand times slower than the unique one.
INDEXES = {
    "audit_by_search_text": "accounts_auditevent USING gin (UPPER(search_text) gin_trgm_ops)",
    "person_name_trigrams": "accounts_personname USING gin (UPPER(name::text) gin_trgm_ops)",
    "person_number_parts": "accounts_person USING gin (UPPER(number::text) gin_trgm_ops)",
    "connector_name_parts": "connectors_connector USING gin (UPPER(name::text) gin_trgm_ops)",
    "grant_target_name_parts": "connectors_grant USING gin (UPPER(target_name) gin_trgm_ops)",
    "group_name_parts": "groups_group USING gin (UPPER(name::text) gin_trgm_ops)",
    "person_value_parts": "groups_personattributevalue USING gin (UPPER(text::text) gin_trgm_ops)",
    "archived_group_name_parts": "groups_archivedmessage USING gin (UPPER(group_name) gin_trgm_ops)",
    "archived_sender_parts": "groups_archivedmessage USING gin (UPPER(sender) gin_trgm_ops)",
}


def add_indexes(_apps: Any, schema_editor: Any) -> None:
    """Without pg_trgm, which the owner of the database may not allow, searches find the same, only slower."""
    if schema_editor.connection.vendor != "postgresql":
        return
    try:
        with transaction.atomic(using=schema_editor.connection.alias), schema_editor.connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            for name, rest in INDEXES.items():
                cursor.execute(f"CREATE INDEX {name} ON {rest}")
    except DatabaseError as error:
        log.warning("search_without_index", error=type(error).__name__, why=str(error))


def drop_indexes(_apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX IF EXISTS {', '.join(INDEXES)}")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("connectors", "0001_initial"), ("groups", "0001_initial")]
    operations = [migrations.RunPython(add_indexes, drop_indexes)]
