"""Media that programs and people upload, and that Actions are then posted with.

Files are stored outside of any transaction, between two: the first writes rows that say where files will be, the second
that they are there. Whatever breaks off in between leaves rows by which the sweeper finds the files (`sweep`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.audit.events import EventType
from accounts.audit.record import SYSTEM, record
from accounts.models import Person, User
from connectors.authentication import AccessContext
from connectors.models import Grant
from groups.media import content, storage
from groups.media.content import EXTENSIONS, IMAGES, FileType, MediaKind
from groups.media.upload import Incoming, header_parameter, largest_file
from groups.models import MediaFile, MediaResource, MediaStore
from kaizala_console.api.errors import PayloadTooLarge, UnsupportedMediaType
from kaizala_console.lib import clock, http_client, ids, pictures
from kaizala_console.lib.errors import GatewayDown, RuleBroken
from kaizala_console.lib.outbound_slots import outbound_slot

logger = structlog.get_logger(__name__)

_GIBIBYTE: Final = 1024**3
MOST_PIXELS: Final = 250_000_000  # of a picture: more than any camera takes
# Longer than any upload takes: what is not whole by then never will be.
HALF_WRITTEN_FOR: Final = dt.timedelta(hours=6)
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Uploader:
    """A person at the console, and with which of their numbers they post."""

    user: User
    person: Person


def store(*, files: Sequence[Incoming], by: AccessContext | Uploader) -> MediaResource:
    """Keeps one file, or several images as an album, for `by` to post. Writes to the store: not for a transaction.

    Raises UnsupportedMediaType when a file is of no type that is taken here, or not what its name and type claim;
    RuleBroken when several files are not all images; PayloadTooLarge when the organisation's space is used up, or a
    picture has too many pixels;
    GatewayDown when the store does not answer. Then nothing is kept.
    """
    claims = [check_file(file) for file in files]
    resource = _announce(files, claims, kind=_get_kind(claims), by=by)
    try:
        for row, file in zip(resource.files.all(), files, strict=True):
            storage.save(row.key, file.file)
        return _complete(resource, by=by)
    except BaseException:
        _give_up(resource)
        raise


def check_file(file: Incoming) -> FileType:
    """What the file is. Raises UnsupportedMediaType when that is no type taken here, or not what it claims to be."""
    name = file.name.strip()
    claim = content.claimed(name, file.content_type)
    if claim is None:
        problem = content.disagreement(name, file.content_type)
        raise UnsupportedMediaType(EXTENSIONS, problem=f"{name[:100]}: {problem}")
    if not content.holds(file.file, claim):
        raise UnsupportedMediaType(EXTENSIONS, problem=f"{name[:100]}: the content is no {claim.extensions[0]} file.")
    if claim.kind == MediaKind.IMAGE:
        _require_pixels(file)
    return claim


def _require_pixels(file: Incoming) -> None:
    """Raises PayloadTooLarge for a picture that would fill the memory of those who open it."""
    file.file.seek(0)
    width, height = pictures.read_size(file.file) or (0, 0)
    file.file.seek(0)
    if width * height > MOST_PIXELS:
        raise PayloadTooLarge(
            f"{file.name} has {width} x {height} pixels, more than the {MOST_PIXELS:,} that are allowed."
        )


def _get_kind(claims: Sequence[FileType]) -> MediaKind:
    if len(claims) == 1:
        return claims[0].kind
    if any(claim.kind != MediaKind.IMAGE for claim in claims):
        raise RuleBroken(
            gettext_lazy(
                "Several files make an album, which holds images only (%(images)s). POST other files one at a time."
            )
            % {"images": ", ".join(IMAGES)},
            field="files",
            code="mixed_album",
        )
    return MediaKind.ALBUM


@transaction.atomic
def _announce(
    files: Sequence[Incoming], claims: Sequence[FileType], *, kind: MediaKind, by: AccessContext | Uploader
) -> MediaResource:
    size = sum(file.size for file in files)
    whose = _describe_owner(by)
    MediaStore.objects.get_or_create(organisation=whose["organisation"])
    room = MediaStore.objects.filter(
        organisation=whose["organisation"], bytes_used__lte=settings.MEDIA_QUOTA_GB * _GIBIBYTE - size
    )
    if not room.update(bytes_used=F("bytes_used") + size):
        raise PayloadTooLarge(
            f"The media of this organisation would take up more than {settings.MEDIA_QUOTA_GB} GB, which is its limit."
        )
    resource = MediaResource.objects.create(kind=kind, **whose)
    MediaFile.objects.bulk_create(
        MediaFile(
            resource=resource,
            position=position,
            name=content.clean_name(file.name, claim),
            content_type=claim.content_type,
            size=file.size,
            sha256=file.sha256,
            key=storage.new_key(),
        )
        for position, (file, claim) in enumerate(zip(files, claims, strict=True))
    )
    return resource


def _describe_owner(by: AccessContext | Uploader) -> dict[str, Any]:
    if isinstance(by, Uploader):
        return {"organisation": by.user.organisation, "person": by.person}
    return {"organisation": by.organisation, "connector": by.connector, "grant": by.grant, "person": by.person}


@transaction.atomic
def _complete(resource: MediaResource, *, by: AccessContext | Uploader) -> MediaResource:
    resource.stored_at = clock.now()
    if not MediaResource.objects.filter(pk=resource.pk, stored_at__isnull=True).update(stored_at=resource.stored_at):
        raise GatewayDown(gettext_lazy("Storing this took too long, and was given up. Please try again."))
    record(
        EventType.MEDIA_UPLOADED,
        by=by.user if isinstance(by, Uploader) else by,
        subject=resource,
        after=_facts(resource),
    )
    return resource


def _give_up(resource: MediaResource) -> None:
    """Deletes at once what can be; what cannot, because the store or the database is down, is left to the sweeper."""
    try:
        _delete(resource)
    except Exception:
        logger.exception("media.left_to_the_sweeper", resource=str(resource.pk))


# ---------------------------------------------------------------- Posting with it


@transaction.atomic
def use_resource(
    *, resource: str, caller: AccessContext | Uploader, kinds: Collection[MediaKind], field: str
) -> MediaResource:
    """The media that a program or a person names in `field`, to be posted now: from here on it counts as used.

    Raises RuleBroken for `field` when there is no such media, when this caller may not use it (the same words), and
    when it is none of `kinds`. What a user token uploaded is for tokens of the same connector and person; what a group
    token uploaded, for all group tokens of the same connector besides; what a person uploaded in the console, for that
    person. Call it in the transaction that posts.
    """
    key = ids.parse_guid(resource)
    found = None
    if key is not None:
        usable = MediaResource.objects.whole().filter(_usable(caller), pk=key)
        found = usable.select_for_update(of=("self",)).first()  # the sweeper takes what was never used
    if found is None:
        raise RuleBroken(
            gettext_lazy("%(field)s names no media that this token uploaded. POST the file to /v1/media first.")
            % {"field": field},
            field=field,
            code="unknown_media",
        )
    if found.kind not in kinds:
        raise RuleBroken(
            gettext_lazy("%(field)s names media of the kind %(kind)s; expected %(kinds)s.")
            % {"field": field, "kind": found.kind, "kinds": ", ".join(str(kind.value) for kind in kinds)},
            field=field,
            code="wrong_kind_of_media",
        )
    if found.used_at is None:
        found.used_at = clock.now()
        found.save(update_fields=["used_at"])
    return found


def _usable(caller: AccessContext | Uploader) -> Q:
    own = Q(person_id=caller.person.pk)
    if isinstance(caller, Uploader):
        return own & Q(connector__isnull=True)
    if caller.grant.kind == Grant.Kind.GROUP:
        own |= Q(grant__kind=Grant.Kind.GROUP)
    return own & Q(connector_id=caller.connector.pk)


# ---------------------------------------------------------------- Sweeping


def sweep() -> int:
    """Deletes what was never posted with and what was never whole; returns how many media resources are gone.

    May be stopped at any moment, and run by several at once. What the store refuses to delete waits for the next time.
    """
    now = clock.now()
    for resource in MediaResource.objects.never_used(now - dt.timedelta(days=settings.MEDIA_UNUSED_DAYS))[:_AT_ONCE]:
        _retire(resource)
    gone = 0
    for resource in MediaResource.objects.left_behind(now - HALF_WRITTEN_FOR)[:_AT_ONCE]:
        try:
            gone += _delete(resource)
        except GatewayDown:
            break  # the store is down, for all of them
    return gone


@transaction.atomic
def _retire(resource: MediaResource) -> None:
    """From here on nobody can post with it: `use_resource` asks for whole ones. So its files may go, one by one."""
    if MediaResource.objects.whole().filter(pk=resource.pk, used_at__isnull=True).update(stored_at=None):
        record(
            EventType.MEDIA_DELETED,
            by=SYSTEM,
            subject=resource,
            before=_facts(resource),
        )


def _delete(resource: MediaResource) -> bool:
    """Files first, then rows: so no file is ever left without a row that tells of it. False when another was first."""
    sizes = dict(resource.files.values_list("key", "size"))
    for key in sizes:
        storage.delete(key)
    with transaction.atomic():
        deleted, _by_model = MediaResource.objects.filter(pk=resource.pk, stored_at__isnull=True).delete()
        if deleted:
            MediaStore.objects.filter(organisation_id=resource.organisation_id).update(
                bytes_used=F("bytes_used") - sum(sizes.values())
            )
    return bool(deleted)


def _facts(resource: MediaResource) -> dict[str, str | int]:
    """What the audit trail may know: no names, no content."""
    sizes = list(resource.files.values_list("size", flat=True))
    return {"kind": str(resource.kind), "files": len(sizes), "bytes": sum(sizes)}


# ----------------------------------------------------------------------------------------------------
# Fetching media from an address that a program names (wire protocol §6, Media: `mediaUrl`).


_SECONDS: Final = 30
_OK: Final = 200
_FIELD: Final = "mediaUrl"


def fetch_and_store(*, url: str, by: AccessContext) -> MediaResource:
    """Fetches one file from a public https address, and keeps it as `services.media.store` does.

    Its name is what the other side calls it, else the end of the address. Raises RuleBroken for `mediaUrl` when it may
    not be called or gives no file, PayloadTooLarge when the file is too large, TooSoon as `outbound_slot`, and as
    `store` does.
    """
    with Incoming("") as incoming:
        try:
            with outbound_slot(str(by.connector.pk), seconds=_SECONDS):
                answer = http_client.download(url.strip(), incoming.write, deadline=_SECONDS, max_bytes=largest_file())
        except http_client.OutboundError as problem:
            if problem.reason == "too_large":
                raise PayloadTooLarge(str(problem)) from problem
            raise RuleBroken(str(problem), field=_FIELD, code="not_fetched") from problem
        if answer.status != _OK:
            raise RuleBroken(
                _("The other side answered with status %(status)d; expected 200. Redirects are not followed.")
                % {"status": answer.status},
                field=_FIELD,
                code="not_fetched",
            )
        if not incoming.size:
            raise RuleBroken(_("The other side sent an empty file."), field=_FIELD, code="not_fetched")
        incoming.finish()
        incoming.name = _get_name(url, answer.headers.get("Content-Disposition", ""))
        incoming.content_type = answer.headers.get("Content-Type", "")
        return store(files=[incoming], by=by)


def _get_name(url: str, disposition: str) -> str:
    """What a Content-Disposition header calls the file (RFC 6266), else the last part of the address's path."""
    with suppress(UnicodeError):  # headers are read as Latin-1, and many servers write UTF-8
        disposition = disposition.encode("latin-1").decode()
    return header_parameter(disposition, "filename") or unquote(
        urlsplit(url.strip()).path.rpartition("/")[2], errors="replace"
    )


# ----------------------------------------------------------------------------------------------------
# Pictures of people, groups and bots as programs name them: by an address, or by what they uploaded (ADR 0061).


@contextmanager
def resolve_address(given: str | None, *, caller: AccessContext, field: str) -> Iterator[str | None]:
    """The address to keep, for the time of a transaction: of a mediaResource its own, everything else as it came.

    Raises RuleBroken for `field` when there is no such media, when this caller may not use it, and when it is no image.
    """
    with transaction.atomic():
        if given is not None and ids.parse_guid(given) is not None:
            resource = use_resource(resource=given, caller=caller, kinds=(MediaKind.IMAGE,), field=field)
            given = storage.get_lasting_url(resource.files.get())
        yield given
