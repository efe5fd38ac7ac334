"""From what was written in a file to what a field holds. Strict: nothing is guessed or cut.

YAML turns ``on`` into true and ``1_000`` into a number, and Django's fields turn 1.5 into 1 and
true into "True". Both are refused here with a reason, so that a file means what it says.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

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
    return name_written(written)


def _require_kind(column: ModelField, written: Any) -> None:
    if isinstance(column, models.JSONField):
        return
    if isinstance(column, models.BooleanField):
        if not isinstance(written, bool):
            raise UnusableValueError(f"{written!r} is neither true nor false")
    elif isinstance(column, _TEXT):
        if not isinstance(written, str):
            raise UnusableValueError(f"{written!r} was read as {_kind(written)}: put it in quotes")
        if "\0" in written:
            raise UnusableValueError("has a NUL character")
    elif isinstance(column, models.IntegerField):
        if isinstance(written, bool) or not isinstance(written, int):
            raise UnusableValueError(f"{written!r} is not a whole number")
    elif isinstance(column, models.DateTimeField):
        _require_time(column, written)
    elif isinstance(column, models.FloatField | models.DecimalField):
        if isinstance(written, bool) or not isinstance(written, int | float):
            raise UnusableValueError(f"{written!r} is not a number")
        if not math.isfinite(written):
            raise UnusableValueError(f"{written!r} is not a finite number")


def _require_time(column: ModelField, written: Any) -> None:
    """A time without zone would be local to whoever loads it."""
    try:
        moment = column.to_python(written)
    except ValidationError as error:
        raise UnusableValueError("; ".join(error.messages)) from error
    if not isinstance(written, str | datetime) or moment.tzinfo is None:
        raise UnusableValueError(f"{str(written)!r} is no time with zone: 2026-04-01T03:00:00Z")


def _kind(written: Any) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return kinds.get(type(written), f"a {type(written).__name__}")
