"""The forms of the group pages. They check shape; services enforce rules, and their errors come back to the field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, Final

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from accounts import queries
from accounts.models import User
from connectors.models import Connector
from connectors.views.forms import WithEndDate
from groups.action_types.base import MAX_WORDS
from groups.media.content import EXTENSIONS
from groups.media.upload import MEBIBYTE, Incoming
from groups.models import Action, Group
from groups.models.message import MAX_CHARACTERS
from groups.models.reaction import MAX_COMMENT
from groups.queries import groups
from groups.services import members
from groups.services.members import Failed
from kaizala_console.lib import bounded, clock, ids, phone_numbers
from kaizala_console.lib.errors import ConsoleError, RuleBroken

# ----------------------------------------------------------------------------------------------------
# Phone numbers as people paste them: read out of a list, and given back with what is wrong with each.
#
# A number without a country code is never guessed: it comes back as it would be dialled from where the sender's own
# number is, for them to look at and to send again.


MAX_NUMBERS_AT_ONCE = 500
LONGEST_NAMED = 40
# Commas and semicolons of all keyboards, line ends; and what stands between two whole numbers.
_BETWEEN: Final = re.compile(r"[,;\n\u2028\u060c\u061b\uff0c\uff1b\u3001]|(?<=\d)\s+(?=\+)")


class NumbersField(forms.CharField):
    """Phone numbers as people paste them: separated by commas, semicolons or lines, or rows of a spreadsheet. Cleans to
    a list of texts.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault(
            "widget",
            forms.Textarea(attrs={"rows": 2, "autocomplete": "off", "spellcheck": "false", "inputmode": "tel"}),
        )
        kwargs.setdefault(
            "help_text",
            gettext_lazy("With country code, like +91 98765 43210. Separate several with commas."),
        )
        super().__init__(**kwargs)

    def clean(self, value: Any) -> Any:
        parts = _BETWEEN.split(super().clean(value))
        numbers = [cell.strip() for part in parts for cell in _cells(part) if cell.strip()]
        if self.required and not numbers:
            raise forms.ValidationError(self.error_messages["required"], code="required")
        if len(numbers) > MAX_NUMBERS_AT_ONCE:
            raise forms.ValidationError(
                _("At most %(most)d numbers at once, not %(count)d.")
                % {"count": len(numbers), "most": MAX_NUMBERS_AT_ONCE}
            )
        return numbers


def _cells(part: str) -> list[str]:
    """Of a row that was copied from a spreadsheet, the cells that may be numbers: names stand beside them."""
    return [cell for cell in part.split("\t") if any(map(str.isdigit, cell))] or [part]


def get_region(user: User) -> str:
    """Where the number of this account is dialled from, "" when there is none."""
    person = queries.primary_person(user)
    return phone_numbers.region(person.number) if person else ""


def check_numbers(form: forms.Form, user: User) -> bool:
    """Whether all numbers can be one; else the form gives them back, those that cannot each with its reason."""
    numbers = form.cleaned_data["numbers"]
    _valid, failed = members.read_numbers(numbers)
    if failed:
        give_back(form, numbers, failed, user)
    return not failed


def give_back(form: forms.Form, numbers: list[str], failed: list[Failed], user: User) -> None:
    """Says beside the field which of its numbers were refused, each with its reason, and writes all there once more."""
    region = get_region(user)
    meant = {each.number: _as_dialled(each.number, region) for each in failed}
    for each in failed:
        reason = each.reason
        if meant[each.number]:
            reason = _("We added the country code: %(number)s. Check and submit.")
            reason %= {"number": meant[each.number]}
        form.add_error("numbers", f"{Truncator(each.number).chars(LONGEST_NAMED)}: {reason}")
    written: dict[str, Any] = {name: form.data[name] for name in form.data}
    form.data = {**written, "numbers": ", ".join(meant.get(number) or number for number in numbers)}


def _as_dialled(number: str, region: str) -> str:
    """As it would be dialled from there; "" for what has its country code, or is in use nowhere there."""
    if not region or "+" in number:
        return ""
    try:
        return phone_numbers.display(phone_numbers.parse(number, region, must_be_valid=True))
    except RuleBroken:
        return ""


class TextField(forms.CharField):
    """A text of several lines. Browsers send CRLF for each line end; one character is kept, and counted."""

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        return text.replace("\r\n", "\n").replace("\r", "\n")


class GroupForm(forms.Form):
    """What "Create group" asks."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=120,
        error_messages={"required": gettext_lazy("Enter a name for the group.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    group_type = forms.ChoiceField(
        label=gettext_lazy("Type"),
        choices=[
            (Group.Type.PLAIN, gettext_lazy("Group: members see and answer each other")),
            (Group.Type.CONNECT, gettext_lazy("Managed public group: only admins post, subscribers read")),
        ],
        initial=Group.Type.PLAIN,
        widget=forms.RadioSelect,
    )
    is_private = forms.BooleanField(
        label=gettext_lazy("Private: not one of the organisation’s groups"),
        required=False,
        help_text=gettext_lazy("Organisation admins can’t see or manage it."),
    )
    welcome_message = TextField(
        label=gettext_lazy("Welcome message"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    numbers = NumbersField(label=gettext_lazy("Members"), required=False)

    def __init__(self, *args: Any, may_be_public: bool = True, **kwargs: Any) -> None:
        """`may_be_public`: managed public groups are made by organisation admins (wire protocol §4)."""
        super().__init__(*args, **kwargs)
        if not may_be_public:
            del self.fields["group_type"]


class SubGroupForm(forms.Form):
    """A new group under this one."""

    name = forms.CharField(
        label=gettext_lazy("Name of the sub-group"),
        max_length=120,
        error_messages={"required": gettext_lazy("Enter a name for the sub-group.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    numbers = NumbersField(label=gettext_lazy("Members"), required=False)


class AddMembersForm(forms.Form):
    """People by phone number."""

    numbers = NumbersField(
        label=gettext_lazy("Phone numbers"),
        error_messages={"required": gettext_lazy("Enter at least one phone number.")},
    )


def make_retry_form(failed: list[Failed], user: User) -> AddMembersForm:
    """The form once more, with the numbers that were refused, each with its reason."""
    numbers = [each.number for each in failed]
    form = AddMembersForm({"numbers": ", ".join(numbers)})
    form.is_valid()
    give_back(form, numbers, failed, user)
    return form


class MessageForm(forms.Form):
    """A text message."""

    message = TextField(
        label=gettext_lazy("Message"),
        max_length=MAX_CHARACTERS,
        strip=False,
        error_messages={"required": gettext_lazy("Enter a message.")},
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def clean_message(self) -> str:
        text: str = self.cleaned_data["message"]
        if not text.strip():
            raise forms.ValidationError(_("Enter a message."))
        return text


class CommentForm(forms.Form):
    """A comment on a message or a card."""

    comment = TextField(
        label=gettext_lazy("Comment"),
        max_length=MAX_COMMENT,
        error_messages={"required": gettext_lazy("Enter a message.")},
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class ConnectorField(forms.ModelChoiceField):
    """A drop-down of connectors by name and owner. What is no id at all is as wrong as the id of none."""

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values or ids.parse_guid(str(value)) is not None:
            return super().to_python(value)
        raise forms.ValidationError(self.error_messages["invalid_choice"], code="invalid_choice")

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name} · {obj.owner.name}"


# Of more connectors than these, the drop-down offers those that were searched for.
MOST_CHOICES = 50


class AddConnectorForm(WithEndDate):
    """The drop-down of connectors that may be added, and until when."""

    connector = ConnectorField(
        label=gettext_lazy("Connector"),
        queryset=Connector.objects.none(),
        empty_label=gettext_lazy("Choose a connector"),
        error_messages={
            "required": gettext_lazy("Choose a connector first."),
            "invalid_choice": gettext_lazy("This connector can no longer be added. Choose another one."),
        },
    )
    field_order = ["connector", "end_date"]

    def __init__(
        self, *args: Any, connectors: QuerySet[Connector], page_url: str, search: str = "", **kwargs: Any
    ) -> None:
        """`page_url` shows what the chosen connector could do; with scripts, choosing asks it at once.

        `connectors` are all that may be added, and any of them is accepted. The drop-down offers `MOST_CHOICES` of
        those found by `search`, and the chosen one; `total` and `found` are how many there are.
        """
        super().__init__(*args, **kwargs)
        self.fields["connector"].widget.attrs |= {
            "hx-get": page_url,
            "hx-trigger": "change",
            "hx-include": "#id_end_date",
            "hx-target": "#chosen-connector",
            # The place itself stays: screen readers tell what is new in it.
            "hx-select": "#chosen-connector > *",
            "hx-swap": "innerHTML",
        }
        field: Any = self.fields["connector"]
        field.queryset = connectors
        self.total = self.found = bounded.count(connectors)
        if self.total > MOST_CHOICES:
            field.widget.choices = self._offered(field, connectors, search)
        self.fields["end_date"].widget.attrs["min"] = timezone.localdate(clock.now()).isoformat()

    def _offered(self, field: Any, connectors: QuerySet[Connector], search: str) -> list[tuple[Any, str]]:
        found = groups.search_connectors(connectors, search) if search else connectors
        self.found = bounded.count(found) if search else self.total
        offered = list(found[:MOST_CHOICES])
        chosen = ids.parse_guid(str(self["connector"].value() or ""))
        if chosen and chosen not in {connector.pk for connector in offered}:
            offered = [*connectors.filter(pk=chosen), *offered]
        return [
            ("", field.empty_label),
            *((connector.pk, field.label_from_instance(connector)) for connector in offered),
        ]


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
        return _("“%(name)s” is larger than %(most)d MB. Choose the files again.") % {
            "name": name[:80],
            "most": settings.MEDIA_MAX_MB,
        }
    if why == "many":
        return ngettext("Choose at most %(most)d file.", "Choose at most %(most)d files.", settings.MEDIA_MAX_FILES) % {
            "most": settings.MEDIA_MAX_FILES
        }
    return _("The files are larger than %(most)d MB together. Post fewer at once.") % {
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


# ----------------------------------------------------------------------------------------------------
# The forms by which people post cards from the console: a poll, and an announcement.


EMPTY: Final = gettext_lazy("A file is empty. Choose the files again.")
FEWEST_CHOICES, MOST_CHOICES = 2, 10
CLOSES: Final = (
    (1, gettext_lazy("in an hour")),
    (24, gettext_lazy("in a day")),
    (72, gettext_lazy("in 3 days")),
    (168, gettext_lazy("in a week")),
    (720, gettext_lazy("in 30 days")),
)


class ActionForm(forms.Form):
    """A card. `kind` is the wire's actionType, `body` the actionBody."""

    kind: str
    files_field = ""  # which of its fields brings files, if one does

    def body(self) -> dict[str, Any]:
        raise NotImplementedError

    def add_error_of(self, error: ConsoleError) -> None:
        """Puts what the service refused beside the field that its path means."""
        path = (error.field or "").removeprefix("actionBody.")
        if path.startswith(("files", "mediaResource")):
            path = self.files_field
        name = next((name for name in self.fields if path and path.startswith(name)), None)
        self.add_error(name, str(error))


class PollForm(ActionForm):
    """A question, a line for each choice, and until when. Its field names are none of the other forms'."""

    kind = Action.Kind.POLL
    question = forms.CharField(
        label=gettext_lazy("Question"),
        max_length=Action.MAX_TITLE,
        error_messages={"required": gettext_lazy("Enter a question.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )
    choices = TextField(
        label=gettext_lazy("Choices"),
        max_length=MAX_WORDS,
        help_text=gettext_lazy("One per line, 2 to 10."),
        error_messages={"required": gettext_lazy("Enter at least two choices, one per line.")},
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "dir": "auto"}),
    )
    closes = forms.TypedChoiceField(
        label=gettext_lazy("Closes"),
        choices=CLOSES,
        coerce=int,
        initial=168,
    )
    only_me = forms.BooleanField(label=gettext_lazy("Only I see who answered what"), required=False)

    def clean_choices(self) -> list[str]:
        lines = [line.strip() for line in self.cleaned_data["choices"].split("\n") if line.strip()]
        if len(lines) < FEWEST_CHOICES:
            raise forms.ValidationError(_("Enter at least two choices, one per line."))
        if len(lines) > MOST_CHOICES:
            raise forms.ValidationError(
                _("A poll can have at most %(most)d choices, not %(count)d.")
                % {"count": len(lines), "most": MOST_CHOICES}
            )
        for line in lines:
            if len(line) > Action.MAX_TITLE:
                raise forms.ValidationError(
                    _("“%(start)s…” is too long: at most %(most)d characters.")
                    % {"start": line[:40], "most": Action.MAX_TITLE}
                )
        for at, line in enumerate(lines):
            if line in lines[:at]:
                raise forms.ValidationError(_("“%(line)s” appears twice.") % {"line": line[:80]})
        return lines

    def body(self) -> dict[str, Any]:
        return {
            "question": self.cleaned_data["question"],
            "choices": [{"title": line} for line in self.cleaned_data["choices"]],
            "expiryInHours": self.cleaned_data["closes"],
            "isSenderOnly": self.cleaned_data["only_me"],
        }


class AnnouncementForm(ActionForm):
    """A title and a text, which nobody answers."""

    kind = Action.Kind.ANNOUNCEMENT
    title = forms.CharField(
        label=gettext_lazy("Title"),
        max_length=Action.MAX_TITLE,
        error_messages={"required": gettext_lazy("Enter a title.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )
    text = TextField(
        label=gettext_lazy("Text"),
        max_length=MAX_WORDS,
        error_messages={"required": gettext_lazy("Enter a text.")},
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}),
    )

    files_field = "pictures"
    pictures = FilesField(
        label=gettext_lazy("Pictures and files"),
        required=False,
        help_text=gettext_lazy("Shown below the text."),
        error_messages={"empty": EMPTY},
    )

    def body(self) -> dict[str, Any]:
        return {"title": self.cleaned_data["title"], "message": self.cleaned_data["text"]}


class FilesForm(ActionForm):
    """Files with a caption. `kind` is none of the wire's: what the files are says which cards they become."""

    kind = "Files"
    files_field = "shared"
    shared = FilesField(
        label=gettext_lazy("Files"),
        help_text=gettext_lazy(
            "Pictures (.jpg, .png), sound (.mp3, .wav), video (.mp4, .3gp), Office documents and PDF. "
            "Several pictures become an album."
        ),
        error_messages={"required": gettext_lazy("Choose a file."), "empty": EMPTY},
    )
    caption = TextField(
        label=gettext_lazy("Caption"),
        required=False,
        max_length=Action.MAX_TITLE,
        widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
    )
