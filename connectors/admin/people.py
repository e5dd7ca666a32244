"""Deactivating people on the operators' pages: with what hangs on them, which only this app knows."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import ReasonForm, confirmed_act
from accounts.admin.site import site
from accounts.admin.users import UserAdmin
from accounts.models import User
from connectors.services import person_deactivation


class DeactivateForm(ReasonForm):
    """Why, and who owns the connectors from now on."""

    new_owner_email = forms.EmailField(
        label=_("New owner of their connectors"),
        help_text=_("E-mail address of a colleague. Empty: the connectors stay without an active owner."),
        required=False,
    )
    field_order = ("reason", "new_owner_email")


def _facts(rows: list[User]) -> dict[str, Any]:
    found = person_deactivation.count_dependents(rows)
    return {
        "use_facts": [
            {"label": _("User tokens that act for them: refused while they are inactive"), "count": found.user_tokens},
            {"label": _("Connectors that they own: these go on"), "count": found.connectors},
            {"label": _("Access that they gave for groups: this stays"), "count": found.group_grants},
        ],
        "use_title": _("What depends on them"),
    }


class PersonAdmin(UserAdmin):
    """The page of accounts, with deactivating."""

    actions = [*UserAdmin.actions, "deactivate"]

    deactivate = confirmed_act(
        lambda row, by, reason, new_owner_email: person_deactivation.deactivate(
            user=row, by=by, reason=reason, new_owner_email=new_owner_email
        ),
        name="deactivate",
        label=_("Deactivate"),
        says=_("They are signed out, cannot sign in, and nothing acts for them from the next request on."),
        form=DeactivateForm,
        facts=_facts,
    )


site.unregister(User)
site.register(User, PersonAdmin)
