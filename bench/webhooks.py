"""Measures how soon a full queue of webhook deliveries is empty, with one slow receiver among the others.

    python -m bench.webhooks                              SQLite, database cache
    DATABASE_URL=… REDIS_URL=… python -m bench.webhooks   PostgreSQL and Redis (for trials: rows go into them)
    … --workers 2 --slow 10                               more worker processes, more slow receivers

A real console's worker delivers, or several do. Fifty webhooks of five connectors, on fifty groups, get the same number
of events each; the receiver of one of them (`--slow`) answers after five seconds. Printed is when the last delivery of
all others arrived, whether each webhook got its events in order, and what the slow ones had got by then. The receiver
runs on the same machine, and takes its share of the processors: `worker_cpu_ms` is what one delivery costs the workers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.servers import ROOT, console, free_port

SLOW_SECONDS = 5.0
CONNECTORS, WEBHOOKS = 5, 50
WORKER = (
    "celery --app kaizala_console --quiet worker --queues webhooks --concurrency 1 --loglevel ERROR"
    " --without-gossip --without-mingle --without-heartbeat"
)


@contextmanager
def more_workers(number: int, environment: Mapping[str, str]) -> Iterator[None]:
    """Worker processes beside the one that the console has."""
    line = [sys.executable, "-W", "ignore", "-m", *WORKER.split()]
    started = [subprocess.Popen(line, cwd=ROOT, env=dict(environment)) for _ in range(number)]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


def cpu_seconds() -> float:
    """What all worker processes of this console have used of the processors; Linux."""
    ticks, mine = 0, f"CONSOLE_DATA_DIR={os.environ['CONSOLE_DATA_DIR']}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_worker = (
                b"celery\0" in (folder / "cmdline").read_bytes() and b"\0worker\0" in (folder / "cmdline").read_bytes()
            )
            if is_worker and mine in (folder / "environ").read_bytes().split(b"\0"):
                ticks += sum(map(int, (folder / "stat").read_text().rpartition(")")[2].split()[11:13]))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it has ended, or is another's
    return ticks / os.sysconf("SC_CLK_TCK")


def run(number: int, slow: int, patience: float) -> dict[str, Any]:
    """Fill the queue, and wait until all but the slow receivers have everything."""
    import django

    django.setup()
    from django.db import transaction

    from accounts.tests.factories import make_organisation, make_user
    from connectors.permissions import PERMISSIONS
    from connectors.tests.factories import make_connector
    from connectors.tests.receiver import receiving
    from connectors.tests.webhook_cast import make_webhook
    from connectors.webhooks import publish
    from connectors.webhooks.events import Event, WebhookEventType
    from groups.services.connectors import add_connector
    from groups.tests.factories import make_group

    mark, each = time.time_ns() % 10**7, number // WEBHOOKS
    organisation = make_organisation(f"Bench {mark}")
    owner, admin = (make_user(f"{n}", organisation, number=f"+9197{n}{mark:07d}") for n in (1, 2))
    connectors = [make_connector(owner, f"Bench {mark} {n}", permissions=PERMISSIONS) for n in range(CONNECTORS)]
    with receiving() as receiver:
        receiver.slow_seconds = SLOW_SECONDS
        groups = []
        for n in range(WEBHOOKS):
            group = make_group(f"Group {n}", organisation=organisation, admins=[admin])
            granted = add_connector(group=group, connector_id=connectors[n % CONNECTORS].pk, by=admin)
            make_webhook(granted.grant, receiver.url(f"/slow/{n}" if n < slow else f"/take/{n}"), group.pk)
            groups.append(group)
        used = cpu_seconds()
        began = time.perf_counter()
        with transaction.atomic():
            publish.publish(
                *(
                    Event(type=WebhookEventType.TEXT_MESSAGE_CREATED, group_id=group.pk, data={"text": str(text)})
                    for text in range(each)
                    for group in groups
                )
            )
        queued = time.perf_counter()
        fast = (WEBHOOKS - slow) * each
        while (
            sum("/take" in path for path, _headers, _body in list(receiver.arrived)) < fast
            and time.perf_counter() - queued < patience
        ):
            time.sleep(0.1)
        seconds = time.perf_counter() - queued
        used = cpu_seconds() - used
        got: dict[str, list[int]] = {}
        for path, _headers, body in list(receiver.arrived):
            got.setdefault(path, []).append(int(json.loads(body)["data"]["text"]))
        slow_ones_got = [len(got.pop(f"/slow/{n}", [])) for n in range(slow)]
        arrived = sum(len(set(numbers)) for numbers in got.values())
        return {
            "queued": each * WEBHOOKS,
            "seconds_to_queue": round(queued - began, 1),
            "seconds_until_all_others_arrived": round(seconds, 1),
            "deliveries_a_second": round(arrived / seconds, 1),
            "missing": fast - arrived,
            "doubled": sum(len(numbers) - len(set(numbers)) for numbers in got.values()),
            "out_of_order": sum(numbers != sorted(numbers) for numbers in got.values()),
            "slow_ones_got": sum(slow_ones_got),
            "worker_cpu_ms": round(1000 * used / (arrived + sum(slow_ones_got)), 1),
            "most_under_way": receiver.most_under_way,
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.webhooks", description="Measures how soon a full queue of webhook deliveries is empty."
    )
    parser.add_argument("--number", type=int, default=10_000, help="deliveries (10000)")
    parser.add_argument("--workers", type=int, default=1, help="worker processes (1)")
    parser.add_argument("--slow", type=int, default=1, help="webhooks whose receiver is slow (1)")
    parser.add_argument("--patience", type=float, default=900, help="seconds until it gives up (900)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with console(free_port()) as environment:
        os.environ |= environment | {"DJANGO_SETTINGS_MODULE": "kaizala_console.settings"}
        os.chdir(ROOT)
        with more_workers(options.workers - 1, os.environ):
            facts = run(options.number, options.slow, options.patience)
    if options.json:
        print(json.dumps(facts))
    else:
        for name, value in facts.items():
            print(f"{value:>10}  {name.replace('_', ' ')}")
    if facts["missing"] or facts["out_of_order"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
