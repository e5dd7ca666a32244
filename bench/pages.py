"""Measures the first load of the main pages in a browser: bytes on the wire, and when it is there and stands still.

    python -m bench pages           a console of its own, SQLite; needs Chromium (or CHROMIUM=/path/to/it)

Each page is opened with an empty cache, by the people of the demo organisation. Bytes are what Chromium received,
headers and all, as compressed as the console sends them; the budget holds for all of a page's requests together. Times
are for this machine: largest paint, and how long scripts held the page up beyond 50 ms at a time (both in ms).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from bench.servers import ROOT, console, free_port

BUDGET_KB = 150
# The API's viewer, Swagger UI, is fetched on its own page alone (ADR 0055).
BUDGETS_KB = {"The API": 600}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LINE = "{kb:>7} kB {requests:>4} requests {largest_paint_ms:>6} ms {blocked_ms:>5} ms blocked  shift {shift:<7} {page}"
OBSERVE = """
window.measured = { lcp: 0, cls: 0, blocked: 0 };
const watch = (type, note) =>
  new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type, buffered: true });
watch("largest-contentful-paint", (entry) => (measured.lcp = entry.startTime));
watch("layout-shift", (entry) => entry.hadRecentInput || (measured.cls += entry.value));
watch("longtask", (entry) => (measured.blocked += Math.max(0, entry.duration - 50)));
"""


def measure(browser: Browser, base: str, state: Any, name: str, path: str) -> dict[str, Any]:
    """Opens one page with an empty cache."""
    context = browser.new_context(base_url=base, storage_state=state, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.add_init_script(OBSERVE)
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    received: list[float] = []
    asked: list[str] = []
    wire.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    wire.on("Network.requestWillBeSent", lambda event: asked.append(event["request"]["url"]))
    answer = page.goto(path, wait_until="networkidle")
    assert answer is not None
    assert answer.ok, f"{path}: {answer.status}"
    page.wait_for_timeout(200)
    seen = page.evaluate("measured")
    context.close()
    return {
        "page": name,
        "kb": round(sum(received) / 1000, 1),
        "requests": len(asked),
        "elsewhere": [url for url in asked if not url.startswith((base, "data:"))],
        "largest_paint_ms": round(seen["lcp"]),
        "shift": round(seen["cls"], 4),
        "blocked_ms": round(seen["blocked"]),
    }


def sign_in(browser: Browser, base: str, name: str) -> tuple[Any, Page]:
    """One of the sandbox's identities; gives the cookies."""
    context = browser.new_context(base_url=base)
    page = context.new_page()
    page.goto("/sandbox/identities")
    page.get_by_role("button", name=re.compile(name)).click()
    page.wait_for_url("**/console/**")
    return context.storage_state(), page


def pages_of(environment: dict[str, str]) -> tuple[str, str]:
    """A connector and a group with something in them, made by the demo command."""
    made = subprocess.run(
        [sys.executable, "manage.py", "demo", "--json"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    facts = json.loads(made.stdout)
    return facts["connectorId"], facts["groupId"]


def run(chromium: str) -> list[dict[str, Any]]:
    """Every page, once."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with console(port) as environment, sync_playwright() as playwright:
        connector, group = pages_of(environment)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        developer, _page = sign_in(browser, base, "Devika Rao")
        admin, _page = sign_in(browser, base, "Farah Khan")
        lines = [
            measure(browser, base, state, name, path)
            for name, state, path in (
                ("Sign-in", None, "/accounts/login/"),
                ("Home, first visit", developer, "/console/"),
                ("Home", admin, "/console/"),
                ("Connectors", developer, "/console/connectors/"),
                ("A connector", developer, f"/console/connectors/{connector}/"),
                ("Groups", admin, "/console/groups/"),
                ("A group", admin, f"/console/groups/{group}/"),
                ("A group's connectors", admin, f"/console/groups/{group}/connectors/"),
                ("The API", developer, "/console/api/"),
            )
        ]
        browser.close()
    return lines


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench pages", description="Measures the first load of the main pages in a browser."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None or not Path(chromium).exists():
        raise SystemExit("Chromium is needed: install it, or set CHROMIUM to its path.")
    lines = run(chromium)
    if options.json:
        print(json.dumps({"budget_kb": BUDGET_KB, "pages": lines}))
    else:
        for line in lines:
            print(LINE.format_map(line))
    if any(line["kb"] > BUDGETS_KB.get(line["page"], BUDGET_KB) or line["elsewhere"] for line in lines):
        sys.exit(1)


if __name__ == "__main__":
    main()
