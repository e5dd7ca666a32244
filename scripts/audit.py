#!/usr/bin/env python3
"""Ask pip-audit for known vulnerabilities of every locked package.

Exit status: 0 when there is none, 1 when there is one, 2 when no data came, which says nothing about the packages.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NO_DATA = "NOT AUDITED: no vulnerability data for {}. Run `make audit` where the package index or OSV can be reached."


def main() -> int:
    """Print what was found; returns the exit status."""
    report = ask()
    packages: list[dict[str, Any]] = report.get("dependencies", [])
    found = [(package, each) for package in packages for each in package.get("vulns", [])]
    for package, each in found:
        fixed = ", ".join(each["fix_versions"]) or "nowhere yet"
        print(f"{package['name']} {package['version']}: {each['id']}, fixed in {fixed}")
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if unknown or not packages:
        more = f" and {len(unknown) - 5} others" if unknown[5:] else ""
        print(NO_DATA.format(", ".join(unknown[:5]) + more or "any package"))
    if found:
        return 1
    if unknown or not packages:
        return 2
    print(f"No known vulnerability in {len(packages)} packages.")
    return 0


def ask() -> dict[str, Any]:
    """What pip-audit says of requirements-dev.txt, which holds all others; nothing when it got no answer."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--progress-spinner=off", "--format=json"]
    command += ["--requirement", str(ROOT / "requirements-dev.txt")]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        report: dict[str, Any] = json.loads(result.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return {}
    return report


if __name__ == "__main__":
    sys.exit(main())
