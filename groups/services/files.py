"""Files that people post from the console: pictures together as one card, every other file as a card of its own."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid5

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Person, User
from groups.media.content import FILE_TYPES, IMAGES, MediaKind
from groups.media.upload import Incoming
from groups.models import Action, Group, MediaResource
from groups.services import actions, media, policies
from groups.services.media import Uploader
from kaizala_console.api.errors import PayloadTooLarge, UnsupportedMediaType
from kaizala_console.lib.errors import RuleBroken


def post_files(
    *, group: Group, files: Sequence[Incoming], caption: str, person: Person, by: User, action_id: UUID
) -> list[Action]:
    """Posts these files, the caption with the first card, and returns the cards. All or none.

    Asked again for the same `action_id`, it gives the cards that it posted then. Writes to the store: not for a
    transaction. Raises NotAllowed where only admins post; RuleBroken, which names the file, for one of no type that is
    taken or that is not what its name says, and when the organisation's space is used up; GatewayDown when the store
    does not answer.
    """
    policies.require_may_post(group=group, by=by)
    parts = _apart(files)
    keys = [action_id, *(uuid5(action_id, str(number)) for number in range(1, len(parts)))]
    there = {action.pk: action for action in Action.objects.filter(pk__in=keys, group=group, person=person)}
    if len(there) == len(keys):
        return [there[key] for key in keys]
    stored = store_files(files=files, person=person, by=by)
    with transaction.atomic():
        return [
            actions.post(
                group=group,
                action_type=resource.kind,
                body={"mediaResource": str(resource.pk), "caption": "" if number else caption},
                person=person,
                by=by,
                caller=Uploader(by, person),
                action_id=key,
            )
            for number, (key, resource) in enumerate(zip(keys, stored, strict=True))
        ]


def store_files(*, files: Sequence[Incoming], person: Person, by: User) -> list[MediaResource]:
    """Stores the files to be posted with: pictures as one resource, then the others. Checks all before it stores any.

    Raises as `post_files`. What nothing is posted with in the end is deleted some days later, as what programs upload.
    """
    try:
        return [media.store(files=part, by=Uploader(by, person)) for part in _apart(files)]
    except PayloadTooLarge:
        raise RuleBroken(
            _("The media of your organisation would take up more than %(most)d GB, which is its limit.")
            % {"most": settings.MEDIA_QUOTA_GB},
            field="files",
            code="no_room",
        ) from None


def endings(kind: MediaKind) -> str:
    """How the names of such files end, as people read it."""
    return ", ".join(ending for each in FILE_TYPES if each.kind == kind for ending in each.extensions)


def _apart(files: Sequence[Incoming]) -> list[list[Incoming]]:
    pictures, others = [], []
    for file in files:
        if _kind_of(file) == MediaKind.IMAGE:
            pictures.append(file)
        else:
            others.append([file])
    return ([pictures] if pictures else []) + others


def _kind_of(file: Incoming) -> MediaKind:
    try:
        return media.checked(file).kind
    except UnsupportedMediaType:
        raise RuleBroken(
            _(
                "“%(name)s” is no file that can be posted, or not what its name says. Possible are pictures "
                "(%(pictures)s), sound (%(sound)s), film (%(film)s) and documents (%(documents)s)."
            )
            % {
                "name": file.name[:80],
                "pictures": ", ".join(IMAGES),
                "sound": endings(MediaKind.AUDIO),
                "film": endings(MediaKind.VIDEO),
                "documents": endings(MediaKind.DOCUMENT),
            },
            field="files",
            code="unsupported",
        ) from None
