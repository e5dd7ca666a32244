"""What operators read beside a value is in their language: each model names its fields."""

from __future__ import annotations

from django.apps import apps
from django.db.models import AutoField, Field
from django.utils import translation
from django.utils.functional import Promise

OF_DJANGO_OTP = {"name", "created_at", "last_used_at"}  # abstract models of others name theirs in English


def test_every_field_has_a_name_that_is_translated() -> None:
    unnamed = [
        f"{model.__name__}.{field.name}"
        for app in ("accounts", "connectors", "groups")
        for model in apps.get_app_config(app).get_models()
        for field in model._meta.get_fields()
        if isinstance(field, Field) and not isinstance(field, AutoField) and not isinstance(field.verbose_name, Promise)
    ]
    others = {f"PinDevice.{name}" for name in OF_DJANGO_OTP}
    assert sorted(each for each in unnamed if each not in others and not each.startswith("AuthenticatorApp.")) == []


def test_a_field_is_called_in_the_language_of_the_reader() -> None:
    field = apps.get_model("connectors", "Grant")._meta.get_field("granted_at")
    with translation.override("hi"):
        assert str(field.verbose_name) != "granted at"
