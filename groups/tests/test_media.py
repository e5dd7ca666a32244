"""Who may post with which media, and what is swept away."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.db import IntegrityError, transaction
from pytest_django import Settings

from accounts.models import AuditEvent, User
from connectors.authentication import AccessContext, get_access_context
from connectors.models import Connector
from groups.media.content import MediaKind
from groups.media.upload import Incoming
from groups.models import Group, MediaFile, MediaResource, MediaStore
from groups.services import media
from groups.tasks import sweep_media
from groups.tests.factories import Program, let_act_for, let_in, make_connector, make_group, unknown_id
from groups.tests.media_files import PNG, kept_on
from kaizala_console.lib import clock
from kaizala_console.lib.errors import RuleBroken

IMAGES = (MediaKind.IMAGE, MediaKind.ALBUM)
pytestmark = pytest.mark.usefixtures("shelf")


def caller(program: Program) -> AccessContext:
    return get_access_context(program.access_token)


def stored(program: Program, content: bytes = PNG, name: str = "plan.png") -> MediaResource:
    with Incoming(name) as incoming:
        incoming.write(content)
        incoming.finish()
        return media.store(files=[incoming], by=caller(program))


def wanted(resource: object, program: Program, kinds: tuple[MediaKind, ...] = IMAGES) -> MediaResource:
    return media.use_resource(resource=str(resource), caller=caller(program), kinds=kinds, field="mediaResource")


def test_the_uploader_the_same_person_and_the_same_connector_in_another_group_post_with_it(
    program: Program, connector: Connector, group_admin: User, stranger: User
) -> None:
    elsewhere = make_group("Elsewhere", organisation=stranger.organisation, admins=[stranger])
    resource = stored(program)
    for token in (program, let_act_for(connector, group_admin), let_in(connector, elsewhere, stranger)):
        assert wanted(resource.pk, token) == resource
    for spelled in ("{}@1", "{{{}}}", " {} "):
        assert wanted(spelled.format(str(resource.pk).upper()), program) == resource


def no_such(program: Program, resource: object) -> str:
    with pytest.raises(RuleBroken) as refusal:
        wanted(resource, program)
    assert (refusal.value.field, refusal.value.code) == ("mediaResource", "unknown_media")
    assert not MediaResource.objects.exclude(used_at=None).exists()
    return str(refusal.value)


def test_what_one_uploaded_is_for_no_other_token(
    program: Program, connector: Connector, member: User, stranger: User
) -> None:
    members = let_act_for(connector, member)
    resource = stored(members)
    no_such(let_act_for(connector, stranger), resource.pk)
    no_such(program, resource.pk)
    no_such(members, stored(program).pk)


def test_another_connector_in_the_same_group_cannot_tell_it_from_nothing(
    program: Program, developer: User, group: Group, group_admin: User
) -> None:
    other = let_in(make_connector(developer, name="Another"), group, group_admin)
    assert no_such(other, stored(program).pk) == no_such(other, unknown_id())


def test_what_names_no_media_or_half_of_it_is_refused_in_words(program: Program) -> None:
    for named in ("", "nothing", "https://example.com/photo.jpg", "\0", "0" * 500):
        assert "POST the file to /v1/media" in no_such(program, named)
    resource = stored(program)
    MediaResource.objects.update(stored_at=None)
    no_such(program, resource.pk)


def test_media_of_another_kind_is_refused_with_what_was_expected(program: Program) -> None:
    resource = stored(program)
    with pytest.raises(RuleBroken, match=r"kind Image; expected Audio, Video") as refusal:
        wanted(resource.pk, program, (MediaKind.AUDIO, MediaKind.VIDEO))
    assert refusal.value.code == "wrong_kind_of_media"
    assert MediaResource.objects.get().used_at is None


def test_what_nothing_was_posted_with_is_deleted_after_its_days(
    program: Program, shelf: Path, settings: Settings, travel: Callable[..., dt.datetime]
) -> None:
    settings.MEDIA_UNUSED_DAYS = 3
    used, unused = stored(program), stored(program)
    wanted(used.pk, program)
    travel(days=2, hours=23)
    sweep_media()
    assert len(kept_on(shelf)) == 2
    travel(hours=2)
    sweep_media()
    assert list(MediaResource.objects.all()) == [used]
    assert len(kept_on(shelf)) == 1
    assert MediaStore.objects.get().bytes_used == len(PNG)
    event = AuditEvent.objects.get(tag="media:file:deleted")
    assert (event.subject_id, event.actor_kind) == (str(unused.pk), "system")
    travel(days=1000)
    assert media.sweep() == 0, "what was posted with once is kept"


def test_a_post_that_failed_does_not_keep_it(program: Program, shelf: Path, travel: Callable[..., dt.datetime]) -> None:
    resource = stored(program)
    with transaction.atomic():
        wanted(resource.pk, program)
        transaction.set_rollback(True)
    travel(days=8)
    assert media.sweep() == 1
    assert len(kept_on(shelf)) == 0


def test_what_broke_off_is_deleted_without_a_word(
    program: Program, shelf: Path, travel: Callable[..., dt.datetime]
) -> None:
    stored(program)
    MediaResource.objects.update(stored_at=None)  # as after a power cut
    assert media.sweep() == 0  # it may still be going on
    travel(hours=7)
    assert media.sweep() == 1
    assert len(kept_on(shelf)) == 0
    assert MediaStore.objects.get().bytes_used == 0
    assert not AuditEvent.objects.filter(tag="media:file:deleted").exists()


def test_a_file_that_is_gone_already_stops_no_sweep(program: Program, travel: Callable[..., dt.datetime]) -> None:
    stored(program)
    storages["media"].delete(MediaFile.objects.get().key)
    travel(days=8)
    assert media.sweep() == 1


def test_a_store_that_is_down_is_swept_the_next_time(
    program: Program, shelf: Path, travel: Callable[..., dt.datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = stored(program)
    travel(days=8)

    def down(_name: str) -> None:
        raise OSError("down")

    with monkeypatch.context() as patch:
        patch.setattr(storages["media"], "delete", down)
        assert media.sweep() == 0
    assert not MediaResource.objects.whole().filter(pk=resource.pk).exists()  # nobody posts with it any more
    assert media.sweep() == 1
    assert len(kept_on(shelf)) == 0


@pytest.mark.services
def test_sweeping_and_posting_at_once_never_posts_with_nothing(
    program: Program, shelf: Path, together: Callable[..., list[Any]], settings: Settings
) -> None:
    settings.MEDIA_UNUSED_DAYS = 0
    resources = [stored(program) for _ in range(6)]
    MediaResource.objects.update(created_at=clock.now() - dt.timedelta(days=1))
    turns = iter(range(8))

    def act() -> Any:
        if next(turns) % 2:
            return media.sweep()
        found = []
        for resource in resources:
            with suppress(RuleBroken):
                found.append(wanted(resource.pk, program).pk)
        return found

    outcomes = together(8, act)
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    posted = {pk for outcome in outcomes if isinstance(outcome, list) for pk in outcome}
    assert set(MediaResource.objects.values_list("pk", flat=True)) == posted
    assert len(kept_on(shelf)) == len(posted)
    assert MediaStore.objects.get().bytes_used == len(posted) * len(PNG)


@pytest.mark.services
def test_the_last_bytes_of_an_organisation_are_given_once(
    program: Program, shelf: Path, together: Callable[..., list[Any]], settings: Settings
) -> None:
    settings.MEDIA_QUOTA_GB = 1
    MediaStore.objects.create(organisation=program.connector.organisation, bytes_used=1024**3 - 2 * len(PNG))
    outcomes = together(6, lambda: stored(program))
    assert sum(isinstance(outcome, MediaResource) for outcome in outcomes) == 2
    assert MediaStore.objects.get().bytes_used == 1024**3
    assert len(kept_on(shelf)) == 2


@pytest.mark.parametrize(
    ("model", "change", "constraint"),
    [
        (MediaResource, {"kind": "Sticker"}, "media_resource_kind_is_known"),
        (
            MediaResource,
            {"stored_at": None, "used_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)},
            "media_resource_is_whole_before_use",
        ),
        (MediaFile, {"size": 0}, "media_file_is_not_empty"),
        (MediaFile, {"name": ""}, "media_file_has_a_name"),
        (MediaFile, {"key": ""}, "media_file_has_a_key"),
        (MediaStore, {"bytes_used": -1}, "CHECK|check"),
    ],
)
def test_the_tables_hold_to_their_rules(program: Program, model: Any, change: dict[str, Any], constraint: str) -> None:
    stored(program)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        model.objects.update(**change)


def test_a_place_in_an_album_is_taken_once(program: Program) -> None:
    file = MediaFile.objects.get(resource=stored(program))
    file.pk, file.key = unknown_id(), "another"
    with pytest.raises(IntegrityError), transaction.atomic():
        file.save(force_insert=True)
