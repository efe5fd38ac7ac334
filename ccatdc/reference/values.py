"""From what was written in a file to what a field holds. Strict: nothing is guessed or cut.

YAML turns ``on`` into true and ``1_000`` into a number, and Django's fields turn 1.5 into 1 and true into "True". Both
are refused here with a reason, so that a file means what it says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.dateparse import parse_datetime

from ccatdc.reference.declarations import ModelField, key_part

_TEXT = (models.CharField, models.TextField)


class UnusableValueError(ValueError):
    """What was written does not fit the field; the message is the reason."""


def plain_value(column: ModelField, written: Any) -> Any:
    """The value that a field without reference holds for what was written.

    Raises :class:`UnusableValueError`. Ranges and lengths are the model's own rules, checked later.
    """
    if written is None:
        if not column.null:
            raise UnusableValueError("may not be empty")
        return None
    _require_kind(column, written)
    if isinstance(column, models.DecimalField):
        written = repr(written)  # the digits that were written, not those of the nearest double
    try:
        return column.to_python(written)
    except ValidationError as error:
        raise UnusableValueError("; ".join(error.messages)) from error


def name_written(written: Any) -> str:
    """The name of another row, as a file refers to it. Raises :class:`UnusableValueError`."""
    if isinstance(written, bool) or not isinstance(written, str | int):
        raise UnusableValueError(f"{written!r} is not the name of anything: write it as text")
    return str(written)


def key_written(column: ModelField, written: Any) -> str:
    """A part of a row's own name. Raises :class:`UnusableValueError`."""
    if isinstance(column, models.FloatField | models.DateTimeField):
        return key_part(plain_value(column, written))
    name = name_written(written)
    if not name:
        raise UnusableValueError("may not be empty")
    if name != name.strip() or not name.isprintable():
        # Two rows would look the same, and only one would be found by what is printed.
        raise UnusableValueError(f"{name!r} has spaces at an end, or characters that do not print")
    return name


def _require_kind(column: ModelField, written: Any) -> None:
    if isinstance(column, models.JSONField):
        _require_json(column, written)
    elif isinstance(column, models.BooleanField):
        if not isinstance(written, bool):
            raise UnusableValueError(f"{written!r} is neither true nor false")
    elif isinstance(column, _TEXT):
        if not isinstance(written, str):
            raise UnusableValueError(f"{written!r} was read as {_kind(written)}: put it in quotes")
        _require_storable(written)
    elif isinstance(column, models.IntegerField):
        if isinstance(written, bool) or not isinstance(written, int):
            raise UnusableValueError(f"{written!r} is not a whole number")
    elif isinstance(column, models.DateTimeField):
        _require_time(written)
    elif isinstance(column, models.FloatField | models.DecimalField):
        if isinstance(written, bool) or not isinstance(written, int | float):
            raise UnusableValueError(f"{written!r} is not a number")
        if not _is_finite(written):
            raise UnusableValueError(f"{written!r} is not a finite number")


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number beyond all doubles
        return False


def _require_time(written: Any) -> None:
    """A time without zone would be local to whoever loads it."""
    try:
        moment = parse_datetime(written) if isinstance(written, str) else written
        if isinstance(moment, datetime) and moment.tzinfo is not None:
            moment.astimezone(UTC)
            return
    except (ValueError, OverflowError) as error:
        raise UnusableValueError(f"{str(written)!r} is no time: {error}") from error
    raise UnusableValueError(f"{str(written)!r} is no time with zone: 2026-04-01T03:00:00Z")


def _require_storable(text: str) -> None:
    """PostgreSQL takes neither NUL nor half a character (from an escape in YAML or JSON)."""
    if "\0" in text:
        raise UnusableValueError("has a NUL character")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise UnusableValueError("has half a surrogate pair, which is no character")


def _require_json(column: ModelField, written: Any) -> None:
    """Of the type of the field's default (a list of texts, or an object), and JSON all through."""
    if not isinstance(written, kind := type(column.get_default())):
        wanted = "a list" if kind is list else "an object of names and values"
        raise UnusableValueError(f"{written!r} is not {wanted}")
    for value in _parts(written):
        if isinstance(value, str):
            _require_storable(value)
        elif isinstance(value, float) and not math.isfinite(value):
            raise UnusableValueError(f"{value!r} is not a finite number")
        elif value is not written and (kind is list or not isinstance(value, bool | int | float | list | dict | None)):
            raise UnusableValueError(f"{value!r} was read as {_kind(value)}: put it in quotes")


def _parts(value: Any) -> Iterator[Any]:
    """A JSON value and all values inside it, names too."""
    yield value
    if isinstance(value, dict):
        for name, inner in value.items():
            if not isinstance(name, str):
                raise UnusableValueError(f"the name {name!r} is {_kind(name)}: put it in quotes")
            yield name
            yield from _parts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _parts(inner)


def _kind(written: Any) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return kinds.get(type(written), f"a {type(written).__name__}")
