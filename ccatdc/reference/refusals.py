"""What the database refused, as field and reason: the model's constraints in a reader's words."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any

from django.contrib.postgres.constraints import ExclusionConstraint
from django.db import DatabaseError, models

from ccatdc.common.constraints import CompositeForeignKey
from ccatdc.data_model import condition_in_words

_KEY = re.compile(r"Key \((?P<columns>[^)]*)\)=\((?P<values>.*)\) already exists")


def refused_by_database(
    error: DatabaseError, model: type[models.Model], written: Container[str]
) -> tuple[str, str]:
    """The field (of those written, where possible) and the reason of a refused row."""
    diagnosis = getattr(error.__cause__, "diag", None)
    name = getattr(diagnosis, "constraint_name", None) or ""
    taken = _KEY.search(getattr(diagnosis, "message_detail", None) or "")
    if taken is not None:
        columns = [column.strip().removesuffix("_id") for column in taken["columns"].split(",")]
        reason = f"{taken['values']} is taken by another {model._meta.db_table}"
        return _first(columns, written), reason
    constraint = next((c for c in _constraints(model) if c.name == name), None)
    if isinstance(constraint, models.CheckConstraint) and isinstance(
        constraint.condition, models.Q
    ):
        fields = sorted(constraint.condition.referenced_base_fields)
        if constraint.violation_error_message != constraint.default_violation_error_message:
            return _first(fields, written), str(constraint.violation_error_message)
        words = condition_in_words(constraint.condition)
        return _first(fields, written), f"breaks the rule {name}: {words}"
    if isinstance(constraint, ExclusionConstraint):
        fields = [name for expression, _ in constraint.expressions for name in _columns(expression)]
        return _first(fields, written), str(constraint.get_violation_error_message())
    if isinstance(constraint, CompositeForeignKey):
        return _first(list(constraint.fields), written), str(constraint.violation_error_message)
    return "", str(error.__cause__ or error).splitlines()[0]


def _constraints(model: type[models.Model]) -> list[models.BaseConstraint]:
    tables = [model, *model._meta.get_parent_list()]
    return [constraint for table in tables for constraint in table._meta.constraints]


def _columns(expression: Any) -> list[str]:
    """The fields in an expression of an exclusion constraint."""
    if isinstance(expression, str):
        return [expression]
    return [str(vars(part)["name"]) for part in expression.flatten() if isinstance(part, models.F)]


def _first(fields: list[str], written: Container[str]) -> str:
    return next((name for name in fields if name in written), fields[0] if fields else "")
