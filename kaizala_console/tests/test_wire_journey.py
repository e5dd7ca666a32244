"""Step 4 by a program that nobody here wrote for us: trade the token, find the groups, read members, post a message."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from accounts.models import User
from connectors.models import Grant, RefreshToken
from groups import access
from groups.models import Group, Message
from groups.queries import actions
from groups.queries import groups as queries
from groups.queries.actions import Viewer
from groups.services import connectors
from kaizala_console.demo import connector as demo_connector
from kaizala_console.demo import organisation as demo

pytestmark = pytest.mark.postgresql

PROGRAM = Path(__file__).parent / "programs" / "shift_bot.py"


@pytest.fixture
def console(live_server: Any, settings: Any) -> str:
    """A console that answers HTTP; its address."""
    settings.CONSOLE_BASE_URL = live_server.url
    return live_server.url


@pytest.fixture
def given(console: str) -> dict[str, Any]:
    """What the developer of the program was given."""
    return demo_connector.make()


def run(console: str, given: dict[str, Any], token: str = "refreshToken") -> subprocess.CompletedProcess[str]:
    """Runs the program as its owner does; only the host is another."""
    return subprocess.run(
        [sys.executable, str(PROGRAM), given["connectorId"], given["connectorSecret"], given[token]],
        env={**os.environ, "KAIZALA_HOST": console, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_a_program_from_2019_runs_with_only_its_host_changed(console: str, given: dict[str, Any]) -> None:
    done = run(console, given)
    assert (done.returncode, done.stderr) == (0, ""), done
    lines = done.stdout.splitlines()
    assert lines[0].startswith("SCOPES 26 UNTIL 1")
    assert lines[1] == f"I AM Farah Khan {demo.ORGANISATION_ADMIN.number}"
    group = Group.objects.get(pk=given["groupId"])
    sub_group = queries.list_sub_groups(group).get()
    assert f"GROUP {group.name} Admin 11 7" in lines
    assert f"GROUP {sub_group.name} Admin 4 4" in lines
    # What it was told, stands in the groups, to the letter.
    messages = {str(message.pk): message for message in Message.objects.filter(group__in=[group, sub_group])}
    posted = [line.split()[1:] for line in lines if line.startswith("POSTED")]
    assert {reference: group_id for group_id, reference in posted} == {
        reference: str(message.group_id) for reference, message in messages.items()
    }
    text = Message.objects.get(group=sub_group).text
    assert text.startswith('It’s your "shift plan" \\ für heute\nFarah Khan, ')
    assert Message.objects.get(group=group).connector_id is not None


def test_its_message_is_seen_in_the_group(console: str, given: dict[str, Any]) -> None:
    assert run(console, given).returncode == 0
    group = Group.objects.get(pk=given["groupId"])
    member = User.objects.get(subject=demo.MEMBER.subject)
    found = access.require_member(member, group.pk)
    (message,) = actions.timeline(found, Viewer.of(found, access.list_held_people(member))).items
    assert isinstance(message, Message)
    assert message.text.startswith("It’s your")
    assert message.connector is not None
    assert (message.person.name, message.connector.name[:14]) == ("Farah Khan", "Demo connector")


def test_the_first_use_of_the_token_is_noted_once(console: str, given: dict[str, Any]) -> None:
    tokens = RefreshToken.objects.filter(grant__connector_id=given["connectorId"], grant__kind=Grant.Kind.GROUP)
    assert tokens.get().first_used_at is None
    assert run(console, given).returncode == 0
    first = tokens.get()
    assert first.first_used_at is not None
    assert first.first_used_from == "127.0.0.1"
    assert run(console, given).returncode == 0
    assert tokens.get().first_used_at == first.first_used_at


def test_an_organisation_admins_token_reaches_every_group_of_the_organisation(
    console: str, given: dict[str, Any]
) -> None:
    done = run(console, given, token="tenantRefreshToken")
    assert done.returncode == 0, done
    shown = sum(line.startswith("POSTED") for line in done.stdout.splitlines())
    organisation = demo.get_user(demo.ORGANISATION_ADMIN).organisation
    assert shown == Group.objects.filter(organisation=organisation).count() == len(demo.PLANS) - 1 + 2


def test_the_program_is_out_from_one_request_to_the_next(console: str, given: dict[str, Any]) -> None:
    headers = {
        "applicationId": given["connectorId"],
        "applicationSecret": given["connectorSecret"],
        "refreshToken": given["refreshToken"],
    }
    token = requests.get(f"{console}/v1/accessToken", headers=headers, timeout=10).json()["accessToken"]
    groups = f"{console}/v1/groups"
    assert requests.get(groups, headers={"accessToken": token}, timeout=10).status_code == 200
    grant = Grant.objects.get(connector_id=given["connectorId"], kind=Grant.Kind.GROUP)
    connectors.remove_connector(
        group=Group.objects.get(pk=given["groupId"]), grant=grant, by=demo.get_user(demo.ORGANISATION_ADMIN)
    )
    answer = requests.get(groups, headers={"accessToken": token}, timeout=10)
    assert answer.status_code == 401
    assert "Token validation failed due to unknown reason!" in answer.json()["message"]
    answer = requests.get(f"{console}/v1/accessToken", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["errorCode"]) == (401, "InvalidToken")
    assert given["refreshToken"] not in answer.text
