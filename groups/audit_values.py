"""How audit rows spell what is about groups, in words for people (`accounts.audit.values`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise

from groups.models import Action, BulkJob, Group, Membership, Message

WORDS: Final[Mapping[str, Mapping[str, str | Promise]]] = {
    "kind": {each.value: each.label for each in (*Action.Kind, *BulkJob.Kind)},
    "role": {each.value: each.label for each in Membership.Role},
    "sent_to": {each.value: each.label for each in Message.Audience},
    "type": {each.value: each.label for each in (*Group.Type, *Membership.Role)},
}
