"""What operators read beside a value is in their language, whether a model names its field or Django does."""

from __future__ import annotations

import re

from django.apps import apps
from django.db.models import Field
from django.utils import translation
from django.utils.functional import Promise

import accounts.field_names
import connectors.field_names
import groups.field_names

APPS = ("accounts", "connectors", "groups")
LISTED = {
    app: set(module.NAMES)
    for app, module in zip(APPS, (accounts.field_names, connectors.field_names, groups.field_names), strict=True)
}


def made_by_django(app: str) -> set[str]:
    """The names of fields of the app whose models name them not."""
    return {
        str(field.verbose_name)
        for model in apps.get_app_config(app).get_models()
        for field in model._meta.get_fields()
        if isinstance(field, Field) and not isinstance(vars(field)["_verbose_name"], Promise)  # what the model says
    }


def test_every_field_has_a_name_that_is_translated() -> None:
    for app in APPS:
        for model in apps.get_app_config(app).get_models():
            for field in model._meta.get_fields():
                name = getattr(field, "verbose_name", "")
                assert name == "" or isinstance(name, Promise), f"{model.__name__}.{field.name}"


def test_the_names_that_django_made_are_listed_once_and_no_others_are() -> None:
    made = {app: made_by_django(app) for app in APPS}
    for number, app in enumerate(APPS):
        lower = set().union(*(LISTED[one] for one in APPS[:number]))
        assert made[app] - lower == LISTED[app], app


def test_a_field_is_called_in_the_language_of_the_reader() -> None:
    field = apps.get_model("connectors", "Grant")._meta.get_field("granted_at")
    with translation.override("hi"):
        hindi = str(field.verbose_name)
    assert (str(field.verbose_name), re.fullmatch(r"[\u0900-\u097f ]+", hindi) is not None) == ("granted at", True)
