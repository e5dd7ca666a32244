"""Counting all groups anew: after rows were written around the console, or to see that what is kept is right."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from groups.services import hierarchy


class Command(BaseCommand):
    help = "Count the members of all groups, down their hierarchies, anew, and say how many counts were wrong."

    def handle(self, *args: Any, **options: Any) -> None:
        """The console goes on meanwhile: groups that are being counted are counted for each reader."""
        repaired = hierarchy.repair()
        self.stdout.write("All counts were right." if not repaired else f"Repaired the counts of {repaired} groups.")
