"""Bring the database to what the files say, in one transaction, or leave it alone.

Rows that agree are not touched. Rows are never removed: what left the files stays in the database, where history refers
to it. Every problem found is reported, not only the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import connection, models, transaction

from ccatdc.reference.declarations import family_of
from ccatdc.reference.entries import Entry, Problem, ReferenceDataError
from ccatdc.reference.load.inpar import PARAMETER_SECTION, parameters_of_templates
from ccatdc.reference.load.merging import Row, merged_rows
from ccatdc.reference.load.resolving import Resolved, Resolver, target_of
from ccatdc.reference.load.stored import StoredRows
from ccatdc.reference.load.writing import NewRow, Writer
from ccatdc.reference.readers.folders import read_folders
from ccatdc.reference.readers.kosma import INPAR_SECTION

#: Loaded after all others: which of them there are depends on the configurations.
_PARAMETERS = (INPAR_SECTION, PARAMETER_SECTION)
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
    """Load the files of these folders; later folders override single fields of earlier ones.

    With ``dry_run`` everything is done and then taken back. Raises :class:`ReferenceDataError` with every problem
    found; nothing is stored then.
    """
    problems: list[Problem] = []
    return load_entries(read_folders(list(folders), problems), problems, dry_run=dry_run)


def load_entries(entries: Sequence[Entry], problems: list[Problem], *, dry_run: bool = False) -> Report:
    """Load these entries, if ``problems`` is and stays empty. As :func:`load_reference`."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        loader = _Loader(problems)
        loader.apply_all([entry for entry in entries if entry.section not in _PARAMETERS])
        loader.apply_all(
            parameters_of_templates((e for e in entries if e.section == INPAR_SECTION), loader.stored, problems)
            + [entry for entry in entries if entry.section == PARAMETER_SECTION]
        )
        if problems:
            # A line of a template is judged once for each configuration that names it.
            raise ReferenceDataError(sorted(dict.fromkeys(problems), key=_position))
        if dry_run:
            transaction.set_rollback(True)
    return loader.report


def _position(problem: Problem) -> tuple[str, int]:
    return str(problem.place.file), problem.place.line


class _Loader:
    """Applies rows in order, knowing what is stored already by name."""

    def __init__(self, problems: list[Problem]) -> None:
        self.report = Report()
        self.stored = StoredRows()
        self._problems = problems
        self._resolver = Resolver(self.stored, problems)
        self._writer = Writer(problems, self._resolver.mark_broken)

    def apply_all(self, entries: list[Entry]) -> None:
        """Make or change what these entries say."""
        declaration = None
        for row in merged_rows(entries, self._problems):
            if row.declaration is not declaration:
                self._writer.finish()  # what comes now may refer to it
                declaration = row.declaration
            if not self._apply(row):
                self._resolver.mark_broken(row)
        self._writer.finish()

    def _apply(self, row: Row) -> bool:
        """Make or change one row. False when that, or something that it needs, cannot be."""
        found = self._resolver.resolved(row)
        if found is None:
            return False
        stored = self.stored.rows(row.declaration.family).get(row.name)
        if stored is None:
            return self._add(row, found)
        if type(stored) is not row.declaration.model:
            reason = f"{row.name} exists already, as a {stored._meta.db_table}"
            field = row.declaration.key[-1]
            self._problems.append(Problem(row.where(field), field, reason))
            return False
        return self._change(row, stored, found)

    def _add(self, row: Row, found: Resolved) -> bool:
        new = row.declaration.model(**found.plain)
        if not (self._writer.is_valid(row, new) and self._writer.add(NewRow(row, new, found))):
            return False
        self.stored.add(row.declaration.family, row.name, new)
        self.report.changes.append(Change(row.declaration.section, row.name, added=True))
        return True

    def _change(self, row: Row, stored: models.Model, found: Resolved) -> bool:
        declaration = row.declaration
        differences = []
        for name, value in found.plain.items():
            column = declaration.fields[name]
            old = getattr(stored, column.attname)
            if old == (value.pk if isinstance(value, models.Model) else value):
                continue
            words = (name, self._shown(column, old), self._shown(column, value))
            if name in declaration.operational:
                self.report.left_alone.append((row.name, *words))
            else:
                differences.append(words)
                setattr(stored, name, value)
        if differences and not (self._writer.is_valid(row, stored) and self._writer.save(row, stored)):
            return False
        for name, targets in found.links.items():
            linked = self.stored.links(declaration.model, name).get(stored.pk, set())
            if linked != {target.pk for target in targets.values()}:
                family = family_of(target_of(declaration.links[name]))
                names = sorted(self.stored.name_of(family, pk) for pk in linked)
                differences.append((name, _words(names), _words(sorted(targets))))
                getattr(stored, name).set(targets.values())
        if not differences:
            self.report.unchanged += 1
        else:
            change = Change(declaration.section, row.name, False, tuple(differences))
            self.report.changes.append(change)
        return True

    def _shown(self, column: models.Field[Any, Any], value: Any) -> str:
        if value is None or not column.is_relation:
            return _words(value)
        pk = value.pk if isinstance(value, models.Model) else value
        return self.stored.name_of(family_of(target_of(column)), pk)


def _words(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return "nothing" if value in (None, "") else str(value)
