"""Step 0, calls that come again: what is stored already is compared, and never changed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import md5
from typing import Any, Final
from uuid import UUID

from django.db.models.functions import MD5

from ccatdc.common.row_errors import RowError
from datamgmt.filing.reports import FileReport, FilingConflictError
from datamgmt.models import DataLocation, DataProduct, RawDataFile
from observatory.models import DataStream, InstrumentModule
from planning.models import ExecutedObsUnit

#: Columns that are compared, by the name of the field in a report.
COLUMNS: Final = {
    "executed_obs_unit": "executed_obs_unit_id",
    "data_stream": "data_stream_id",
    "data_product": "data_product_id",
    "start_time": "start_time",
    "end_time": "end_time",
    "module": "instrument_module_id",
    "source_location": "source_location_id",
    "relative_path": "relative_path",
    "size": "size",
    "name": "name",
    "checksum": "checksum",
    "checksum_algorithm": "checksum_algorithm",
    "file_type": "file_type",
    "created_at": "created_at",
    "description": "description",
}


@dataclass(frozen=True, slots=True)
class Resolved:
    """A report and the rows that it names."""

    report: FileReport
    execution: ExecutedObsUnit | None
    stream: DataStream | None
    module: InstrumentModule
    location: DataLocation
    product: DataProduct | None = None


def compare_with_stored(rows: Sequence[Resolved]) -> list[Resolved]:
    """The rows that are not stored yet.

    FilingConflictError when a UUID is stored with other content, or a path under another UUID.
    """
    stored_rows = RawDataFile.objects.filter(pk__in=[row.report.id for row in rows])
    stored = {pk: values for pk, *values in stored_rows.values_list("pk", *COLUMNS.values())}
    new: list[tuple[int, Resolved]] = []
    errors: list[RowError] = []
    for index, row in enumerate(rows):
        values = stored.get(row.report.id)
        if values is None:
            new.append((index, row))
        elif differences := _conflicts(values, _sent(row)):
            errors.append(_differs(index, row, differences))
    errors += _taken_paths(new)
    if errors:
        errors.sort(key=lambda error: error.index)
        first = errors[0]
        raise FilingConflictError(f"Row {first.index}: {first.message}", errors)
    return [row for _, row in new]


def differences_between(stored: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Field by field what is stored and what was sent, where they differ."""
    return {
        field: {"stored": stored.get(field), "sent": sent.get(field)}
        for field in sorted({*stored, *sent})
        if not _is_same(stored.get(field), sent.get(field))
    }


def _is_same(stored: Any, sent: Any) -> bool:
    """Equal, or the same JSON as the database keeps it: 4.1e16 comes back as an integer."""
    if isinstance(stored, dict) and isinstance(sent, dict):
        return stored.keys() == sent.keys() and all(_is_same(stored[k], sent[k]) for k in sent)
    if isinstance(stored, list) and isinstance(sent, list):
        return len(stored) == len(sent) and all(map(_is_same, stored, sent))
    if isinstance(sent, float) and isinstance(stored, int):
        return sent == _as_float(stored)
    return bool(stored == sent)


def _as_float(number: int) -> float:
    try:
        return float(number)
    except OverflowError:  # no float that was sent is that large
        return math.inf


def _sent(row: Resolved) -> list[Any]:
    report = row.report
    return [
        row.execution.pk if row.execution is not None else None,
        row.stream.pk if row.stream is not None else None,
        row.product.pk if row.product is not None else None,
        report.start_time,
        report.end_time,
        row.module.pk,
        row.location.pk,
        report.relative_path,
        report.size,
        report.name,
        report.checksum,
        report.checksum_algorithm,
        report.file_type,
        report.created_at,
        report.description,
    ]


def _conflicts(stored: list[Any], sent: list[Any]) -> dict[str, Any]:
    """What contradicts what is stored. A file that was touched since, and a checksum that only one of both says, are the
    same data.
    """
    if stored == sent:
        return {}
    before, after = dict(zip(COLUMNS, stored, strict=True)), dict(zip(COLUMNS, sent, strict=True))
    before["created_at"] = after["created_at"]
    if not (before["checksum"] and after["checksum"]):
        for name in ("checksum", "checksum_algorithm"):
            before[name] = after[name]
    return differences_between(before, after)


def _differs(index: int, row: Resolved, differences: Mapping[str, Any]) -> RowError:
    message = f"File {row.report.id} is stored with another {', '.join(differences)}."
    extra = {"id": row.report.id, "differences": differences}
    return RowError(index, "id", "filing.differs", message, extra)


def _taken_paths(rows: Iterable[tuple[int, Resolved]]) -> list[RowError]:
    """Rows whose path at their location belongs to another file, as the unique index sees it."""
    wanted: dict[int, dict[str, tuple[int, Resolved]]] = {}
    for index, row in rows:
        at_location = wanted.setdefault(row.location.pk, {})
        at_location[_path_digest(row.report.relative_path)] = (index, row)
    errors = []
    for location_id, by_digest in wanted.items():
        taken = (
            RawDataFile.objects.annotate(path_digest=MD5("relative_path"))
            .filter(source_location=location_id, path_digest__in=list(by_digest))
            .values_list("pk", "path_digest")
        )
        errors += [_taken(*by_digest[digest], existing) for existing, digest in taken]
    return errors


def _taken(index: int, row: Resolved, existing: UUID) -> RowError:
    report = row.report
    message = f"{report.relative_path!r} at {report.source_location} is filed as {existing}."
    extra = {"id": report.id, "existing": existing}
    return RowError(index, "relative_path", "filing.path_taken", message, extra)


def _path_digest(path: str) -> str:
    return md5(path.encode(), usedforsecurity=False).hexdigest()
