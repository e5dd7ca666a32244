"""The forms by which a developer asks: for access, and for other permissions."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from connectors.models import AccessRequest, Connector
from connectors.services.access_requests import LONGEST_REASON, new_once
from connectors.views.end_dates import WithEndDate, last_day
from connectors.views.forms import PERMISSION_CHOICES, PermissionsForm
from kaizala_console.lib import clock, ids

# What an admin sends to say which group it is, is mostly the address of its page.
IN_AN_ADDRESS = re.compile(r"/groups/([0-9A-Fa-f-]{32,36})(?:[/?#@]|$)")


class ReasonForm(forms.Form):
    """Why; the admin reads it."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=LONGEST_REASON,
        help_text=gettext_lazy("The group’s admin reads it: say what the program will do, and for whom."),
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": LONGEST_REASON}),
    )


class RequestForm(PermissionsForm, WithEndDate, ReasonForm):
    """ "Send a request": what the connector should be allowed, where, until when, and why."""

    group = forms.CharField(
        label=gettext_lazy("Group ID"),
        required=False,
        help_text=gettext_lazy(
            "If you know it: the request then waits for that group’s admins. Leave it empty, and you get a link; the "
            "admin who opens it chooses the group."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "maxlength": 300}),
    )
    once = forms.CharField(widget=forms.HiddenInput, required=False)

    field_order = ["permissions", "group", "end_date", "reason"]

    def __init__(self, *args: Any, connector: Connector, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["permissions"].choices = [  # type: ignore[attr-defined]
            (value, label) for value, label in PERMISSION_CHOICES if value in connector.permissions
        ]

    def clean_group(self) -> UUID | None:
        typed: str = self.cleaned_data["group"].strip()
        address = IN_AN_ADDRESS.search(typed)
        key = ids.parse_guid(address[1] if address else typed) if typed else None
        if typed and key is None:
            raise ValidationError(
                _("A group ID looks like 0192f3a4-5b6c-7d8e-9f01-23456789abcd. Leave it empty if you do not know it.")
            )
        return key

    @classmethod
    def fresh(cls, connector: Connector, again: AccessRequest | None = None) -> RequestForm:
        """The form as it is opened: everything ticked that the connector has, or what was asked before.

        Of `again`, what the connector does not have any more and a day that has passed are left out; and the group,
        when whoever got the link chose it.
        """
        if again is not None:
            initial: dict[str, Any] = {
                "permissions": list(again.permissions & connector.permissions),
                "group": "" if again.by_link else again.target.partition(":")[2],
                "end_date": last_day(again.ends_at if again.ends_at and again.ends_at > clock.now() else None),
                "reason": again.reason,
            }
        else:
            initial = {"permissions": list(connector.permissions)}
        return cls(initial={"once": new_once(), **initial}, connector=connector)


class ChangePermissionsForm(PermissionsForm, ReasonForm):
    """What the connector asks to be allowed from now on."""

    field_order = ["permissions", "reason"]
