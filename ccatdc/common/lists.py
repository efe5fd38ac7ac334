"""Lists of the API: one page at a time, and no parameter that nobody reads."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from django.db.models import Model
from rest_framework import serializers
from rest_framework.generics import ListAPIView

from ccatdc.common.api import unknown_field

#: Query parameters that every list understands.
PAGE_PARAMETERS = frozenset({"cursor", "page_size", "format"})

RowT = TypeVar("RowT", bound=Model)


class StrictListView(ListAPIView[RowT]):
    """A list; a query parameter that does not exist is refused, not ignored."""

    filterset_class: ClassVar[Any] = None

    def filter_queryset(self, queryset: Any) -> Any:
        """The rows that were asked for; 400 for a parameter that does not exist."""
        filters = set(self.filterset_class.base_filters) if self.filterset_class else set()
        known = filters | PAGE_PARAMETERS
        unknown = set(self.request.query_params) - known
        if unknown:
            raise serializers.ValidationError({name: [unknown_field(known)] for name in unknown})
        return super().filter_queryset(queryset)
