"""Posting pictures and files from the console: the same checks and limits as for programs, with words for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from connectors import authentication
from connectors.tests.html_forms import text_of
from groups.media.content import MediaKind
from groups.models import Action, Group, MediaFile, MediaResource
from groups.services import groups, media
from groups.services.media import Uploader
from groups.tests.conftest import Browser
from groups.tests.factories import Program, person_of
from groups.tests.media_files import JPEG, PDF, PNG, WAV
from kaizala_console.lib.errors import RuleBroken

pytestmark = pytest.mark.django_db

KEY = {"idempotency_key": "k" * 32}


@pytest.fixture(autouse=True)
def _shelf(shelf: Path) -> None:
    """Each test keeps its media in a folder of its own."""


@pytest.fixture
def client(member: User, browser_of: Browser) -> Client:
    return browser_of(member)


def file(name: str, content: bytes, content_type: str = "application/octet-stream") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type)


def send(client: Client, group: Group, *files: SimpleUploadedFile, to: str = "files_post", **fields: str) -> Any:
    field = "shared" if to == "files_post" else "pictures"
    return client.post(reverse(f"groups:{to}", args=[group.pk]), {**KEY, **fields, field: list(files)})


def refusal(answer: Any) -> str:
    """The words of a form that was refused; and nothing was posted or kept."""
    assert answer.status_code == 400
    assert not Action.objects.exists()
    assert not MediaResource.objects.exists()
    return text_of(answer)


@pytest.mark.parametrize("form", ["files_post", "announcement_post"])
def test_a_form_of_another_site_uploads_nothing(client: Client, group: Group, form: str) -> None:
    client.handler.enforce_csrf_checks = True
    answer = send(client, group, file("yard.png", PNG, "image/png"), to=form, title="Yard", text="New")
    assert answer.status_code == 403
    assert not Action.objects.exists()
    assert not MediaResource.objects.exists()


def test_one_picture_is_an_image_with_its_caption_in_the_persons_name(
    client: Client, group: Group, member: User
) -> None:
    answer = send(client, group, file("yard.png", PNG, "image/png"), caption="The new yard")
    posted = Action.objects.get()
    assert answer["Location"].endswith(f"#card-{posted.pk}")
    assert (posted.kind, posted.title, posted.person, posted.connector) == (
        "Image",
        "The new yard",
        person_of(member),
        None,
    )
    kept = MediaResource.objects.get()
    assert (kept.connector, kept.grant, kept.person) == (None, None, person_of(member))
    assert kept.used_at is not None
    assert AuditEvent.objects.get(tag="media:file:uploaded").actor_kind == "user"
    page = client.get(reverse("groups:messages", args=[group.pk]))
    assert "The new yard" in text_of(page)
    assert 'alt="yard.png"' in page.content.decode()


def test_several_pictures_are_one_album_and_other_files_cards_of_their_own(client: Client, group: Group) -> None:
    files = [file("a.png", PNG), file("plan.pdf", PDF, "application/pdf"), file("b.jpg", JPEG), file("c.wav", WAV)]
    send(client, group, *files, caption="From today")
    posted = Action.objects.order_by("sent_at", "pk")
    assert sorted((card.kind, card.title) for card in posted) == [
        ("Album", "From today"),
        ("Audio", ""),
        ("Document", ""),
    ]
    assert sorted(MediaFile.objects.values_list("name", flat=True)) == ["a.png", "b.jpg", "c.wav", "plan.pdf"]


def test_a_double_click_posts_once_and_other_files_in_the_same_form_are_others(client: Client, group: Group) -> None:
    for _click in range(2):
        send(client, group, file("a.png", PNG), file("plan.pdf", PDF), caption="Twice")
    assert Action.objects.count() == MediaResource.objects.count() == 2
    send(client, group, file("b.jpg", JPEG), caption="Twice")
    assert Action.objects.count() == 3


@pytest.mark.parametrize(
    ("name", "content", "content_type"),
    [
        ("run.exe", b"MZ" + bytes(90), "application/x-msdownload"),
        ("not-a-picture.png", PDF, "image/png"),
        ("page.html", b"<script>alert(1)</script>", "text/html"),
    ],
)
@pytest.mark.parametrize("to", ["files_post", "announcement_post"])
def test_what_cannot_be_posted_is_named_with_what_can_and_what_was_typed_is_kept(
    client: Client, group: Group, name: str, content: bytes, content_type: str, to: str
) -> None:
    words = {"caption": "Look at this"} if to == "files_post" else {"title": "New yard", "text": "Look at this"}
    answer = send(client, group, file("good.png", PNG), file(name, content, content_type), to=to, **words)
    says, html = refusal(answer), answer.content.decode()
    assert f"“{name}” is no file that can be posted" in says
    assert ".docx, .xls" in says
    assert "Look at this</textarea>" in html
    assert ('value="New yard"' in html) == (to == "announcement_post")


def test_no_file_an_empty_one_and_one_for_which_no_room_is_left_are_refused(
    client: Client, group: Group, settings: Any
) -> None:
    refusal(send(client, group, caption="No file"))
    refusal(send(client, group, file("a.png", b""), caption="Empty"))
    settings.MEDIA_QUOTA_GB = 0
    assert "0 GB" in refusal(send(client, group, file("a.png", PNG)))


def test_what_is_too_large_or_too_many_is_read_past_and_said(client: Client, group: Group, settings: Any) -> None:
    settings.MEDIA_MAX_MB = 1
    large = PNG + bytes(1024 * 1024)
    answer = send(client, group, file("a.png", PNG), file("large.png", large), caption="Kept words")
    assert "“large.png” is larger than 1 MB" in refusal(answer)
    assert "Kept words</textarea>" in answer.content.decode()
    settings.MEDIA_MAX_MB, settings.MEDIA_MAX_REQUEST_MB = 2, 1
    assert "1 MB together" in refusal(send(client, group, file("large.png", large)))
    settings.MEDIA_MAX_FILES = 2
    assert "at most 2 files" in refusal(send(client, group, *[file("a.png", PNG) for _ in range(3)]))


def test_an_announcement_carries_pictures_and_files(client: Client, group: Group) -> None:
    words = {"title": "New yard", "text": "We moved."}
    for _click in range(2):
        send(client, group, file("a.png", PNG), file("plan.pdf", PDF), to="announcement_post", **words)
    posted = Action.objects.get()
    assert (posted.kind, len(posted.body["mediaResources"])) == ("Announcement", 2)
    page = client.get(reverse("groups:messages", args=[group.pk]))
    assert 'alt="a.png"' in page.content.decode()
    assert "plan.pdf" in text_of(page)


def test_where_only_admins_post_a_members_files_are_not_even_kept(
    client: Client, group: Group, group_admin: User
) -> None:
    groups.change_policies(group=group, only_admins_post=True, by=group_admin)
    for to in ("files_post", "announcement_post"):
        assert send(client, group, file("a.png", PNG), to=to, title="x", text="x").status_code == 403
    assert not MediaResource.objects.exists()


def test_what_a_person_uploaded_is_no_programs_and_what_a_program_uploaded_no_persons(
    group: Group, member: User, group_admin: User, program: Program, client: Client
) -> None:
    send(client, group, file("a.png", PNG))
    mine = str(MediaResource.objects.get().pk)
    caller = authentication.get_access_context(program.access_token)
    for stranger in (caller, Uploader(group_admin, person_of(group_admin))):
        with pytest.raises(RuleBroken), transaction.atomic():
            media.use_resource(resource=mine, caller=stranger, kinds=list(MediaKind), field="x")
    assert media.use_resource(
        resource=mine, caller=Uploader(member, person_of(member)), kinds=list(MediaKind), field="x"
    )


def test_media_have_both_a_connector_and_a_grant_or_neither(group: Group, member: User, program: Program) -> None:
    with pytest.raises(IntegrityError, match="media_resource_of_a_program_has_both"), transaction.atomic():
        MediaResource.objects.create(
            kind="Image", organisation=member.organisation, person=person_of(member), connector=program.connector
        )
