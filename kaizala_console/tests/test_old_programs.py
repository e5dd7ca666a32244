"""Programs of 2017 to 2020, in five languages, that together call all of the wire in the ways of those years.

They run as their owners run them, over HTTP, with real tokens; only the host is another.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from accounts import queries
from accounts.models import Organisation, SandboxSms
from connectors.models import Bot, Connector, Webhook
from connectors.services import oauth
from groups.models import Action, Group, GroupBot, MediaFile, Message, Reaction
from groups.queries import groups as queries_of_groups
from kaizala_console.demo import connector as demo_connector
from kaizala_console.demo import organisation as demo
from kaizala_console.tests.ports import free_port
from kaizala_console.tests.test_processes import eventually
from kaizala_console.tests.test_up import is_free

PROGRAMS = Path(__file__).parent / "programs"
OLD_TOKEN = "eyJhbGciOiJIUzI1NiJ9.e30.x"
WITHOUT_A_HITCH = [
    "RENEW InvalidToken AuthException",
    "I AM Farah Khan",
    "BOT Night desk 2 1",
    "SAID true",
    "WEBHOOK true true 3 true",
    "CARD 36",
    "HEARD ActionCreated true night 2, AttachmentCreated true night 2",
]
needs_node = pytest.mark.skipif(not shutil.which("node"), reason="needs node")
needs_java = pytest.mark.skipif(not shutil.which("java"), reason="needs java")
needs_php = pytest.mark.skipif(
    not shutil.which("php") or subprocess.run(["php", "-r", "exit((int)!extension_loaded('curl'));"]).returncode != 0,
    reason="needs php with its curl",
)
needs_mono = pytest.mark.skipif(not (shutil.which("mcs") and shutil.which("mono")), reason="needs mono")
RUN_BY = {".py": sys.executable, ".js": "node", ".java": "java", ".php": "php", ".exe": "mono"}


@pytest.fixture
def console(live_server: Any, settings: Any) -> str:
    """A console that answers HTTP; its address."""
    settings.CONSOLE_BASE_URL = live_server.url
    return live_server.url


@pytest.fixture
def given(console: str) -> dict[str, Any]:
    """What the developer of the program was given."""
    return demo_connector.make()


def start(program: str, console: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [RUN_BY[Path(program).suffix], str(PROGRAMS / program), *arguments],
        env={**os.environ, "KAIZALA_HOST": console, "PYTHONIOENCODING": "utf-8", **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def end(running: subprocess.Popen[str], said: str = "") -> list[str]:
    """The lines that a program printed until its end, which must be a good one."""
    output, errors = running.communicate(said, timeout=60)
    assert (running.returncode, errors) == (0, ""), output + errors
    return output.splitlines()


def credentials_of(given: dict[str, Any], token: str = "refreshToken") -> tuple[str, str, str]:
    return given["connectorId"], given["connectorSecret"], given[token]


def pin_of(number: str) -> str:
    """The PIN in the newest SMS."""
    text = SandboxSms.objects.filter(number=number).latest("pk").text
    found = re.search(r"\b\d{6}\b", text)
    assert found is not None
    return found.group()


def run(program: str, console: str, *arguments: str) -> list[str]:
    """The lines that it printed, when nothing is said to it."""
    return end(start(program, console, *arguments))


@pytest.mark.postgresql
def test_a_program_from_2019_runs_with_only_its_host_changed(console: str, given: dict[str, Any]) -> None:
    lines = run("shift_bot.py", console, *credentials_of(given))
    assert lines[0].startswith("SCOPES 26 UNTIL 1")
    assert lines[1] == f"I AM Farah Khan {demo.ORGANISATION_ADMIN.number}"
    group = Group.objects.get(pk=given["groupId"])
    sub_group = queries_of_groups.list_sub_groups(group).get()
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


@pytest.mark.postgresql
def test_an_organisation_admins_token_reaches_every_group_of_the_organisation(
    console: str, given: dict[str, Any]
) -> None:
    lines = run("shift_bot.py", console, *credentials_of(given, "tenantRefreshToken"))
    shown = sum(line.startswith("POSTED") for line in lines)
    organisation = demo.get_user(demo.ORGANISATION_ADMIN).organisation
    assert shown == Group.objects.filter(organisation=organisation).count() == len(demo.PLANS) - 1 + 2


def test_a_program_makes_its_bot_once_and_speaks_as_the_bot(console: str, given: dict[str, Any]) -> None:
    bot_of = (*credentials_of(given), given["groupId"])
    made, scopes, posted = run("rota_bot.py", console, *bot_of)
    bot = Bot.objects.get()
    assert (made, bot.name, bot.picture_url) == (f"MADE {bot.pk}", 'Rota\'s "bot"', "")
    assert "textmessage.write" in scopes
    assert "group" not in scopes
    group = Group.objects.get(pk=given["groupId"])
    message = Message.objects.get(pk=posted.removeprefix("POSTED "))
    assert (message.group, message.bot, message.text) == (group, bot, "Good morning, it’s the bot")
    again = run("rota_bot.py", console, *bot_of)
    assert [line.split()[0] for line in again] == ["SCOPES", "POSTED"]
    assert GroupBot.objects.get().group == group
    assert run("rota_bot.py", console, *bot_of, "delete") == [f"DELETED {bot.pk}"]
    assert run("rota_bot.py", console, *bot_of)[0].startswith("MADE ")
    assert Message.objects.filter(bot=bot).count() == 2


def test_a_program_likes_comments_and_counts(console: str, given: dict[str, Any]) -> None:
    assert run("applause.py", console, *credentials_of(given), given["groupId"]) == [
        "SAME LIKE True",
        "COMMENTS 60 60 it’s 59 \\ 'fine'",
        "COUNTS 1 60",
        "SUMMARY True 60",
    ]
    assert Reaction.objects.count() == 61


def test_a_program_in_python_that_does_nearly_everything(console: str, given: dict[str, Any]) -> None:
    number = demo.MEMBER.number
    running = start("ward_office.py", console, *credentials_of(given, "tenantRefreshToken"), number)
    assert running.stdout is not None
    assert running.stdout.readline() == "PIN SENT\n", running.communicate()
    assert end(running, f"{pin_of(number)}\n") == [
        f"I AM {number} Meera Nair (Ward 7)",
        "GROUPS True ['ConnectGroup', 'Group']",
        "UNDER Ward 7 ['Lane 1', 'Lane 2']",
        "COUNTED 3 1 True Admin",
        "ADDED False ['919820000014', '12']",
        "PROVISIONED True Member",
        "ADMIN Harpreet Singh",
        "REMOVED Imran Sheikh",
        "LEFT 3",
        "SUBSCRIBED 5",
        "PAGED 5 5",
        "UNSUBSCRIBED True",
        "TOLD",
        "TOLD",
        "SHOWN True",
        "SHOWN True",
        "SAME True",
        f"SURVEY 1 ['Yes', ['1', '3'], 123] {demo.ORGANISATION_ADMIN.number}",
        "JOB 2 1 False",
        "SEEN ['Album', 'Announcement', 'Image', 'Job', 'LetsMeet', 'Poll', 'Survey']",
    ]
    ward = Group.objects.get(name="Ward 7")
    announcement = Action.objects.get(group=ward, kind=Action.Kind.ANNOUNCEMENT)
    assert (announcement.title, announcement.person.number) == ("Power cut", demo.ORGANISATION_ADMIN.number)
    assert Message.objects.get(text="You").audience == Message.Audience.CHOSEN
    assert Message.objects.get(text="Water at 6").audience == Message.Audience.SUBSCRIBERS


@needs_node
@pytest.mark.long
def test_a_program_in_javascript_with_a_bot_a_package_and_a_webhook(
    console: str, given: dict[str, Any], settings: Any
) -> None:
    settings.SANDBOX = True  # its callback URL is on this machine
    running = start("night_desk.js", console, *credentials_of(given), given["groupId"], OLD_TOKEN)
    assert end(running) == WITHOUT_A_HITCH
    card = Action.objects.get(kind=Action.Kind.PACKAGE)
    assert (card.package_id, [each["value"] for each in card.body["properties"]]) == (
        "com.nightdesk.notice.2",
        ["Gate 3", "4"],
    )
    assert Message.objects.get(text="Lights out").bot is not None
    assert not Webhook.objects.present().exists()


@needs_node
@pytest.mark.long
def test_a_program_that_is_throttled_waits_and_goes_on(console: str, given: dict[str, Any], settings: Any) -> None:
    # 25 calls: more than twelve in one of two minutes, wherever the seam between them falls.
    settings.SANDBOX, settings.THROTTLE_CONNECTOR_PER_MINUTE = True, 12
    running = start(
        "night_desk.js", console, *credentials_of(given), given["groupId"], OLD_TOKEN, PRESSED="10", WAIT_MS="50"
    )
    assert running.stdout is not None
    lines: list[str] = []
    while not lines or not lines[-1].startswith("WAIT"):
        line = running.stdout.readline().strip()
        assert line, end(running)
        lines.append(line)
    settings.THROTTLE_CONNECTOR_PER_MINUTE = 1000
    lines += end(running)
    assert "WAIT TooManyRequests true" in lines
    assert [line for line in lines if not line.startswith("WAIT")] == [*WITHOUT_A_HITCH, "GROUPS 2"]


@needs_node
@pytest.mark.long
def test_a_program_follows_an_organisation_that_has_moved(console: str, given: dict[str, Any], settings: Any) -> None:
    """To this very console, under the other name of this machine: where it has moved to, nobody is sent on."""
    settings.SANDBOX, settings.ALLOWED_HOSTS = True, ["*"]
    names = ("applicationId", "applicationSecret", "refreshToken")
    answer = requests.get(
        f"{console}/v1/accessToken", headers=dict(zip(names, credentials_of(given), strict=True)), timeout=30
    )
    Organisation.objects.update(moved_to=console.replace("localhost", "127.0.0.1") + "/")
    running = start("night_desk.js", console, *credentials_of(given), given["groupId"], answer.json()["accessToken"])
    assert running.stdout is not None
    first = running.stdout.readline()
    Organisation.objects.update(moved_to="")
    lines = end(running)
    assert first == "MOVED true\n"
    assert [line for line in lines if line != "MOVED true"] == WITHOUT_A_HITCH[1:]


def test_a_program_whose_users_sign_in_by_their_browser(console: str, given: dict[str, Any]) -> None:
    back = "https://clinic.example/back"
    Connector.objects.filter(pk=given["connectorId"]).update(redirect_urls=[back])
    who = demo.get_user(demo.MEMBER)
    person = queries.primary_person(who)
    assert person is not None
    query = oauth.to_query({"client_id": given["connectorId"], "redirect_uri": back}.items())
    location = oauth.approve(query=query, person=person, by=who, request_key="one-request")
    code = location.partition("?code=")[2]
    connector_id, secret, _token = credentials_of(given)
    assert end(start("clinic_login.py", console, connector_id, secret, code, back)) == [
        "SCOPES 25 True",
        "HELLO Meera Nair",
        "HELLO Meera Nair",
        "AGAIN 400 InvalidParameters",
    ]


@pytest.mark.once
@needs_node
@pytest.mark.long
def test_a_page_that_signs_its_user_in_by_pin(console: str, given: dict[str, Any]) -> None:
    """Every call of it is a browser's, from another origin. It goes on where the answer to the PIN says (ADR 0061)."""
    connector_id, secret, _token = credentials_of(given)
    running = start("clinic_page.js", console, demo.ORGANISATION_ADMIN.number, connector_id, secret)
    assert running.stdout is not None
    assert running.stdout.readline() == "PIN SENT\n", running.communicate()
    lines = end(running, f"000000\n{pin_of(demo.ORGANISATION_ADMIN.number)}\n")
    assert lines == [
        "REFUSED 400 InvalidParameters",
        "SIGNED IN 26 true",
        "GROUPS true",
        "MADE Clinic false",  # it names its connector among the members
        "SAID 36",
    ]
    assert Message.objects.latest("pk").text == 'Dear all,\nthe "quiet" hour\n\tbegins at 2.'


@pytest.mark.once
@needs_java
@pytest.mark.long
def test_an_erp_in_java_that_posts_and_books_orders(console: str, given: dict[str, Any]) -> None:
    numbers = list(demo.COLLEAGUES)[:2]
    running = start("PurchaseOrders.java", console, *credentials_of(given, "tenantRefreshToken"), *numbers)
    assert end(running) == [
        "ADDED true",
        "MEMBERS true true",
        "BOOKED 36",
        "STATE com.contoso.kaizala.miniapps.orders true",
    ]
    card = Action.objects.get(kind=Action.Kind.PACKAGE)
    assert [(each["name"], each["type"]) for each in card.body["properties"]] == [
        ("PL", "StringSet"),
        ("SA", "Text"),
        ("VID", "Text"),
        ("POD", "DateTime"),
        ("state", "Numeric"),
    ]


@pytest.mark.once
@needs_mono
@pytest.mark.long
def test_a_client_in_csharp_with_a_class_for_everything(console: str, given: dict[str, Any], tmp_path: Path) -> None:
    program = tmp_path / "ShiftBoard.exe"
    needed = ["-r:System.Net.Http.dll", "-r:System.Runtime.Serialization.dll"]
    subprocess.run(["mcs", *needed, f"-out:{program}", str(PROGRAMS / "ShiftBoard.cs")], check=True, timeout=60)
    assert end(start(str(program), console, *credentials_of(given), given["groupId"])) == [
        "RENEW",
        "SAID 36",
        "ASKED 36",
        "SHOWN -",
        "SHOWN -",
        'ADDED {"result":true}',
        "NOBODY InvalidParameters",
    ]
    assert Message.objects.latest("pk").text == "Schichtplan für Montag: नमस्ते"
    assert sorted(MediaFile.objects.values_list("name", flat=True)) == ["file.png", "Übersicht.png"]


@pytest.mark.once
@needs_php
@pytest.mark.long
def test_a_report_in_php_of_what_its_webhook_is_told(
    console: str, given: dict[str, Any], settings: Any, tmp_path: Path
) -> None:
    settings.SANDBOX = True  # its receiver is on this machine
    report, port = tmp_path / "report", free_port()
    receiver = subprocess.Popen(
        ["php", "-S", f"127.0.0.1:{port}", str(PROGRAMS / "survey_report.php")],
        env={**os.environ, "REPORT": str(report)},
        stderr=subprocess.DEVNULL,
    )
    try:
        assert eventually(lambda: not is_free(port))
        callback = f"http://127.0.0.1:{port}/actions/get-actions"
        running = start("survey_report.php", console, *credentials_of(given), given["groupId"], callback, str(report))
        lines = end(running)
    finally:
        receiver.terminate()
        receiver.wait(10)
    admin = demo.ORGANISATION_ADMIN
    assert lines[:3] == ["GROUPS 2 Group false", "MEMBERS some", "WEBHOOK 1 report"]
    assert lines[-1] == "GONE yes"
    told = [json.loads(line) for line in lines[3:-1]]
    seen = ["report", "Asha\nRao", "Late", '["Sun"]', "Pune 18.5", "2019-01-01"]
    assert [row[:-1] for row in told[:1] + told[2:]] == [
        ["ActionResponse", admin.number, admin.name, True, "com.plant.report of com.plant.report.3", *seen],
        ["SurveyResponse", admin.number, admin.name, True, "no package", *seen],
    ]
    assert told[0][-1] == told[2][-1] == "1 f829b914fc47cfc9c0747c119c27cf1b"
    assert told[1] == ["MemberAdded", True, True, True, "Member", "+919820000016"]
