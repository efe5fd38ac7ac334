"""Step 0, reading what is said about data products: rows of JSON become reports, or errors by row.

As for files (datamgmt/filing/parsing.py): judged here is what a row says by itself; whether what it names exists is the
business of :mod:`datamgmt.filing.products`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from ccatdc.common.errors import RequestError
from ccatdc.common.row_errors import RowError
from datamgmt.filing.parsing import Bad, read_fields, read_product_file, read_text, read_uuid
from datamgmt.filing.reports import FileReport, FilingError
from datamgmt.models.products import ProductKind, ProductLevel, Release

#: Products, and files of all of them, in one call.
MAX_PRODUCTS: Final = 1000
MAX_FILES: Final = 10_000
#: Quality numbers of one product.
MAX_METRICS: Final = 200
METRIC_NAME_LENGTH: Final = 64
DESCRIPTION_LENGTH: Final = 1000
MAX_VERSION: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class ProductReport:
    """One product as its run reports it. Without ``version`` it is the next one of its name."""

    id: UUID
    processing_run: UUID
    name: str
    kind: str
    level: str = ""
    version: int | None = None
    release: str = Release.INTERNAL
    quality_metrics: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    files: tuple[FileReport, ...] = ()


def _choice(*values: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in values:
            raise Bad("invalid_choice", f"Use one of {', '.join(each for each in values if each)}.")
        return value

    return read


def _name(value: Any) -> str:
    name = read_text(value)
    if not name.strip():
        raise Bad("required", "Give a name.")
    return name


def _version(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_VERSION:
        raise Bad("out_of_range", f"Give an integer from 1 to {MAX_VERSION}.")
    return value


def _metrics(value: Any) -> dict[str, Any]:
    """Numbers, words or flags by name; no nesting: they are shown, compared and searched one by one."""
    if not isinstance(value, dict):
        raise Bad("invalid", "Give an object.")
    if len(value) > MAX_METRICS:
        raise Bad("too_many_values", f"At most {MAX_METRICS} numbers; these are {len(value)}.")
    for name, metric in value.items():
        read_text(name, METRIC_NAME_LENGTH)
        if isinstance(metric, str):
            read_text(metric)
        elif isinstance(metric, float) and not math.isfinite(metric):
            raise Bad("not_finite", f"{name} is no finite number.")
        elif isinstance(metric, int) and abs(metric) > 2**63:
            raise Bad("out_of_range", f"{name} is out of range.")
        elif not (metric is None or isinstance(metric, int | float)):
            raise Bad("invalid", f"{name} is no number, text or flag.")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise Bad("required", "Give a list with at least one file.")
    return value


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "id": read_uuid,
    "processing_run": read_uuid,
    "name": _name,
    "kind": _choice(*ProductKind.values),
    "level": _choice("", *ProductLevel.values),
    "version": _version,
    "release": _choice(*Release.values),
    "quality_metrics": _metrics,
    "description": lambda value: read_text(value, DESCRIPTION_LENGTH),
    "files": _list,
}
_REQUIRED: Final = ("id", "processing_run", "name", "kind", "files")


def read_product_reports(rows: Any) -> list[ProductReport]:
    """The reports of a call; :class:`FilingError` with every error of every row."""
    if not isinstance(rows, list) or not rows:
        raise RequestError("Give a list with at least one product.", code="filing.not_a_list")
    if len(rows) > MAX_PRODUCTS:
        raise _too_many(f"{len(rows)} products are too many: at most {MAX_PRODUCTS} in one call.")
    if (
        sum(len(row["files"]) for row in rows if isinstance(row, dict) and isinstance(row.get("files"), list))
        > MAX_FILES
    ):
        raise _too_many(f"The products have more than {MAX_FILES} files.")
    errors: list[RowError] = []
    reports = [_read(index, row, errors) for index, row in enumerate(rows)]
    if errors:
        raise FilingError(errors)
    return [report for report in reports if report is not None]


def _too_many(message: str) -> RequestError:
    return RequestError(message, code="filing.too_many_rows", remedy="Send them in several calls.")


def _read(index: int, row: Any, errors: list[RowError]) -> ProductReport | None:
    values = read_fields(index, row, _READERS, _REQUIRED, errors)
    if values is None:
        return None
    files = [
        read_product_file(index, file, errors, f"files.{number}.") for number, file in enumerate(values.pop("files"))
    ]
    found = tuple(file for file in files if file is not None)
    return ProductReport(**values, files=found) if len(found) == len(files) else None
