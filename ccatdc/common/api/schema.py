"""What the description of every endpoint shares: the form of its errors."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers

from ccatdc.common.api.expand import ExpandingSchema
from ccatdc.common.api.problems import BUSY, MEDIA_TYPE


def at_most(rows: Any, most: int) -> Any:
    """A body of at most so many rows, for the description of an endpoint."""
    rows.max_length = most
    return rows


class ProblemErrorSerializer(serializers.Serializer[Any]):
    """One thing that is wrong."""

    index = serializers.IntegerField(required=False, help_text="Row, from 0.")
    field = serializers.CharField(help_text="Dotted; empty when it concerns the whole.")
    code = serializers.CharField()
    message = serializers.CharField()
    section = serializers.CharField(required=False, help_text="Of a plan: the table of the row.")
    id = serializers.UUIDField(required=False, help_text="Of a file that contradicts what is stored (409): its UUID.")
    differences = serializers.DictField(
        required=False, help_text="409 filing.differs: field by field what is stored and what was sent."
    )
    existing = serializers.UUIDField(required=False, help_text="409 filing.path_taken: the file that is at this path.")


class ProblemSerializer(serializers.Serializer[Any]):
    """An error (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField(help_text="The phrase of the HTTP status.")
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="Which error it is; stable.")
    detail = serializers.CharField(help_text="What happened, and what to do.")
    retryable = serializers.BooleanField(help_text="Whether the same call can succeed later.")
    errors = ProblemErrorSerializer(many=True, required=False)  # type: ignore[assignment]
    error_count = serializers.IntegerField(required=False, help_text="Of all, listed or not.")
    differences = serializers.DictField(required=False, help_text="Field by field what is stored and what was sent.")


#: Characters of the value of a query parameter, whatever it is (ccatdc/common/api/views.py).
PARAMETER_LENGTH: Final = 1000
#: The largest key that a column holds.
_LARGEST: Final = 2**63 - 1

#: Errors of every endpoint, and those of endpoints that take a body.
ALWAYS: Final = {
    "400": "The request is wrong.",
    "401": "No usable token or log-in.",
    "403": "The token or the roles do not allow it.",
    "404": "There is nothing here.",
    "422": "It would take the database too long: ask for less.",
    "429": "Too many calls: again after Retry-After seconds.",
    "500": "A fault of ours; it is logged.",
    "503": "The database does not answer, or calls are in each other's way: again after Retry-After seconds.",
}
WITH_BODY: Final = {
    "409": "It contradicts what is stored.",
    "413": "The body is too large.",
    "415": "The body is of another media type.",
}
#: Of answers after which the same call may succeed.
RETRY_AFTER: Final = {
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}, "required": True}
}


class ProblemSchema(ExpandingSchema):
    """Adds to each endpoint the errors that it may answer with, and says which values may be empty."""

    def _map_serializer_field(self, field: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        _note_what_may_be_empty(field)
        known: Any = super()
        schema = known._map_serializer_field(field, direction, bypass_extensions)
        if getattr(field, "allow_blank", False) and schema.get("format") == "uri":
            schema.pop("format")  # an empty text is no address
        return schema

    def _get_request_for_media_type(self, serializer: Any, direction: Any = "request") -> Any:
        known: Any = super()
        schema, required = known._get_request_for_media_type(serializer, direction)
        most = getattr(serializer, "max_length", None)
        if schema and schema.get("type") == "array" and most:
            schema = {**schema, "maxItems": most}  # the framework forgets it of a list of serializers
        return schema, required

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        problems = ALWAYS if self.method == "GET" else {**ALWAYS, **WITH_BODY}
        for code, description in problems.items():
            response = OpenApiResponse(ProblemSerializer, description=description)
            described: Any = self
            bodies[code] = described._get_response_for_code(response, code, [MEDIA_TYPE], direction)
            if int(code) in BUSY:
                bodies[code]["headers"] = RETRY_AFTER
        return bodies


def _note_what_may_be_empty(field: Any) -> None:
    """The framework forgets of a field that is only read that its column may be null or blank."""
    model = getattr(getattr(field.parent, "Meta", None), "model", None)
    if model is None or not field.read_only:
        return
    try:
        column = model._meta.get_field(field.source)
    except FieldDoesNotExist:
        return
    if not isinstance(column, models.Field):
        return
    if column.null:
        field.allow_null = True
    if column.blank and isinstance(field, serializers.CharField | serializers.ChoiceField):
        field.allow_blank = True


def say_limits_of_parameters(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Say in the description what holds for every parameter: its length, the items that fit into it, the largest key."""
    for methods in result["paths"].values():
        for endpoint in methods.values():
            for parameter in endpoint.get("parameters", []):
                _limit(parameter["schema"])
    return result


def _limit(schema: dict[str, Any]) -> None:
    kind = schema.get("type")
    if kind == "string" and "enum" not in schema and "format" not in schema:
        schema.setdefault("maxLength", PARAMETER_LENGTH)
    elif kind == "array":
        schema.setdefault("maxItems", PARAMETER_LENGTH // 2)
        _limit(schema["items"])
    elif kind == "integer":
        schema.setdefault("maximum", _LARGEST)
