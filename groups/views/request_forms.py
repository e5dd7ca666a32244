"""The form by which a group's admin answers a request."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy

from connectors.models import AccessRequest
from connectors.permissions import Permission
from connectors.views.end_dates import WithEndDate, last_day
from connectors.views.forms import PERMISSION_CHOICES, PermissionsForm
from groups.models import Group
from kaizala_console.lib import clock


class AnswerForm(PermissionsForm, WithEndDate):
    """Which of the permissions, in which group when a link is answered, and until when."""

    group = forms.ChoiceField(
        label=gettext_lazy("Group"),
        error_messages={
            "required": gettext_lazy("Choose the group first."),
            "invalid_choice": gettext_lazy("Choose a group that you are an admin of."),
        },
    )
    shown = forms.CharField(widget=forms.HiddenInput, required=False)

    field_order = ["group", "permissions", "end_date"]

    def __init__(self, *args: Any, asked: AccessRequest, groups: Iterable[Group] = (), **kwargs: Any) -> None:
        """`groups` are those to choose from when the request is a link."""
        super().__init__(*args, **kwargs)
        self._asked = asked
        boxes: Any = self.fields["permissions"]
        boxes.choices = [(value, label) for value, label in PERMISSION_CHOICES if value in asked.permissions]
        boxes.error_messages["required"] = gettext_lazy("Tick what you give, or press “Refuse” to give nothing.")
        boxes.error_messages["invalid_choice"] = gettext_lazy("More was ticked than was asked. Open the request again.")
        if asked.by_link:
            chooser: Any = self.fields["group"]
            chooser.choices = [("", gettext_lazy("Choose a group")), *((str(group.pk), group.name) for group in groups)]
        else:
            del self.fields["group"]
        if asked.kind == AccessRequest.Kind.MORE:
            del self.fields["end_date"]
        else:
            self.fields["end_date"].widget.attrs["min"] = timezone.localdate(clock.now()).isoformat()

    def as_shown(self) -> frozenset[Permission]:
        """What the person saw; an unknown name is a page of another version, and is none of the request's."""
        known = {permission.value for permission in Permission}
        return frozenset(Permission(name) for name in self.cleaned_data["shown"].split(",") if name in known)

    def ends_at(self) -> dt.datetime | None:
        """Left on the day that was asked, it is that very moment: the developer's day may end in another zone."""
        same_day = self.cleaned_data["end_date"] == last_day(self._asked.ends_at)
        return self._asked.ends_at if same_day else super().ends_at()

    @staticmethod
    def first(asked: AccessRequest) -> dict[str, Any]:
        """What the form says when it is opened: all that was asked, until when it was asked."""
        return {"permissions": list(asked.permissions), "end_date": last_day(asked.ends_at)}

    def only_group_is_valid(self) -> bool:
        """Refusing asks for the group alone: what is ticked does not matter then."""
        self.full_clean()
        for name in [name for name in self.errors if name != "group"]:
            del self.errors[name]
        return not self.errors
