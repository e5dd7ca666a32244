"""Files that a form of the console brings, within the same bounds as those of programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, Final

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from groups.media.content import EXTENSIONS
from groups.media.upload import MEBIBYTE, Incoming

View = Callable[..., HttpResponse]
_LEFT_OUT: Final = "console.files_left_out"  # in META: no header can have this name


def limit_uploads(view: View) -> View:
    """Files beyond what a request may bring are read past, never kept; `get_upload_problem` says so.

    What bounds them has to be there before the form is read, which the check of its CSRF token does: so this check is
    made inside (Django, "Modifying upload handlers on the fly").
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST":
            request.upload_handlers.insert(0, _Bounded(request))
        return csrf_protect(view)(request, *args, **kwargs)

    return csrf_exempt(guarded)


class _Bounded(FileUploadHandler):
    """Stands before Django's own handlers and lets through what is within the bounds."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self._meta = request.META
        self._all = self._one = self._count = 0

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._one = 0
        self._count += 1
        if self._count > settings.MEDIA_MAX_FILES:
            self._leave_out("many")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self._one += len(raw_data)
        self._all += len(raw_data)
        if self._one > settings.MEDIA_MAX_MB * MEBIBYTE:
            self._leave_out("one")
        if self._all > settings.MEDIA_MAX_REQUEST_MB * MEBIBYTE:
            self._leave_out("all")
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None

    def _leave_out(self, why: str) -> None:
        self._meta.setdefault(_LEFT_OUT, (why, str(self.file_name or "")))
        raise SkipFile


def get_upload_problem(request: HttpRequest) -> str:
    """Why a file of this request was not read; empty when all were."""
    found = request.META.get(_LEFT_OUT)
    if found is None:
        return ""
    why, name = found
    if why == "one":
        return _("“%(name)s” is larger than %(most)d MB, the most that a file may have. Choose the files again.") % {
            "name": name[:80],
            "most": settings.MEDIA_MAX_MB,
        }
    if why == "many":
        return ngettext(
            "Choose %(most)d file at the most.", "Choose up to %(most)d files at once.", settings.MEDIA_MAX_FILES
        ) % {"most": settings.MEDIA_MAX_FILES}
    return _("All files together are larger than %(most)d MB. Post them in several parts.") % {
        "most": settings.MEDIA_MAX_REQUEST_MB
    }


@contextmanager
def read_uploads(files: Sequence[UploadedFile]) -> Iterator[list[Incoming]]:
    """The files as the media service takes them; closed when the context ends. Raises GatewayDown."""
    with ExitStack() as opened:
        found = []
        for file in files:
            one = opened.enter_context(Incoming(file.name or "", file.content_type or ""))
            for chunk in file.chunks():
                one.write(chunk)
            one.finish()
            found.append(one)
        yield found


class FilesInput(forms.FileInput):
    """Chooses several files at once."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Several files. `kinds` is what browsers offer to choose; the service looks at what is inside."""

    def __init__(self, *, accept: Sequence[str] = EXTENSIONS, **kwargs: Any) -> None:
        super().__init__(widget=FilesInput(attrs={"accept": ",".join(accept)}), **kwargs)

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        chosen = data if isinstance(data, list | tuple) else [data]
        return [file for file in (super(FilesField, self).clean(one, initial) for one in chosen or [None]) if file]
