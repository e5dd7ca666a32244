"""How long a bulk upload of 100,000 lines takes: the check, the run, the same file again, and the export.

    python -m bench.bulk_upload [LINES]        a database of its own: SQLite in a folder that is deleted afterwards
    DATABASE_URL=… python -m bench.bulk_upload     PostgreSQL (a database for trials: demo data goes into it)

Everything runs in this process, as a worker would; prints seconds, lines a second, and the most memory that was taken.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

CHUNKS_PER_TURN = 1000


def main() -> None:
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory(prefix="console-bulk-", ignore_cleanup_errors=True) as folder:
        os.environ |= {
            "CONSOLE_DATA_DIR": folder,
            "SANDBOX_ON_POSTGRESQL": "1",
            "LOG_LEVEL": "error",
            "DJANGO_SETTINGS_MODULE": "kaizala_console.settings",
        }
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        _measure(lines)


def _timed(name: str, lines: int, act: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    result = act()
    seconds = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{name:<32} {seconds:7.1f} s {lines / seconds:10,.0f} lines/s   at most {memory} MB")
    return result


def _copy(lines: int, *of: Any) -> None:
    """The peer: COPY of the same rows into tables with the same indexes, which is the least that PostgreSQL takes."""
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        copies = []
        for rows in of:
            table = rows.model._meta.db_table
            cursor.execute(f"CREATE TABLE copy_of_{table} (LIKE {table} INCLUDING ALL)")
            fields = rows.model._meta.concrete_fields
            query, params = rows.values(*(field.attname for field in fields)).query.sql_with_params()
            with cursor.copy(f"COPY ({query}) TO STDOUT", params) as stream:
                data = b"".join(stream)
            copies.append((f"COPY copy_of_{table} ({', '.join(field.column for field in fields)}) FROM STDIN", data))

        def write() -> None:
            for statement, data in copies:
                with cursor.copy(statement) as stream:
                    stream.write(data)

        _timed("COPY of the same rows", lines, write)
        transaction.set_rollback(True)


def _measure(lines: int) -> None:
    from django.core.files.base import ContentFile
    from django.db import connection

    from accounts.models import Organisation, Person, PersonName, User
    from groups.models import BulkJob, Group, GroupLink, Membership
    from groups.queries.bulk import mapping_rows, user_rows
    from groups.services.bulk import jobs
    from kaizala_console.lib import ids
    from kaizala_console.lib.spreadsheets import csv_lines

    # One process plays web and worker: nothing is sent to a queue.
    vars(jobs)["after_commit"] = lambda *_args, **_kwargs: None
    organisation = Organisation.objects.create(name="Bench", entra_tenant_id=str(ids.new_id()))
    admin = User.objects.create(
        subject=str(ids.new_id()),
        email=f"{ids.new_id()}@bench.example",
        name="Bench",
        organisation=organisation,
        is_organisation_admin=True,
    )
    group = Group.objects.create(name="Everybody", organisation=organisation)
    Membership.objects.create(
        group=group, person=Person.objects.create(number=f"+4930{ids.new_id().int % 10**8:08}"), role="Admin"
    )
    base = 9_000_000_000 + ids.new_id().int % 10**8
    users = [("Phone number", "Name", "Role", "Action")]
    users += [(f"+91{base + n}", f"Person {n}", "Member", "add") for n in range(lines)]

    def upload(kind: str, rows: Sequence[tuple[str, ...]]) -> BulkJob:
        return jobs.upload(
            job_id=ids.new_id(),
            kind=kind,
            file=ContentFile("".join(csv_lines(rows)).encode(), name="bench.csv"),
            by=admin,
            group=group if kind == "users" else None,
            organisation=None if kind == "users" else organisation,
            region="IN",
        )

    def through(kind: str, rows: Sequence[tuple[str, ...]], what: str) -> None:
        job = _timed(f"{what}: upload", lines, lambda: upload(kind, rows))
        _timed(f"{what}: check", lines, lambda: jobs.work(job_id=job.pk))
        jobs.go_on(job=job, by=admin)

        def run() -> None:
            while jobs.work(job_id=job.pk):
                pass

        _timed(f"{what}: run", lines, run)
        job.refresh_from_db()
        print(f"    {job.state}, {job.counts}")

    through("users", users, "users")
    if connection.vendor == "postgresql":
        joined = Membership.objects.filter(group=group).values("person")
        _copy(
            lines, Person.objects.filter(pk__in=joined), PersonName.objects.filter(person__in=joined), joined.values()
        )
    through("users", users, "users again")
    renamed = [users[0], *((number, f"{name} New", role, action) for number, name, role, action in users[1:])]
    through("users", renamed, "users renamed")
    _timed("users: export", lines, lambda: sum(len(line) for line in csv_lines(user_rows(group))))
    through("users", [users[0], *((row[0], "", "", "remove") for row in users[1:])], "users removed")
    Group.objects.bulk_create(
        [Group(name=f"Group {n}", organisation=organisation) for n in range(lines)], batch_size=5000
    )
    mapping = [("Group ID", "Group name", "Parent group ID", "Parent group name", "Action")]
    mapping += [("", f"Group {n}", "", f"Group {n // 20}", "add") for n in range(1, lines)]
    through("mapping", mapping, "parent groups")
    _timed("parent groups: export", lines, lambda: sum(len(line) for line in csv_lines(mapping_rows(organisation))))
    print(f"    {GroupLink.objects.count()} links")
    messages = [("Timestamp", "Group Name", "MessageID", "Sender", "Message Type", "Attachement stored at:")]
    messages += [
        ("2019-03-01T09:30:00Z", f"Group {n % 500}", f"m-{n}", f"+91{base + n % 5000}", "Image", f"https://old/{n}.jpg")
        for n in range(lines)
    ]
    through("messages", messages, "old messages")
    through("messages", messages, "old messages again")


if __name__ == "__main__":
    main()
