"""Numbers that grow are grouped as the reader's language does it: 12,345 bad lines, in Hindi 1,23,456."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

TEMPLATES = Path(settings.BASE_DIR) / "templates"
SENTENCE = re.compile(r"{% blocktrans(?:late)? count (\w+)=(\S+)[^%]*%}(.*?){% endblocktrans", re.DOTALL)
# What never comes to a thousand: days that are kept, tries, what stands beside the first few of a short list.
SMALL = {
    "days", "hours", "minutes", "left", "cool_off_hours", "tries_left", "silent.days", "action.body.duration",
    "row.more", "row.events.more", "left_out", "more_endpoints", "more_hosts", "more_connectors", "table.more",
    "asked", "listening", "host.webhooks", "webhook.failures", "webhook.event_types|length", "run_alone_count",
    "messages", "form.found",
}  # fmt: skip


def test_a_sentence_with_a_number_that_grows_groups_its_digits() -> None:
    bare = [
        f"{path.relative_to(TEMPLATES)}: {counted}"
        for path in sorted(TEMPLATES.rglob("*.html"))
        if "gallery" not in str(path)
        for name, counted, text in SENTENCE.findall(path.read_text("utf-8"))
        if counted not in SMALL and re.search(rf"{{{{ {name} }}}}", text)
    ]
    assert bare == []
