"""What the admin pages of all apps are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest
from django.utils.translation import ngettext

from accounts.models import User
from accounts.operators import search
from accounts.operators.long_lists import ByKey, LongChangeList
from kaizala_console.lib.errors import ConsoleError


def operator_of(request: HttpRequest) -> User:
    """Who is at the desk: the site let nobody else in."""
    return cast(User, request.user)


def carry_out(request: HttpRequest, rows: models.QuerySet[Any], act: Callable[[Any], Any]) -> None:
    """Does `act` to each row, through its service, and says how many it worked for, and why not for the others."""
    done = 0
    for row in rows:
        try:
            act(row)
        except ConsoleError as refusal:
            messages.warning(request, f"{row}: {refusal}")
        else:
            done += 1
    if done:
        messages.success(request, ngettext("%(count)d was changed.", "%(count)d were changed.", done) % {"count": done})


class ReadOnlyAdmin(admin.ModelAdmin):
    """For reading and searching; changes come as actions that call services."""

    list_per_page = 50
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    show_full_result_count = False  # counting a million rows is slower than showing fifty
    ordering = ["-pk"]  # the one order that each table has an index for, and nearly that of time
    filters_with_index: ClassVar[set[str]] = set()  # whose rows an index has in the order of keys: parameters
    moment = ""  # a column that grows with the keys: of such a list, a day can be searched for

    def get_changelist(self, request: HttpRequest, **_more: Any) -> type[LongChangeList]:
        """One that does not grow with its table."""
        return LongChangeList

    def get_paginator(
        self, request: HttpRequest, queryset: models.QuerySet[Any], per_page: int, *_more: Any, **_others: Any
    ) -> Paginator:
        """One that fetches a page in no time, whatever was searched for; Django's for the history of a row."""
        if queryset.model is not self.model:
            return super().get_paginator(request, queryset, per_page)
        related = self.list_select_related
        rows = self.get_queryset(request)
        return ByKey(queryset, per_page, rows=rows if isinstance(related, bool) else rows.select_related(*related))

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        """Without those of which an index has said that nothing is found."""
        return [path for path in super().get_search_fields(request) if path not in search.left_out(request)]

    def also_found(self, words: str) -> list[search.Keys]:
        """Keys of rows that an index finds in a way that `search_fields` cannot say."""
        return []

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nothing is made here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Nothing is edited here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Nothing is deleted here."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Operators see everything: the site let them in."""
        return True

    def has_module_permission(self, request: HttpRequest) -> bool:
        """As for viewing."""
        return True
