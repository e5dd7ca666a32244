"""What the calls of `test_schemathesis.py` are about: things that are there, in the place of made-up names of things.

A schema says how an ID or a phone number looks, never which one there is. So what looks like one becomes one that is
there; what does not look like one stays as it is, and must be refused.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

import hypothesis
import schemathesis

from connectors import token_format
from connectors.models import Bot
from groups.models import Action, Group, Subscription
from groups.services import messages
from groups.tests.cards import listen, make_media
from groups.tests.factories import Program, make_group, person_of
from kaizala_console.lib import clock, ids

A_DAY_MS: Final = 86_400_000
URL: Final = "https://program.example/kaizala"
_LARGEST: Final = 2**63 - 1


def _is_id(value: Any) -> bool:
    return ids.parse_guid(value) is not None


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and re.match(r"https?://\S", value.strip()) is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and re.match(r"\s*\+[0-9][0-9 ()./-]{5,}$", value) is not None


def _is_text(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""


def _is_past(value: Any) -> bool:
    """Of `validity`; what is small is a number of hours."""
    is_whole = isinstance(value, int) or (isinstance(value, str) and value.lstrip("-").isdecimal())
    return is_whole and not isinstance(value, bool) and not 1 <= int(value) <= 1000


def _is_moment(value: Any) -> bool:
    return isinstance(value, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) is not None


def _is_cursor(value: Any) -> bool:
    """Of a list whose marks are signed; those of reactions are numbers."""
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-]*", value) is not None


@dataclass(slots=True)
class Present:
    """What is there, by the name of the field or argument that names it; and how to tell that something looks so."""

    values: dict[str, tuple[Callable[[Any], bool], Any]]
    media: Mapping[str, str]
    _by_marks: bool = False

    def put_into(self, case: schemathesis.Case) -> None:
        """Make the call be about what is there."""
        # A blank segment is none (wire protocol §1): that call is another one.
        hypothesis.assume(all(unquote(str(value)).strip() for value in case.path_parameters.values()))
        self._by_marks = "/subscribers" in case.path
        for name in list(case.path_parameters):
            case.path_parameters[name] = self._put(case.path_parameters[name], name)
        if case.query.get("actionType") and case.query.get("id"):
            del case.query["id"]  # one of the two, which is nothing that OpenAPI says of parameters
        for name in list(case.query):
            case.query[name] = self._put(case.query[name], name)
        if isinstance(case.body, dict | list):
            kind = str(case.body.get("actionType", "")) if isinstance(case.body, dict) else ""
            case.body = self._put(case.body, "", kind=kind.lower())

    def _put(self, value: Any, name: str, *, kind: str = "") -> Any:
        if isinstance(value, dict):
            return {key: self._put(inner, key, kind=kind) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._put(each, name, kind=kind) for each in value]
        looks_so, there = self.values.get(name.lower(), (None, None))
        if looks_so is _is_cursor and not self._by_marks:
            return value
        if looks_so is _is_id and name.lower() in ("mediaresource", "mediaresources") and kind in self.media:
            there = self.media[kind]
        if looks_so is _is_url and _is_id(value):  # a picture may be an uploaded one
            return self.media["image"]
        if looks_so is not None and looks_so(value):
            return there
        if isinstance(value, int | float) and not -_LARGEST <= value <= _LARGEST:
            return _LARGEST  # no number beyond it is read, wherever it stands
        return value


def present(program: Program, group: Group, admin: Any, member: Any) -> Present:
    """Content for a group that has subscribers."""
    below = make_group("Below", organisation=group.organisation, admins=[admin], under=group)
    person = person_of(member)
    Subscription.objects.create(group=group, person=person)
    message = messages.post(group=group, text="Hello", person=person_of(admin), connector=program.connector, by=admin)
    job = Action.objects.create(
        group=group,
        person=person_of(admin),
        kind=Action.Kind.JOB,
        title="Open the gate",
        body={"title": "Open the gate"},
        assignee_count=1,
        sent_at=clock.now(),
        expires_at=clock.now() + dt.timedelta(days=365),
    )
    job.assignees.set([program.grant.person or person_of(admin)])
    bot = Bot.objects.create(connector=program.connector, name="Gate bot")
    webhook = listen(program, group.pk)
    media = {kind.lower(): make_media(program, kind) for kind in ("Image", "Album", "Audio", "Document", "Video")}
    media["photowithlocation"] = media["announcement"] = media["image"]
    values: dict[str, tuple[Callable[[Any], bool], Any]] = {
        "groupid": (_is_id, str(group.pk)),
        "objectid": (_is_id, str(group.pk)),
        "sourcegroupid": (_is_id, str(below.pk)),
        "subgroupid": (_is_id, str(below.pk)),
        "subgroups": (_is_id, str(below.pk)),
        "memberid": (_is_id, str(person.pk)),
        "referenceid": (_is_id, str(message.pk)),
        "actionid": (_is_id, str(job.pk)),
        "botid": (_is_id, str(bot.pk)),
        "botids": (_is_id, str(bot.pk)),
        "webhookid": (_is_id, str(webhook.pk)),
        "image": (_is_id, media["image"]),
        "mediaresource": (_is_id, media["image"]),
        "mediaresources": (_is_id, media["image"]),
        "callbackurl": (_is_url, URL),
        "mediaurl": (_is_url, URL),
        "profilepic": (_is_url, URL),
        "groupimageurl": (_is_url, URL),
        "members": (_is_number, person.number),
        "subscribers": (_is_number, person.number),
        "assignedto": (_is_number, person_of(admin).number),
        "mobilenumber": (_is_number, person.number),
        "startingtime": (_is_moment, "2030-01-01T06:00:00Z"),
        "validity": (_is_past, clock.epoch_ms(clock.now()) + A_DAY_MS),
        "credential": (_is_text, token_format.generate(token_format.CredentialKind.REFRESH).token),
        "cursor": (_is_cursor, ""),
    }
    return Present(values, media)
