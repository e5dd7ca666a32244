"""Pictures of people, bots and groups that a program has uploaded (ADR 0061)."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from connectors.models import Bot
from connectors.permissions import PERMISSIONS
from groups.models import Group, MediaResource
from groups.tests.cards import make_media
from groups.tests.conftest import Wire, refused
from groups.tests.factories import Program, let_in, make_connector, person_of, unknown_id
from groups.tests.media_files import PNG, part
from groups.tests.media_uploads import upload

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shelf")]
Send = Callable[[str], Any]


@pytest.fixture(params=["bot", "changed bot", "user", "sub-group"])
def door(request: pytest.FixtureRequest, wire: Wire, program: Program, group: Group) -> tuple[str, Send]:
    """The name of the field, and what sends a picture there."""
    if request.param == "sub-group":
        path = f"/v1/groups/{group.pk}/subGroups"
        return "groupImageUrl", lambda said: wire.post(
            path, json.dumps({"name": "Below", "groupImageUrl": said}), program
        )
    if request.param == "user":
        return "profilePic", lambda said: wire.put("/v1/users/me", json.dumps({"profilePic": said}), program)
    if request.param == "bot":
        return "profilePic", lambda said: wire.post("/v1/bot", json.dumps({"name": "B", "profilePic": said}), program)
    made = wire.post("/v1/bot", '{"name": "Rota"}', program).json()["id"]
    return "profilePic", lambda said: wire.put(f"/v1/bot/{made}", json.dumps({"profilePic": said}), program)


def shown(field: str, group_admin: User) -> str:
    """The address that is kept."""
    if field == "groupImageUrl":
        return Group.objects.get(name="Below").image_url
    bot = Bot.objects.first()
    return bot.picture_url if bot else person_of(group_admin).picture_url


def test_an_uploaded_picture_has_an_address_that_lasts(
    wire: Wire,
    program: Program,
    door: tuple[str, Send],
    group_admin: User,
    travel: Callable[..., dt.datetime],
    settings: Any,
) -> None:
    field, send = door
    resource = upload(wire, program, part(PNG, "Farah Khan, private.PNG")).json()["mediaResource"]
    answer = send(resource)
    assert answer.status_code == 200, answer.content
    kept = shown(field, group_admin)
    assert kept.startswith(f"{settings.CONSOLE_BASE_URL}/media/")
    assert not [word for word in ("Farah", "private") if word in kept]  # shorter ones stand in signatures by chance
    assert answer.json().get("profilePic", kept) == kept
    travel(days=3650)
    found: Any = Client().get(kept.removeprefix(settings.CONSOLE_BASE_URL))
    assert (found.status_code, b"".join(found.streaming_content)) == (200, PNG)
    assert MediaResource.objects.get().used_at is not None  # or it would be swept


def test_an_address_is_kept_as_it_is(door: tuple[str, Send], group_admin: User) -> None:
    field, send = door
    assert send("https://pics.example/rota.png").status_code == 200
    assert shown(field, group_admin) == "https://pics.example/rota.png"


def test_what_is_no_picture_of_this_program_is_refused(
    program: Program, door: tuple[str, Send], group: Group, group_admin: User, developer: User, shelf: Path
) -> None:
    field, send = door
    other = let_in(make_connector(developer, name="Canteen", permissions=PERMISSIONS), group, group_admin)
    for said in (unknown_id(), make_media(other), make_media(program, "Document", "plan.pdf")):
        assert field in refused(send(str(said)), 400, "InvalidParameters", "ValidationException")
