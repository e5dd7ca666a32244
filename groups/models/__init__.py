"""The tables that say what a program acts on."""

from groups.models.action import Action
from groups.models.archived_message import ArchivedMessage, ArchivedName
from groups.models.bulk_job import BulkJob, BulkLine
from groups.models.group import Group
from groups.models.group_bot import GroupBot
from groups.models.group_count import GroupChange, GroupCount
from groups.models.group_grant import GroupGrant
from groups.models.group_link import GroupLink
from groups.models.media import MediaFile, MediaResource, MediaStore
from groups.models.membership import Membership, Subscription
from groups.models.message import Message
from groups.models.person_attribute import PersonAttribute, PersonAttributeValue
from groups.models.reaction import Reaction
from groups.models.response import Response

__all__ = [
    "Action",
    "ArchivedMessage",
    "ArchivedName",
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
