"""What one line of each template asks for. Pure; what cannot be is refused (`LineRefused`, `NumberRefused`)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from groups.bulk_formats import Column
from groups.bulk_reasons import LineRefused
from kaizala_console.lib import ids, phone_numbers

LONGEST_NAME: Final = 120
LONGEST_ID: Final = 120

USERS: Final = (
    Column("number", "Phone number", ("phone", "mobile", "mobile number", "number", "msisdn", "phone no")),
    Column("name", "Name", ("full name", "user name", "member name")),
    Column("role", "Role", ("member role", "user role")),
    Column("action", "Action"),
)
USERS_REQUIRED: Final = (frozenset({"number"}),)

# Attributes are columns of their own, each organisation's by the names that it gave them.
PEOPLE: Final = USERS[:2]
PEOPLE_REQUIRED: Final = (frozenset({"number"}),)

MAPPING: Final = (
    Column("child_id", "Group ID", ("child group id", "sub-group id")),
    Column("child", "Group name", ("child group name", "group", "child group", "sub-group name", "sub-group")),
    Column("parent_id", "Parent group ID"),
    Column("parent", "Parent group name", ("parent group", "parent name")),
    Column("action", "Action"),
)
MAPPING_REQUIRED: Final = (frozenset({"child_id", "child"}), frozenset({"parent_id", "parent"}))

# What the old portal's export calls them, spelling and all.
MESSAGES: Final = (
    Column("sent_at", "Timestamp", ("time", "sent at", "date")),
    Column("group_name", "Group Name", ("group",)),
    Column("message_id", "MessageID", ("id",)),
    Column("sender", "Sender", ("from", "sent by")),
    Column("message_type", "Message Type", ("type",)),
    Column("attachments", "Attachement stored at:", ("attachment stored at", "attachments", "attachment")),
)
MESSAGES_REQUIRED: Final = (frozenset({"sent_at"}), frozenset({"message_id"}))
COLUMNS_OF: Final = {"users": USERS, "mapping": MAPPING, "messages": MESSAGES, "people": PEOPLE}
SUBSCRIBER: Final = "Subscriber"  # of a managed public group
_ALBUM: Final = " : "  # between the attachments of one message
_ROLES: Final = {
    "admin": "Admin",
    "administrator": "Admin",
    "member": "Member",
    "user": "Member",
    "": "",
    "subscriber": SUBSCRIBER,
}
_REMOVES: Final = {"": False, "add": False, "update": False, "remove": True, "delete": True}
# What spreadsheets make of a long number: 9.1987E+11, and with a decimal comma.
_SCIENTIFIC: Final = re.compile(r"\+?\d+([.,]\d+)?[eE]\+?\d+")
_DECIMAL: Final = re.compile(r"(\+?\d+)[.,]0+")


@dataclass(frozen=True, slots=True)
class UserLine:
    """`role` is the wire's spelling, or "" to leave it as it is; somebody new is then a member. Or `SUBSCRIBER`."""

    number: str
    name: str
    role: str
    removes: bool

    @property
    def is_subscriber(self) -> bool:
        return self.role == SUBSCRIBER


@dataclass(frozen=True, slots=True)
class MappingLine:
    """A group is named by its ID, or else by its name."""

    child: UUID | str
    parent: UUID | str
    removes: bool


@dataclass(frozen=True, slots=True)
class MessageLine:
    """`attachments` are addresses as they stood there, one a line."""

    message_id: str
    sent_at: dt.datetime
    group_name: str
    sender: str
    message_type: str
    attachments: str


def message_line(cells: Mapping[str, str]) -> MessageLine:
    """A message of an old tenant's export."""
    key = cells.get("message_id", "")
    if not key:
        raise LineRefused("message_without_id")
    if len(key) > LONGEST_ID:
        raise LineRefused("message_id_too_long")
    return MessageLine(
        message_id=key,
        sent_at=_moment(cells.get("sent_at", "")),
        group_name=cells.get("group_name", "")[:200],
        sender=cells.get("sender", "")[:200],
        message_type=cells.get("message_type", "")[:60],
        attachments="\n".join(part.strip() for part in cells.get("attachments", "").split(_ALBUM) if part.strip()),
    )


def _moment(text: str) -> dt.datetime:
    """`2019-03-01T09:30:00Z`; without a zone it is UTC."""
    try:
        found = dt.datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise LineRefused("time_unreadable") from None


def user_line(cells: Mapping[str, str], region: str) -> UserLine:
    """What a line of the users template asks for; `region` is where numbers without + are dialled from."""
    name = " ".join(cells.get("name", "").split())
    if len(name) > LONGEST_NAME:
        raise LineRefused("name_too_long", most=LONGEST_NAME)
    role = _ROLES.get(cells.get("role", "").lower())
    if role is None:
        raise LineRefused("role_unknown")
    return UserLine(_number(cells.get("number", ""), region), name, role, _removes(cells))


def mapping_line(cells: Mapping[str, str]) -> MappingLine:
    """What a line of the template for parent groups asks for."""
    removes = _removes(cells)
    child = _named(cells.get("child_id", ""), cells.get("child", ""), "group_unnamed")
    parent = _named(cells.get("parent_id", ""), cells.get("parent", ""), "parent_unnamed")
    return MappingLine(child, parent, removes)


def _number(cell: str, region: str) -> str:
    cell = cell.removeprefix("'")  # which tells a spreadsheet that this is a text
    if _SCIENTIFIC.fullmatch(cell):
        raise LineRefused("number_rounded")
    decimal = _DECIMAL.fullmatch(cell)
    return phone_numbers.parse(decimal[1] if decimal else cell, region or None)


def _removes(cells: Mapping[str, str]) -> bool:
    found = _REMOVES.get(cells.get("action", "").lower())
    if found is None:
        raise LineRefused("action_unknown")
    return found


def _named(group_id: str, name: str, missing: str) -> UUID | str:
    if group_id:
        found = ids.parse_guid(group_id)
        if found is None:
            raise LineRefused("group_id_unreadable", text=group_id[:40])
        return found
    name = " ".join(name.split())
    if not name:
        raise LineRefused(missing)
    return name
