"""The tables that say what a program acts on."""

from groups.models.group import Group
from groups.models.group_grant import GroupGrant
from groups.models.group_link import GroupLink
from groups.models.membership import Membership, Subscription
from groups.models.message import Message

__all__ = ["Group", "GroupGrant", "GroupLink", "Membership", "Message", "Subscription"]
