"""Reading through the API: lists and single rows. No parameter is overlooked: one that nobody knows, that is given
twice or that is empty is refused, as is a value that makes no sense.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from django.db.models import Model
from django.http import QueryDict
from django.urls import URLPattern, URLResolver
from django.utils.functional import cached_property
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.generics import GenericAPIView, ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.viewsets import ViewSetMixin

from ccatdc.common.api.expand import CONTEXT, PARAMETER, Wanted, carry_along, wanted_from
from ccatdc.common.api.filters import OneOfFilter
from ccatdc.common.api.parsers import unknown_field
from ccatdc.common.api.schema import PARAMETER_LENGTH

#: Query parameters that every list understands.
PAGE_PARAMETERS = frozenset({"cursor", "page_size"})
#: The framework's parameter for the form of an answer; we have one form.
EVERYWHERE = frozenset({"format"})

RowT = TypeVar("RowT", bound=Model)


class ReadingView(GenericAPIView[RowT]):
    """Rows through a serializer, with what they refer to where that is asked for (ccatdc.common.api.expand.py)."""

    #: What ``?expand=`` may name, dotted.
    expands: ClassVar[tuple[str, ...]] = ()
    #: Query parameters that the view reads itself.
    parameters: ClassVar[tuple[str, ...]] = ()

    def lists(self) -> set[str]:
        """Query parameters with several values: with commas, or named several times as generated clients do."""
        return {PARAMETER} if self.expands else set()

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        """Values of lists are joined, so that all else reads one text."""
        query = request.GET.copy()
        for name in self.lists():
            if len(values := query.getlist(name)) > 1:
                query[name] = ",".join(values)
        request.GET = query
        return super().initialize_request(request, *args, **kwargs)

    @cached_property
    def wanted(self) -> Wanted:
        """What is to be carried along."""
        text = self.request.query_params.get(PARAMETER)
        return {} if text is None else wanted_from(text, self.expands)

    def get_serializer_context(self) -> dict[str, Any]:
        """The serializer is told what was asked for."""
        context = super().get_serializer_context()
        asked = getattr(self, "request", None) is not None and hasattr(self.request, "query_params")
        return {**context, CONTEXT: self.wanted if asked else {}}

    def require_known(self, *parameters: str) -> None:
        """400 for a parameter that is none of these."""
        expand = {PARAMETER} if self.expands else set()
        known = {*parameters, *self.parameters, *expand, *EVERYWHERE}
        require_known(self.request.query_params, known)


class StrictListView(ReadingView[RowT], ListAPIView[RowT]):
    """A list, one page at a time. The first of ``orders`` holds unless ``?order=`` names another one."""

    filterset_class: ClassVar[Any] = None
    #: Columns that are never null; with a minus downwards.
    orders: ClassVar[tuple[str, ...]] = ("id",)

    def lists(self) -> set[str]:
        """Also words of a fixed list."""
        filters = self.filterset_class.base_filters if self.filterset_class else {}
        return super().lists() | {name for name, one in filters.items() if isinstance(one, OneOfFilter)}

    def filter_queryset(self, queryset: Any) -> Any:
        """The rows that were asked for."""
        filters = self.filterset_class.base_filters if self.filterset_class else ()
        order = {"order"} if len(self.orders) > 1 else set()
        self.require_known(*filters, *PAGE_PARAMETERS, *order)
        return super().filter_queryset(queryset)

    def paginate_queryset(self, queryset: Any) -> Any:
        """A page, with all that its rows carry along."""
        page = super().paginate_queryset(queryset)
        carry_along(page or (), self.get_serializer_class(), self.wanted, self.request.user)
        return page


class StrictDetailView(ReadingView[RowT], RetrieveAPIView[RowT]):
    """One row."""

    def get_object(self) -> RowT:
        """The row, with all that it carries along."""
        self.require_known()
        row = super().get_object()
        carry_along([row], self.get_serializer_class(), self.wanted, self.request.user)
        return row


class RowsViewSet(ViewSetMixin, StrictListView[RowT], StrictDetailView[RowT]):
    """A list and its single rows, for :func:`rows_at`."""

    needs: ClassVar[dict[str, str]] = {"GET": "read:observations"}
    lookup_value_converter = "int"

    def filter_queryset(self, queryset: Any) -> Any:
        """As of a list; a single row is only narrowed to what may be seen."""
        if self.action == "list":
            return super().filter_queryset(queryset)
        return GenericAPIView.filter_queryset(self, queryset)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One row of the list."""
        return super().retrieve(request, *args, **kwargs)


def rows_at(addresses: Mapping[str, type[RowsViewSet[Any]]]) -> list[URLPattern | URLResolver]:
    """``<address>/`` and ``<address>/<key>/`` of each."""
    router = SimpleRouter(use_regex_path=False)
    for address, viewset in addresses.items():
        router.register(address, viewset, basename=address)
    return router.urls


def require_known(query: QueryDict, known: set[str]) -> None:
    """400 for a parameter that nobody reads, that is there twice, that is empty or too long."""
    errors: dict[str, Any] = {}
    for name, values in query.lists():
        if name not in known:
            errors[name] = [unknown_field(known)]
        elif len(values) > 1:
            errors[name] = ["This parameter is given twice."]
        elif len(values[0]) > PARAMETER_LENGTH:
            errors[name] = [ErrorDetail(f"At most {PARAMETER_LENGTH} characters.", code="max_length")]
        elif not values[0].strip():
            errors[name] = ["This parameter is empty."]
    if errors:
        raise serializers.ValidationError(errors)
