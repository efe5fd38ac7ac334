"""What was written for a row, as values of its columns and rows that it refers to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db import models

from ccatdc.reference.declarations import family_of
from ccatdc.reference.entries import UNREADABLE, Problem
from ccatdc.reference.load.merging import Row
from ccatdc.reference.load.stored import StoredRows
from ccatdc.reference.values import UnusableValueError, name_written, plain_value


@dataclass(slots=True)
class Resolved:
    """Values by column, and by link the rows linked to, by name."""

    plain: dict[str, Any] = field(default_factory=dict)
    links: dict[str, dict[str, models.Model]] = field(default_factory=dict)


class Resolver:
    """Turns names into rows; remembers which rows could not be made."""

    def __init__(self, stored: StoredRows, problems: list[Problem]) -> None:
        self._stored = stored
        self._problems = problems
        # What refers to a row that could not be made is not reported a second time.
        self._broken: set[tuple[type[models.Model], str]] = set()

    def mark_broken(self, row: Row) -> None:
        """This row has a problem, which is reported."""
        self._broken.add((row.declaration.family, row.name))

    def resolved(self, row: Row) -> Resolved | None:
        """None when something is wrong with the row, or with one that it needs."""
        declaration, found, complete = row.declaration, Resolved(), True
        for name, written in row.values.items():
            if written.value is UNREADABLE:
                complete = False
                continue
            try:
                if name in declaration.links:
                    target = target_of(declaration.links[name])
                    found.links[name] = self._linked(target, written.value)
                elif (column := declaration.fields[name]).is_relation:
                    found.plain[name] = self._referred(column, written.value)
                else:
                    found.plain[name] = plain_value(column, written.value)
            except _BrokenTargetError:
                complete = False
            except UnusableValueError as error:
                complete = False
                self._problems.append(Problem(row.where(name), name, str(error)))
        return found if complete else None

    def _referred(self, column: models.Field[Any, Any], written: Any) -> models.Model | None:
        if written is None:
            if not column.null:
                raise UnusableValueError("may not be empty")
            return None
        return self._named(target_of(column), name_written(written))

    def _linked(self, target: type[models.Model], written: Any) -> dict[str, models.Model]:
        if not isinstance(written, list):
            raise UnusableValueError(f"{written!r} is not a list of names")
        names = [name_written(item) for item in written]
        return {name: self._named(target, name) for name in names}

    def _named(self, target: type[models.Model], name: str) -> models.Model:
        family = family_of(target)
        rows = self._stored.rows(family)
        if (family, name) in self._broken:
            raise _BrokenTargetError
        if name in rows:
            if not isinstance(rows[name], target):
                raise UnusableValueError(f"{name} is a {rows[name]._meta.db_table}")
            return rows[name]
        known = ", ".join(sorted(rows)[:20]) or "none"
        raise UnusableValueError(f"there is no {family._meta.db_table} {name!r}; there are: {known}")


def target_of(column: models.Field[Any, Any]) -> type[models.Model]:
    """The model that a reference or a link leads to."""
    target = column.related_model
    assert isinstance(target, type), "references are resolved once all apps are loaded"  # noqa: S101
    return target


class _BrokenTargetError(Exception):
    """A row that another one refers to has a problem of its own, which is reported."""
