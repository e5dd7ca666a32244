"""The forms by which people post cards from the console: a poll, and an announcement."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from groups.action_types.base import MAX_WORDS
from groups.models import Action
from groups.views.forms import TextField
from groups.views.uploads import FilesField
from kaizala_console.lib.errors import ConsoleError

EMPTY: Final = gettext_lazy("One of these files is empty. Choose the files again.")
FEWEST_CHOICES, MOST_CHOICES = 2, 10
CLOSES: Final = (
    (1, gettext_lazy("in an hour")),
    (24, gettext_lazy("in a day")),
    (72, gettext_lazy("in 3 days")),
    (168, gettext_lazy("in a week")),
    (720, gettext_lazy("in 30 days")),
)


class CardForm(forms.Form):
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


class PollForm(CardForm):
    """A question, a line for each choice, and until when. Its field names are none of the other forms'."""

    kind = Action.Kind.POLL
    question = forms.CharField(
        label=gettext_lazy("Question"),
        max_length=Action.MAX_TITLE,
        error_messages={"required": gettext_lazy("Ask something.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )
    choices = TextField(
        label=gettext_lazy("Choices"),
        max_length=MAX_WORDS,
        help_text=gettext_lazy("Each on a line of its own, from 2 to 10."),
        error_messages={"required": gettext_lazy("Write at least two choices, each on a line of its own.")},
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "dir": "auto"}),
    )
    closes = forms.TypedChoiceField(
        label=gettext_lazy("It closes"),
        choices=CLOSES,
        coerce=int,
        initial=168,
    )
    only_me = forms.BooleanField(label=gettext_lazy("Only I see who answered what"), required=False)

    def clean_choices(self) -> list[str]:
        lines = [line.strip() for line in self.cleaned_data["choices"].split("\n") if line.strip()]
        if len(lines) < FEWEST_CHOICES:
            raise forms.ValidationError(_("Write at least two choices, each on a line of its own."))
        if len(lines) > MOST_CHOICES:
            raise forms.ValidationError(
                _("These are %(count)d choices; a poll has up to %(most)d.")
                % {"count": len(lines), "most": MOST_CHOICES}
            )
        for line in lines:
            if len(line) > Action.MAX_TITLE:
                raise forms.ValidationError(
                    _("“%(start)s…” is too long: a choice has up to %(most)d characters.")
                    % {"start": line[:40], "most": Action.MAX_TITLE}
                )
        for at, line in enumerate(lines):
            if line in lines[:at]:
                raise forms.ValidationError(_("“%(line)s” stands there twice: choices differ.") % {"line": line[:80]})
        return lines

    def body(self) -> dict[str, Any]:
        return {
            "question": self.cleaned_data["question"],
            "choices": [{"title": line} for line in self.cleaned_data["choices"]],
            "expiryInHours": self.cleaned_data["closes"],
            "isSenderOnly": self.cleaned_data["only_me"],
        }


class AnnouncementForm(CardForm):
    """A title and a text, which nobody answers."""

    kind = Action.Kind.ANNOUNCEMENT
    title = forms.CharField(
        label=gettext_lazy("Title"),
        max_length=Action.MAX_TITLE,
        error_messages={"required": gettext_lazy("Give it a title.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )
    text = TextField(
        label=gettext_lazy("What there is to say"),
        max_length=MAX_WORDS,
        error_messages={"required": gettext_lazy("Write what there is to say.")},
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}),
    )

    files_field = "pictures"
    pictures = FilesField(
        label=gettext_lazy("Pictures and files"),
        required=False,
        help_text=gettext_lazy("Shown under the text."),
        error_messages={"empty": EMPTY},
    )

    def body(self) -> dict[str, Any]:
        return {"title": self.cleaned_data["title"], "message": self.cleaned_data["text"]}


class FilesForm(CardForm):
    """Files with a caption. `kind` is none of the wire's: what the files are says which cards they become."""

    kind = "Files"
    files_field = "shared"
    shared = FilesField(
        label=gettext_lazy("Files"),
        help_text=gettext_lazy(
            "Pictures (.jpg, .png), sound (.mp3, .wav), film (.mp4, .3gp), Office documents and PDF. Several pictures "
            "make an album; every other file is a post of its own."
        ),
        error_messages={"required": gettext_lazy("Choose a file."), "empty": EMPTY},
    )
    caption = TextField(
        label=gettext_lazy("Caption"),
        required=False,
        max_length=Action.MAX_TITLE,
        widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
    )
