"""Numbers that grow are grouped as the reader's language does it: 12,345 bad lines, in Hindi 1,23,456."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation

from groups.action_types.base import Card
from groups.models import Action, Message
from groups.views import action_rows
from kaizala_console.tests.test_components import render

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


def test_the_bad_lines_of_a_long_file_are_grouped() -> None:
    bar = '<c-job-bar title="Upload" done="200000" total="1234567" bad="123456" />'
    assert "123,456 bad lines" in render(bar)
    with translation.override("hi"):
        assert "1,23,456" in render(bar)


@pytest.mark.parametrize(
    ("kind", "audience", "says"),
    [
        (Action.Kind.POLL, Message.Audience.MEMBERS, "12,345 of 100,000 answered"),
        (Action.Kind.POLL, Message.Audience.CHOSEN, "12,345 people answered"),
        (Action.Kind.JOB, Message.Audience.MEMBERS, "12,345 of 20,000 done"),
    ],
)
def test_how_many_have_answered_in_a_large_group_is_grouped(kind: str, audience: str, says: str) -> None:
    action = Action(kind=kind, audience=audience, response_count=12345, assignee_count=20000)
    assert action_rows.count_of(Card(action), 100_000) == says
