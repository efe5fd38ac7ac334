"""Bring the database to what the files say, in one transaction, or leave it alone.

Rows that agree are not touched. Rows are never removed: what left the files stays in the database,
where history refers to it. Every problem found is reported, not only the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import DatabaseError, connection, models, transaction

from ccatdc.reference.declarations import declaration_of, family_of
from ccatdc.reference.merging import Row, merged_rows
from ccatdc.reference.problems import Problem, ReferenceDataError
from ccatdc.reference.refusals import refused_by_database
from ccatdc.reference.values import UnusableValueError, name_written, plain_value
from ccatdc.reference.yaml_files import read_folders

#: Any number, the same in every process: two loads at once wait for each other.
_LOCK = 7_201_500_101


@dataclass(frozen=True, slots=True)
class Change:
    """One row that was added, or changed in the fields listed as (field, from, to)."""

    section: str
    name: str
    added: bool
    differences: tuple[tuple[str, str, str], ...] = ()


@dataclass
class Report:
    """What a load did, or would do."""

    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0
    #: Operational fields where the file differs from the row: (row, field, stored, written).
    left_alone: list[tuple[str, str, str, str]] = field(default_factory=list)


def load_reference(folders: Iterable[Path], *, dry_run: bool = False) -> Report:
    """Load the YAML files of these folders; later folders override single fields of earlier ones.

    With ``dry_run`` everything is done and then taken back. Raises :class:`ReferenceDataError` with
    every problem found; nothing is stored then.
    """
    problems: list[Problem] = []
    rows = merged_rows(read_folders(list(folders), problems), problems)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        loader = _Loader(problems)
        for row in rows:
            loader.apply(row)
        if problems:
            raise ReferenceDataError(sorted(problems, key=_position))
        if dry_run:
            transaction.set_rollback(True)
    return loader.report


def _position(problem: Problem) -> tuple[str, int]:
    return str(problem.place.file), problem.place.line


class _Loader:
    """Applies rows in order, knowing what is stored already by name."""

    def __init__(self, problems: list[Problem]) -> None:
        self.report = Report()
        self._problems = problems
        self._stored: dict[type[models.Model], dict[str, models.Model]] = {}
        # Rows that could not be made. What refers to them is not reported a second time.
        self._broken: set[tuple[type[models.Model], str]] = set()

    def apply(self, row: Row) -> None:
        """Make or change one row, or note why not."""
        before = len(self._problems)
        plain, links = self._resolved(row)
        if plain is None or len(self._problems) > before:
            self._broken.add((row.declaration.family, row.name))
            return
        stored = self._rows(row.declaration.family).get(row.name)
        if stored is None:
            self._add(row, plain, links)
        elif type(stored) is not row.declaration.model:
            reason = f"{row.name} exists already, as a {stored._meta.db_table}"
            self._wrong(row, row.declaration.key[-1], reason)
        else:
            self._change(row, stored, plain, links)
        if len(self._problems) > before:
            self._broken.add((row.declaration.family, row.name))

    # What was written

    def _resolved(
        self, row: Row
    ) -> tuple[dict[str, Any] | None, dict[str, dict[str, models.Model]]]:
        """Values of the columns, and rows of the links by name. None when a row that this one
        needs is broken itself.
        """
        plain: dict[str, Any] = {}
        links: dict[str, dict[str, models.Model]] = {}
        complete = True
        for name, written in row.values.items():
            try:
                if name in row.declaration.links:
                    target = _target(row.declaration.links[name])
                    links[name] = self._linked(target, written.value)
                elif row.declaration.fields[name].is_relation:
                    plain[name] = self._referred(row.declaration.fields[name], written.value)
                else:
                    plain[name] = plain_value(row.declaration.fields[name], written.value)
            except _BrokenTargetError:
                complete = False
            except UnusableValueError as error:
                self._wrong(row, name, str(error))
        return (plain if complete else None), links

    def _referred(self, column: models.Field[Any, Any], written: Any) -> models.Model | None:
        if written is None:
            if not column.null:
                raise UnusableValueError("may not be empty")
            return None
        return self._named(_target(column), name_written(written))

    def _linked(self, target: type[models.Model], written: Any) -> dict[str, models.Model]:
        if not isinstance(written, list):
            raise UnusableValueError(f"{written!r} is not a list of names")
        names = [name_written(item) for item in written]
        return {name: self._named(target, name) for name in names}

    def _named(self, target: type[models.Model], name: str) -> models.Model:
        family = family_of(target)
        rows = self._rows(family)
        if name in rows:
            if not isinstance(rows[name], target):
                raise UnusableValueError(f"{name} is a {rows[name]._meta.db_table}")
            return rows[name]
        if (family, name) in self._broken:
            raise _BrokenTargetError
        known = ", ".join(sorted(rows)[:20]) or "none"
        raise UnusableValueError(
            f"there is no {family._meta.db_table} {name!r}; there are: {known}"
        )

    def _rows(self, family: type[models.Model]) -> dict[str, models.Model]:
        if family not in self._stored:
            self._stored[family] = declaration_of(family).stored()
        return self._stored[family]

    # What is done about it

    def _add(
        self, row: Row, plain: dict[str, Any], links: dict[str, dict[str, models.Model]]
    ) -> None:
        new = row.declaration.model(**plain)
        if self._is_valid(row, new) and self._store(row, new):
            for name, targets in links.items():
                getattr(new, name).set(targets.values())
            self._rows(row.declaration.family)[row.name] = new
            self.report.changes.append(Change(row.declaration.section, row.name, added=True))

    def _change(
        self,
        row: Row,
        stored: models.Model,
        plain: dict[str, Any],
        links: dict[str, dict[str, models.Model]],
    ) -> None:
        differences = []
        for name, value in plain.items():
            old = getattr(stored, name)
            if old == value:
                continue
            words = (name, _shown(old), _shown(value))
            if name in row.declaration.operational:
                self.report.left_alone.append((row.name, *words))
            else:
                differences.append(words)
                setattr(stored, name, value)
        if differences and not (self._is_valid(row, stored) and self._store(row, stored)):
            return
        for name, targets in links.items():
            old_names = {declaration_of(type(r)).name_of(r) for r in getattr(stored, name).all()}
            if old_names != targets.keys():
                differences.append((name, _shown(sorted(old_names)), _shown(sorted(targets))))
                getattr(stored, name).set(targets.values())
        if not differences:
            self.report.unchanged += 1
            return
        self.report.changes.append(
            Change(row.declaration.section, row.name, added=False, differences=tuple(differences))
        )

    def _is_valid(self, row: Row, instance: models.Model) -> bool:
        """The model's own rules that need no query; the database judges the rest."""
        required = [n for n, c in row.declaration.fields.items() if _is_required(c)]
        missing = [name for name in required if name not in row.values and instance._state.adding]
        for name in missing:
            self._wrong(row, name, f"is missing: a {row.declaration.section} needs it")
        relations = {name for name, c in row.declaration.fields.items() if c.is_relation}
        hidden = {c.name for c in instance._meta.fields} - row.declaration.fields.keys()
        before = len(self._problems)
        self._collect(row, lambda: instance.clean_fields(exclude=relations | hidden | set(missing)))
        if not missing and len(self._problems) == before:
            self._collect(row, instance.clean)
        return not missing and len(self._problems) == before

    def _collect(self, row: Row, check: Any) -> None:
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

    def _store(self, row: Row, instance: models.Model) -> bool:
        try:
            with transaction.atomic():
                instance.save()
        except DatabaseError as error:
            name, reason = refused_by_database(error, row.declaration.model, row.values)
            self._wrong(row, name, reason)
            return False
        return True

    def _wrong(self, row: Row, name: str, reason: str) -> None:
        self._problems.append(Problem(row.where(name), name, reason))


class _BrokenTargetError(Exception):
    """A row that another one refers to has a problem of its own, which is reported."""


def _target(column: models.Field[Any, Any]) -> type[models.Model]:
    target = column.related_model
    assert isinstance(target, type), "references are resolved once all apps are loaded"  # noqa: S101
    return target


def _is_required(column: models.Field[Any, Any]) -> bool:
    return not (column.has_default() or column.null or column.blank)


def _shown(value: Any) -> str:
    """A value for a person."""
    if isinstance(value, models.Model):
        return declaration_of(type(value)).name_of(value)
    if isinstance(value, list):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return "nothing" if value in (None, "") else str(value)
