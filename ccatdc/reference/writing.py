"""Rows that the loader found new or changed, into the database; what it refuses becomes a problem.

New rows of a model of which there may be many are kept until the next model's turn and inserted
together. When the database refuses some of them, halves are tried until the refused ones are found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import DatabaseError, models, transaction

from ccatdc.reference import bulk
from ccatdc.reference.merging import Row
from ccatdc.reference.problems import Problem
from ccatdc.reference.refusals import refused_by_database
from ccatdc.reference.resolving import Resolved


@dataclass(frozen=True, slots=True)
class NewRow:
    """A valid row that is not stored yet."""

    row: Row
    instance: models.Model
    found: Resolved


class Writer:
    """Validates and stores. ``on_refusal`` is called for each row that was reported."""

    def __init__(self, problems: list[Problem], on_refusal: Callable[[Row], None]) -> None:
        self._problems = problems
        self._on_refusal = on_refusal
        self._kept: list[NewRow] = []

    def add(self, new: NewRow) -> bool:
        """Store a new row, or keep it for :meth:`finish`. False when it was refused at once."""
        if self._kept and self._kept[0].row.declaration is not new.row.declaration:
            self.finish()
        if new.row.declaration.many:
            self._kept.append(new)
            return True
        if not self.save(new.row, new.instance):
            return False
        for name, targets in new.found.links.items():
            getattr(new.instance, name).set(targets.values())
        return True

    def finish(self) -> None:
        """Store the rows kept so far: before anything refers to them."""
        kept, self._kept = self._kept, []
        if kept:
            self._insert(kept)

    def save(self, row: Row, instance: models.Model) -> bool:
        """Store one row, or report why not."""
        try:
            with transaction.atomic():
                instance.save()
        except DatabaseError as error:
            self._refused(row, error)
            return False
        return True

    def is_valid(self, row: Row, instance: models.Model) -> bool:
        """The model's own rules that need no query; the database judges the rest."""
        declaration, before = row.declaration, len(self._problems)
        missing = [
            name
            for name in declaration.required
            if name not in row.values and instance._state.adding
        ]
        for name in missing:
            self._wrong(row, name, f"is missing: a {declaration.section} needs it")
        exclude = declaration.judged_elsewhere.union(missing)
        self._collect(row, lambda: instance.clean_fields(exclude=exclude))
        if len(self._problems) == before:
            self._collect(row, instance.clean)
        return len(self._problems) == before

    def _insert(self, rows: Sequence[NewRow]) -> None:
        instances = [new.instance for new in rows]
        try:
            with transaction.atomic():
                bulk.insert(rows[0].row.declaration.model, instances)
        except DatabaseError as error:
            bulk.forget_keys(instances)
            if len(rows) == 1:
                self._refused(rows[0].row, error)
                self._on_refusal(rows[0].row)
                return
            middle = len(rows) // 2
            self._insert(rows[:middle])
            self._insert(rows[middle:])
            return
        for name, field in rows[0].row.declaration.links.items():
            pairs = [
                (new.instance, target)
                for new in rows
                for target in new.found.links.get(name, {}).values()
            ]
            bulk.link(field, pairs)

    def _collect(self, row: Row, check: Callable[[], None]) -> None:
        try:
            check()
        except ValidationError as error:
            by_field: Mapping[str, list[ValidationError]] = (
                error.error_dict
                if hasattr(error, "error_dict")
                else {NON_FIELD_ERRORS: error.error_list}
            )
            for name, errors in by_field.items():
                for message in (text for one in errors for text in one.messages):
                    self._wrong(row, "" if name == NON_FIELD_ERRORS else name, message)

    def _refused(self, row: Row, error: DatabaseError) -> None:
        name, reason = refused_by_database(error, row.declaration.model, row.values)
        self._wrong(row, name, reason)

    def _wrong(self, row: Row, name: str, reason: str) -> None:
        self._problems.append(Problem(row.where(name), name, reason))
