"""Lists that take as long with a million rows as with a thousand.

Django counts a list's rows on each page, sorts them by any column, and asks each of them what it searches or filters
for. Here it does so among `STRETCH` rows that stand together by their key, the newest first; a link leads to those
before them. What an index finds is found among all rows: `operators.search`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.contrib.admin import AllValuesFieldListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR, SEARCH_VAR, ChangeList
from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.operators import search

STRETCH: Final = 2000
BEFORE = "before"  # in addresses: the key that the last stretch ended with
_OF_THE_STRETCH: Final = {PAGE_VAR, ORDER_VAR}


class LongChangeList(ChangeList):
    """One stretch of a list, or what an index found."""

    model_admin: Any  # a ReadOnlyAdmin
    before: Any = None  # the key that this stretch stands before; None for the newest
    day: dt.date | None = None  # the day that is searched for
    found: search.Found | None = None  # None where nothing is searched for
    end: Any = None  # the key that this stretch ends with; None where no row stands before it
    is_from_everywhere = False  # whether an index found it

    def __init__(self, *about: Any, **more: Any) -> None:
        super().__init__(*about, **more)
        # Told beside the field, not as its description: the field's label is a picture, and then axe takes it for none.
        self.what_is_found, self.search_help_text = self.search_help_text, ""

    @property
    def looked_at(self) -> int:
        """How many rows a stretch has."""
        return STRETCH

    @property
    def is_last(self) -> bool:
        """Whether no rows stand before these."""
        return self.is_from_everywhere or self.end is None

    @property
    def link_before(self) -> str:
        """To the stretch before this one: with the same search, filters and order."""
        return super().get_query_string({BEFORE: self.end})

    @property
    def link_newest(self) -> str:
        """To the newest stretch, likewise."""
        return super().get_query_string(remove=[SEARCH_VAR] if self.day else None)

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """As Django makes it, without the rows that stand elsewhere."""
        self._read_place()
        moment = self.model_admin.moment
        self.day = search.day(self.query) if moment else None
        if self.day is not None and self.before is None:
            self.before = search.first_key_after(self.day, self.root_queryset, moment)
        if not self.query or self.day is not None:
            return self._of_the_stretch(self._by_django(request, exclude_parameters, words=""))
        if self.found is None:
            self.found = search.found(self.model_admin, self.query)
            self.is_from_everywhere = bool(self.found.keys)
            if not self.is_from_everywhere and not self.found.nowhere.issuperset(self.search_fields):
                search.leave_out(request, self.found.nowhere)
                rows = self._of_the_stretch(self._by_django(request, None, words=self.query))
                self.found = search.among(rows.order_by("-pk"))
        return self._by_django(request, exclude_parameters, words="").filter(pk__in=self.found.keys)

    def get_query_string(self, new_params: Any = None, remove: Any = None) -> str:
        """Pages and orders are those of this stretch; another search or filter begins with the newest."""
        if self.before is not None and new_params and not _OF_THE_STRETCH.isdisjoint(new_params):
            new_params = {BEFORE: self.before, **new_params}
        return super().get_query_string(new_params, remove)

    def _by_django(self, request: HttpRequest, exclude_parameters: Any, *, words: str) -> QuerySet[Any]:
        asked, self.query = self.query, words
        try:
            return super().get_queryset(request, exclude_parameters)
        finally:
            self.query = asked

    def _of_the_stretch(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Of these rows; where an index knows what the filters let through, the stretch is one of these alone."""
        rows = self._here(rows)
        filters, known = set(self.get_filters_params()), self.model_admin.filters_with_index
        is_known = bool(filters) and known.issuperset(filters) and (not self.query or self.day is not None)
        keys = (
            (rows if is_known else self._here(self.root_queryset))
            .select_related(None)
            .order_by("-pk")
            .values_list("pk", flat=True)
        )
        edge = list(keys[STRETCH - 1 : STRETCH + 1])
        self.end = edge[0] if len(edge) > 1 else None
        return rows if self.end is None else rows.filter(pk__gte=self.end)

    def _here(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows if self.before is None else rows.filter(pk__lt=self.before)

    def _read_place(self) -> None:
        """Takes it out of what Django takes for filters."""
        self.filter_params.pop(BEFORE, None)
        given = self.params.pop(BEFORE, None)
        if given is not None:
            try:
                self.before = self.lookup_opts.pk.to_python(given)
            except ValidationError as error:
                raise IncorrectLookupParameters from error


class ByKey(Paginator):
    """Names the rows of a page by their keys, then fetches them: a database may make all joins before it sorts.

    `rows` are all rows with what a line shows of them, without search and filters.
    """

    def __init__(self, found: QuerySet[Any], per_page: int, *, rows: QuerySet[Any]) -> None:
        super().__init__(found, per_page)
        self.found, self.rows = found, rows.order_by(*found.query.order_by)

    def page(self, number: int | str) -> Page:
        """One more statement than Django's."""
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        keys = list(self.found.values_list("pk", flat=True)[first : first + self.per_page])
        return Page(self.rows.filter(pk__in=keys), number, self)


class ValuesOfTheNewest(AllValuesFieldListFilter):
    """The values to choose from are those of the newest rows: Django reads all rows for them."""

    def __init__(self, field: Any, request: HttpRequest, *about: Any, **more: Any) -> None:
        super().__init__(field, request, *about, **more)
        rows: QuerySet[Any] = QuerySet(field.model)
        values = rows.filter(pk__in=rows.order_by("-pk").values("pk")[:STRETCH]).order_by(field.name)
        self.lookup_choices = values.values_list(field.name, flat=True).distinct()
