"""Words of Django’s admin, and of its neighbours, that nobody has put into Hindi: named here, for our catalogue.

A catalogue of a project comes before Django's own. Only what the operators' pages show is named.
"""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_noop as _

WORDS: Final = (
    _("%(app)s administration"),
    _("Add link"),
    _("Administration"),
    _("Breadcrumbs"),
    _("Change or view list link"),
    _("Clear all filters"),
    _("Close"),
    _("Empty"),
    _("Error:"),
    _("Filter navigation items"),
    _("Has date"),
    _("Hide counts"),
    _("Model name"),
    _("My actions"),
    _("No date"),
    _("No, take me back"),
    _("Not empty"),
    _("Objects"),
    _("Recent actions"),
    _("Select %s to view"),
    _("Select all objects on this page for an action"),
    _("Select this object for an action - {}"),
    _("Show counts"),
    _("Sidebar"),
    _("Skip to main content"),
    _("Start typing to filter…"),
    _("Summary"),
    _("Toggle navigation"),
    _("Toggle theme (current theme: auto)"),
    _("Toggle theme (current theme: dark)"),
    _("Toggle theme (current theme: light)"),
    _("View"),
    _("View %s"),
    _("View site"),
    _("Yes, I’m sure"),
    _("You don’t have permission to view or edit anything."),
)
# Of django_celery_beat, which keeps the timetable.
OF_THE_TIMETABLE: Final = (_("Periodic Tasks"), _("periodic task"), _("periodic tasks"))
