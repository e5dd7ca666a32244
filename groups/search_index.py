"""The indexes by which people are found by any part of a name, a number, or what is noted of them (ADR 0064).

PostgreSQL has indexes of trigrams (`pg_trgm`), also for the names of groups and connectors; and of single letters and
pairs, for what is shorter (`lib.name_parts`), which need no extension.
SQLite has them in tables of their own (FTS5), which triggers keep: so whoever writes people or values, by whatever way,
need not know of it. Two characters that nobody writes stand behind each text there, so that at each of its letters a
trigram begins: what is shorter is found by the trigrams that begin with it, which `groups_…_terms` tell. A later
migration that rebuilds `accounts_person` or `groups_personattributevalue` on SQLite loses the triggers, and calls
`make` again.
"""

from __future__ import annotations

import sqlite3
from typing import Final

import structlog
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import DatabaseError

from kaizala_console.lib.name_parts import short_parts

log = structlog.get_logger(__name__)

_EXTENSION: Final = "CREATE EXTENSION IF NOT EXISTS pg_trgm"
_POSTGRESQL: Final = {
    "person_name_parts": "ON accounts_person USING gin (UPPER(name::text) gin_trgm_ops)",
    "person_number_parts": "ON accounts_person USING gin (number gin_trgm_ops)",
    "group_name_parts": "ON groups_group USING gin (UPPER(name::text) gin_trgm_ops)",
    "connector_name_parts": "ON connectors_connector USING gin (UPPER(name::text) gin_trgm_ops)",
    "person_value_parts": "ON groups_personattributevalue USING gin (UPPER(text::text) gin_trgm_ops)",
}
# By the column.
_SHORT: Final = {
    "group_name_letters": ("groups_group", "UPPER(name::text)"),
    "connector_name_letters": ("connectors_connector", "UPPER(name::text)"),
    "person_name_letters": ("accounts_person", "UPPER(name::text)"),
    "person_value_letters": ("groups_personattributevalue", "UPPER(text::text)"),
}
# The rows of accounts_person have no number that stays theirs (VACUUM may give them others): here they have.
_SQLITE: Final = """
CREATE TABLE groups_person_key (key INTEGER PRIMARY KEY, person_id char(32) NOT NULL UNIQUE);
CREATE VIRTUAL TABLE groups_person_parts USING fts5(name, number, content='', tokenize='trigram');
CREATE VIRTUAL TABLE groups_value_parts USING fts5(text, content='', tokenize='trigram');
CREATE VIRTUAL TABLE groups_person_terms USING fts5vocab(groups_person_parts, row);
CREATE VIRTUAL TABLE groups_value_terms USING fts5vocab(groups_value_parts, row);
INSERT INTO groups_person_key(person_id) SELECT id FROM accounts_person;
INSERT INTO groups_person_parts(rowid, name, number)
  SELECT k.key, p.name || char(3, 3), p.number || char(3, 3)
    FROM groups_person_key k JOIN accounts_person p ON p.id = k.person_id;
INSERT INTO groups_value_parts(rowid, text) SELECT id, text || char(3, 3) FROM groups_personattributevalue;
CREATE TRIGGER groups_person_made AFTER INSERT ON accounts_person BEGIN
  INSERT INTO groups_person_key(person_id) VALUES (new.id);
  INSERT INTO groups_person_parts(rowid, name, number)
    SELECT key, new.name || char(3, 3), new.number || char(3, 3) FROM groups_person_key WHERE person_id = new.id;
END;
CREATE TRIGGER groups_person_changed AFTER UPDATE OF name, number ON accounts_person
  WHEN old.name <> new.name OR old.number <> new.number BEGIN
  INSERT INTO groups_person_parts(groups_person_parts, rowid, name, number)
    SELECT 'delete', key, old.name || char(3, 3), old.number || char(3, 3)
      FROM groups_person_key WHERE person_id = old.id;
  INSERT INTO groups_person_parts(rowid, name, number)
    SELECT key, new.name || char(3, 3), new.number || char(3, 3) FROM groups_person_key WHERE person_id = old.id;
END;
CREATE TRIGGER groups_person_gone AFTER DELETE ON accounts_person BEGIN
  INSERT INTO groups_person_parts(groups_person_parts, rowid, name, number)
    SELECT 'delete', key, old.name || char(3, 3), old.number || char(3, 3)
      FROM groups_person_key WHERE person_id = old.id;
  DELETE FROM groups_person_key WHERE person_id = old.id;
END;
CREATE TRIGGER groups_value_made AFTER INSERT ON groups_personattributevalue BEGIN
  INSERT INTO groups_value_parts(rowid, text) VALUES (new.id, new.text || char(3, 3));
END;
CREATE TRIGGER groups_value_changed AFTER UPDATE OF text ON groups_personattributevalue WHEN old.text <> new.text BEGIN
  INSERT INTO groups_value_parts(groups_value_parts, rowid, text) VALUES ('delete', old.id, old.text || char(3, 3));
  INSERT INTO groups_value_parts(rowid, text) VALUES (new.id, new.text || char(3, 3));
END;
CREATE TRIGGER groups_value_gone AFTER DELETE ON groups_personattributevalue BEGIN
  INSERT INTO groups_value_parts(groups_value_parts, rowid, text) VALUES ('delete', old.id, old.text || char(3, 3));
END;
"""
_SQLITE_AWAY: Final = """
DROP TRIGGER IF EXISTS groups_person_made;
DROP TRIGGER IF EXISTS groups_person_changed;
DROP TRIGGER IF EXISTS groups_person_gone;
DROP TRIGGER IF EXISTS groups_value_made;
DROP TRIGGER IF EXISTS groups_value_changed;
DROP TRIGGER IF EXISTS groups_value_gone;
DROP TABLE IF EXISTS groups_person_terms;
DROP TABLE IF EXISTS groups_value_terms;
DROP TABLE IF EXISTS groups_person_parts;
DROP TABLE IF EXISTS groups_value_parts;
DROP TABLE IF EXISTS groups_person_key;
"""


def make(connection: BaseDatabaseWrapper) -> bool:
    """Makes the indexes, anew where they are there already, of all rows. False when the database lets us not.

    That is a PostgreSQL without `pg_trgm`, whose owner may not add it: the same is found there, only slower.
    """
    drop(connection)
    if connection.vendor == "sqlite":
        _run(connection, _SQLITE)
        return True
    make_short(connection)
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(_EXTENSION)
    except DatabaseError as error:
        log.warning("search_without_index", error=type(error).__name__, why=str(error))
        return False
    with connection.cursor() as cursor:
        for name, rest in _POSTGRESQL.items():
            cursor.execute(f"CREATE INDEX {name} {rest}")
    return True


def make_short(connection: BaseDatabaseWrapper, *names: str) -> None:
    """Makes those of letters and pairs, or some of them, anew where they are there already. SQLite has none."""
    if connection.vendor == "sqlite":
        return
    with connection.cursor() as cursor:
        for name in names or _SHORT:
            table, column = _SHORT[name]
            cursor.execute(f"DROP INDEX IF EXISTS {name}")
            cursor.execute(f"CREATE INDEX {name} ON {table} USING gin ({short_parts(column)})")


def drop(connection: BaseDatabaseWrapper) -> None:
    """Takes the indexes away. The extension stays: others may use it."""
    if connection.vendor == "sqlite":
        _run(connection, _SQLITE_AWAY)
        return
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX IF EXISTS {', '.join([*_POSTGRESQL, *_SHORT])}")


def _run(connection: BaseDatabaseWrapper, script: str) -> None:
    """One statement after the other, in the transaction that there is: `executescript` would end it."""
    statement = ""
    with connection.cursor() as cursor:
        for line in script.strip().splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                cursor.execute(statement)
                statement = ""
