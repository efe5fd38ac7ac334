"""Pages of lists of the API: by position, so that the last page of 10^8 rows costs what the first does.

A cursor holds the values of the columns of the last row that was shown, all of them up to the primary key. The next
page is what comes after that row, whatever was inserted meanwhile: no row that was there from the beginning is left out
or comes twice. The framework's own cursor counts rows with equal values of the first column, and counts wrongly when
one more appears.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ValidationError
from django.db.models import Model, Q
from rest_framework import serializers
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

if TYPE_CHECKING:  # the framework's views read the setting that names this class
    from rest_framework.views import APIView

PAGE_SIZE: Final = 100
MAX_PAGE_SIZE: Final = 1000


class KeysetPagination(BasePagination):
    """``?cursor=`` from the answer before, ``?page_size=``, and ``?order=`` where the view names several ``orders``."""

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:
        """One page. ValidationError for a parameter that makes no sense."""
        orders: Sequence[str] = getattr(view, "orders", ("id",))
        query = request.query_params
        self.address = request.build_absolute_uri()
        self.order = _order(query, orders)
        self.columns = _columns(self.order)
        size = _page_size(query)
        backward, position = _cursor(query, self.order, self.columns, queryset.model)
        columns = _reversed(self.columns) if backward else self.columns
        if position is not None:
            queryset = queryset.filter(_beyond(columns, position))
        rows = list(queryset.order_by(*columns)[: size + 1])
        more, rows = len(rows) > size, rows[:size]
        if backward:
            rows.reverse()
        self.has_next = bool(rows) and (backward or more)
        self.has_previous = bool(rows) and (more if backward else position is not None)
        self.page = rows
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        """The page, and the addresses of its neighbours."""
        return Response(
            {
                "next": self._link(self.page[-1], backward=False) if self.has_next else None,
                "previous": self._link(self.page[0], backward=True) if self.has_previous else None,
                "results": data,
            }
        )

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """For the description of the API."""
        link = {"type": "string", "nullable": True, "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """For the description of the API."""
        orders = getattr(view, "orders", ("id",))
        parameters: list[tuple[str, str, dict[str, Any]]] = [
            ("cursor", "From next or previous of another page.", {"type": "string"}),
            (
                "page_size",
                "Rows of a page.",
                {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": PAGE_SIZE},
            ),
        ]
        if len(orders) > 1:
            text = "By which column; with a minus the largest or latest first."
            enum = {"type": "string", "enum": list(orders), "default": orders[0]}
            parameters.append(("order", text, enum))
        return [
            {"name": name, "in": "query", "required": False, "description": text, "schema": schema}
            for name, text, schema in parameters
        ]

    def _link(self, row: Model, *, backward: bool) -> str:
        values = [getattr(row, column.lstrip("-")) for column in self.columns]
        document = json.dumps([self.order, backward, values], default=str)
        cursor = urlsafe_b64encode(document.encode()).decode().rstrip("=")
        return replace_query_param(self.address, "cursor", cursor)


def _order(query: Mapping[str, str], orders: Sequence[str]) -> str:
    order = query.get("order", orders[0])
    if order not in orders:
        raise serializers.ValidationError(
            {"order": f"This list can be ordered by {', '.join(orders)}."}, code="invalid_choice"
        )
    return order


def _columns(order: str) -> tuple[str, ...]:
    """The column, and the primary key in the same direction: rows with equal values have an order too."""
    if order.lstrip("-") == "id":
        return (order,)
    return order, "-id" if order.startswith("-") else "id"


def _reversed(columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(c.removeprefix("-") if c.startswith("-") else f"-{c}" for c in columns)


def _page_size(query: Mapping[str, str]) -> int:
    text = query.get("page_size", str(PAGE_SIZE))
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= MAX_PAGE_SIZE):
        raise serializers.ValidationError({"page_size": f"Give a number from 1 to {MAX_PAGE_SIZE}."}, code="invalid")
    return int(text)


def _cursor(
    query: Mapping[str, str], order: str, columns: Sequence[str], model: type[Model]
) -> tuple[bool, list[Any] | None]:
    """Which way, and the values of the row to begin after; None at the beginning."""
    text = query.get("cursor")
    if text is None:
        return False, None
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        named, backward, values = json.loads(urlsafe_b64decode(padded))
        _require(named == order and isinstance(backward, bool) and isinstance(values, list))
        position = [_value(model, column, value) for column, value in zip(columns, values, strict=True)]
    except (ValueError, TypeError, ValidationError, OverflowError, RecursionError) as error:
        raise serializers.ValidationError(
            {"cursor": "This is no cursor of this list in this order."}, code="invalid"
        ) from error
    return backward, position


def _value(model: type[Model], column: str, value: Any) -> Any:
    """What a cursor says, as the column has it; ValueError or ValidationError for what it cannot have."""
    _require(isinstance(value, str | int | float) and "\0" not in str(value))
    field: Any = model._meta.get_field(column.lstrip("-"))
    return field.clean(value, None)


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError("This is no cursor of ours.")


def _beyond(columns: Sequence[str], position: Sequence[Any]) -> Q:
    """Rows after the position, in the order of the columns."""
    beyond, equal = Q(), Q()
    for column, value in zip(columns, position, strict=True):
        name = column.removeprefix("-")
        sign = "lt" if column.startswith("-") else "gt"
        beyond |= equal & Q(**{f"{name}__{sign}": value})
        equal &= Q(**{name: value})
    first = columns[0].removeprefix("-")
    # Says the same once more, of the first column alone, so that its index is walked from here on.
    edge = "lte" if columns[0].startswith("-") else "gte"
    return Q(**{f"{first}__{edge}": position[0]}) & beyond
