"""What every API view shares: strict bodies, and unknown fields refused.

Errors are the business of :mod:`ccatdc.common.problems`, reading that of :mod:`ccatdc.common.api_views`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NoReturn

from django.http import Http404
from rest_framework import exceptions, serializers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from ccatdc.common.texts import is_storable


class StrictJsonParser(JSONParser):
    """UTF-8 JSON; NaN, infinity, bottomless nesting and doubled names are refused.

    What passes can be stored, but for NUL and lone surrogates in texts, which fields refuse.
    """

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,  # noqa: ARG002
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:
        """The document, or ParseError. The framework has checked its length."""
        try:
            return json.loads(
                stream.read().decode("utf-8"),
                object_pairs_hook=_object,
                parse_float=_finite,
                parse_constant=_not_a_number,
            )
        except RecursionError as error:
            raise exceptions.ParseError("The JSON document is nested too deeply.") from error
        except ValueError as error:
            raise exceptions.ParseError(f"The body is not a JSON document: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} stands twice in one object")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _not_a_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class AlwaysJson(DefaultContentNegotiation):
    """Whatever a client says that it accepts, it gets what the view has."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """The renderer that was asked for, or the first."""
        try:
            chosen: tuple[BaseRenderer, str] = super().select_renderer(
                request, renderers, format_suffix
            )
        except (exceptions.NotAcceptable, Http404):
            return renderers[0], renderers[0].media_type
        return chosen


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know: a typo must not be lost silently."""

    def to_internal_value(self, data: Any) -> Any:
        """The validated data; every unknown field is an error of its own."""
        if isinstance(data, Mapping):
            known = {name for name, field in self.fields.items() if not field.read_only}
            unknown = [name for name in data if name not in known]
            if unknown:
                raise serializers.ValidationError(
                    {name: [unknown_field(known)] for name in unknown}, code="unknown_field"
                )
        return super().to_internal_value(data)


def unknown_field(known: Collection[str]) -> exceptions.ErrorDetail:
    """What is said about a field or parameter that nobody knows."""
    return exceptions.ErrorDetail(
        f"There is no such field. Known are {', '.join(sorted(known))}.", code="unknown_field"
    )


class FiniteFloatField(serializers.FloatField):
    """A JSON number; no text, no NaN."""

    def to_internal_value(self, data: Any) -> float:
        """The number."""
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        return super().to_internal_value(data)


class StorableJsonField(serializers.JSONField):
    """An object whose strings a database can hold."""

    def to_internal_value(self, data: Any) -> Any:
        """The object."""
        value = super().to_internal_value(data)
        if not isinstance(value, dict):
            raise serializers.ValidationError("Give an object.", code="invalid")
        if any(not is_storable(text) for text in _strings_in(value)):
            raise serializers.ValidationError(
                "A text has a NUL character or a lone surrogate.", code="not_storable"
            )
        return value


def _strings_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield name
            yield from _strings_in(member)
    elif isinstance(value, list):
        for member in value:
            yield from _strings_in(member)
