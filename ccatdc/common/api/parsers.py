"""What every API view shares: strict bodies, and unknown fields refused.

Errors are the business of :mod:`ccatdc.common.api.problems`, reading that of :mod:`ccatdc.common.api.views`.

Bodies that come compressed (``Content-Encoding: gzip``): ten thousand files are 5 MB, or a tenth of it.

On a link with a long round trip a connection is slow at first, so that size is time. Unpacked after the caller was let
in, and never to more than a body may have.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Collection, Iterator, Mapping
from io import BytesIO
from typing import Any, ClassVar, Final, NoReturn

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import Http404
from rest_framework import exceptions, serializers
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from ccatdc.common.texts import has_control_characters, is_storable, require_time_of_day

#: Values of one body: ten thousand files have 140,000.
MAX_VALUES: Final = 500_000
#: What a free JSON object may have at most: bytes, values, and levels of nesting.
JSON_BYTES: Final = 16_384
JSON_VALUES: Final = 1000
JSON_DEPTH: Final = 8


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
        body = stream.read()
        # Before any object is built: each value but the first of a document follows one of these.
        if sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
            raise exceptions.ParseError(f"The body has more than {MAX_VALUES:,} values. Send less at a time.")
        try:
            return json.loads(
                body.decode("utf-8"), object_pairs_hook=_object, parse_float=_finite, parse_constant=_not_a_number
            )
        except RecursionError as error:
            raise exceptions.ParseError("The JSON document is nested too deeply.") from error
        except ValueError as error:
            raise exceptions.ParseError(f"The body is not a JSON document: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name[:100]!r} stands twice in one object")
        found[name] = value
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
            chosen: tuple[BaseRenderer, str] = super().select_renderer(request, renderers, format_suffix)
        except (exceptions.NotAcceptable, Http404):
            return renderers[0], renderers[0].media_type
        return chosen


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know: a typo must not be lost silently; and control characters, but for line
    breaks and tabs in the fields ``multi_line``: they would forge lines of logs and headers of mails.
    """

    multi_line: ClassVar[frozenset[str]] = frozenset({"comment", "description", "notes"})

    def to_internal_value(self, data: Any) -> Any:
        """The validated data; every unknown field is an error of its own."""
        if isinstance(data, Mapping):
            known = {name for name, field in self.fields.items() if not field.read_only}
            unknown = [name for name in data if name not in known]
            if unknown:
                raise serializers.ValidationError(
                    {name: [unknown_field(known)] for name in unknown}, code="unknown_field"
                )
            forged = [
                name
                for name, value in data.items()
                if isinstance(value, str) and has_control_characters(value, but="\n\r\t" * (name in self.multi_line))
            ]
            if forged:
                message = exceptions.ErrorDetail("The text has control characters.", code="control_character")
                raise serializers.ValidationError({name: [message] for name in forged})
        return super().to_internal_value(data)


def unknown_field(known: Collection[str]) -> exceptions.ErrorDetail:
    """What is said about a field or parameter that nobody knows."""
    return exceptions.ErrorDetail(
        f"There is no such field. Known are {', '.join(sorted(known))}.", code="unknown_field"
    )


class FiniteFloatField(serializers.FloatField):
    """A JSON number; no text, no NaN."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        return super().to_internal_value(data)


class MomentField(serializers.DateTimeField):
    """A time in ISO 8601, in UTC or with its offset; not a date alone."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            require_time_of_day(data)
        except ValueError as error:
            raise serializers.ValidationError(str(error), code="invalid") from error
        return super().to_internal_value(data)


class StorableJsonField(serializers.JSONField):
    """An object whose strings a database can hold."""

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if not isinstance(value, dict):
            raise serializers.ValidationError("Give an object.", code="invalid")
        _require_small(value)
        if any(not is_storable(text) for text in _strings_in(value)):
            raise serializers.ValidationError("A text has a NUL character or a lone surrogate.", code="not_storable")
        return value


def _require_small(value: Any) -> None:
    """ValidationError for what nobody could show or store: level by level, so that nesting costs no stack."""
    level, values = [value], 0
    for _ in range(JSON_DEPTH):
        values += len(level)
        if values > JSON_VALUES:
            raise serializers.ValidationError(f"At most {JSON_VALUES} values.", code="too_many_values")
        level = [
            member
            for each in level
            if isinstance(each, dict | list)
            for member in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            break
    else:
        raise serializers.ValidationError(f"At most {JSON_DEPTH} levels of nesting.", code="too_deep")
    if len(json.dumps(value)) > JSON_BYTES:
        raise serializers.ValidationError(f"At most {JSON_BYTES} bytes.", code="max_length")


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


class CompressedJsonParser(StrictJsonParser):
    """JSON as it is, or packed with gzip."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        """The document. ParseError for what is no gzip, RequestDataTooBig for what unpacks to too much."""
        request = (parser_context or {}).get("request")
        encoding = request.headers.get("Content-Encoding", "") if request is not None else ""
        if encoding.lower() == "gzip":
            stream = BytesIO(_unpacked(stream.read()))
        return super().parse(stream, media_type, parser_context)


def _unpacked(packed: bytes) -> bytes:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)  # gzip's own head and end
    try:
        body = unpacking.decompress(packed, limit + 1)
    except zlib.error as error:
        raise ParseError(f"The body is not packed with gzip: {error}") from error
    if len(body) > limit:
        raise RequestDataTooBig
    if not unpacking.eof or unpacking.unused_data:
        raise ParseError("The body is not one whole gzip stream.")
    return body
