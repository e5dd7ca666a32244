"""The tables that say what a program acts on."""

from groups.models.action import Action, Response
from groups.models.bulk_job import BulkJob, BulkLine
from groups.models.group import Group, GroupBot, GroupChange, GroupCount, GroupGrant
from groups.models.hierarchy import GroupLink
from groups.models.media import MediaFile, MediaResource, MediaStore
from groups.models.membership import Membership, Subscription
from groups.models.message import ArchivedMessage, Message
from groups.models.person_attribute import PersonAttribute, PersonAttributeValue
from groups.models.reaction import Reaction

__all__ = [
    "Action",
    "ArchivedMessage",
    "BulkJob",
    "BulkLine",
    "Group",
    "GroupBot",
    "GroupChange",
    "GroupCount",
    "GroupGrant",
    "GroupLink",
    "MediaFile",
    "MediaResource",
    "MediaStore",
    "Membership",
    "Message",
    "PersonAttribute",
    "PersonAttributeValue",
    "Reaction",
    "Response",
    "Subscription",
]
