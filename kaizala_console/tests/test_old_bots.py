"""Programs of 2018 that post as a bot, and that like and comment: only their host has changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connectors.models import Bot
from groups.models import Group, GroupBot, Message, Reaction
from kaizala_console.demo import connector as demo_connector

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture
def console(live_server: Any, settings: Any) -> str:
    """A console that answers HTTP; its address."""
    settings.CONSOLE_BASE_URL = live_server.url
    return live_server.url


@pytest.fixture
def given(console: str) -> dict[str, Any]:
    """What the developer of the program was given."""
    return demo_connector.make()


def run(program: str, console: str, given: dict[str, Any], *more: str) -> list[str]:
    """Runs the program as its owner does; the lines that it prints."""
    credentials = [given[name] for name in ("connectorId", "connectorSecret", "refreshToken", "groupId")]
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / program), *credentials, *more],
        env={**os.environ, "KAIZALA_HOST": console, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout.splitlines()


def test_a_program_makes_its_bot_once_and_speaks_as_the_bot(console: str, given: dict[str, Any]) -> None:
    made, scopes, posted = run("rota_bot.py", console, given)
    bot = Bot.objects.get()
    assert (made, bot.name, bot.picture_url) == (f"MADE {bot.pk}", 'Rota\'s "bot"', "")
    assert "textmessage.write" in scopes
    assert "group" not in scopes
    group = Group.objects.get(pk=given["groupId"])
    message = Message.objects.get(pk=posted.removeprefix("POSTED "))
    assert (message.group, message.bot, message.text) == (group, bot, "Good morning, it’s the bot")
    again = run("rota_bot.py", console, given)
    assert [line.split()[0] for line in again] == ["SCOPES", "POSTED"]
    assert GroupBot.objects.get().group == group
    assert run("rota_bot.py", console, given, "delete") == [f"DELETED {bot.pk}"]
    assert run("rota_bot.py", console, given)[0].startswith("MADE ")
    assert Message.objects.filter(bot=bot).count() == 2


def test_a_program_likes_comments_and_counts(console: str, given: dict[str, Any]) -> None:
    assert run("applause.py", console, given) == [
        "SAME LIKE True",
        "COMMENTS 60 60 it’s 59 \\ 'fine'",
        "COUNTS 1 60",
        "SUMMARY True 60",
    ]
    assert Reaction.objects.count() == 61
