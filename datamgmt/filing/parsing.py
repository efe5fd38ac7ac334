"""Step 0, reading what is said about files: rows of JSON become reports, or errors by row.

Functions of our own and not a serializer: ten thousand rows come in one call. Judged here is what a row says
by itself (types, ranges, paths); whether what it names exists is the business of
:mod:`datamgmt.filing.files`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from ccatdc.common.errors import KeyEscapesError, RequestError
from ccatdc.common.row_errors import RowError
from ccatdc.common.texts import is_storable, require_time_of_day
from datamgmt.checksums import is_wellformed, known_algorithms
from datamgmt.filing.reports import FileReport, FilingError, clock_problem
from datamgmt.models.files import FileType
from datamgmt.storage.keys import checked_key

#: Rows of one call.
MAX_ROWS: Final = 10_000
PATH_LENGTH: Final = 2048
TEXT_LENGTH: Final = 255
MAX_SIZE: Final = 2**63 - 1
_FILE_TYPES: Final = frozenset(FileType.values)
_ALGORITHMS: Final = frozenset({"", *known_algorithms()})
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Bad(Exception):
    """Why a value cannot be used: code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def read_text(value: Any, limit: int = TEXT_LENGTH) -> str:
    if not isinstance(value, str):
        raise Bad("invalid", "Give a text.")
    if len(value) > limit:
        raise Bad("max_length", f"At most {limit} characters; these are {len(value)}.")
    if not is_storable(value):
        raise Bad("not_storable", "The text has a NUL character or a lone surrogate.")
    return value


def read_uuid(value: Any) -> UUID:
    try:
        return UUID(value)
    except (ValueError, TypeError, AttributeError) as error:
        raise Bad("invalid", "Give a UUID.") from error


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Bad("invalid", "Give an integer.")
    if not 0 <= value <= MAX_SIZE:
        raise Bad("out_of_range", f"Give an integer from 0 to {MAX_SIZE}.")
    return value


def _path(value: Any) -> str:
    if not isinstance(value, str):
        raise Bad("invalid", "Give a text.")
    if len(value) > PATH_LENGTH:
        raise Bad("max_length", f"At most {PATH_LENGTH} characters; these are {len(value)}.")
    try:
        return checked_key(value)
    except KeyEscapesError as error:
        raise Bad(error.code, str(error)) from error


def _algorithm(value: Any) -> str:
    if not isinstance(value, str) or value not in _ALGORITHMS:
        raise Bad("unknown_algorithm", f"Use one of {', '.join(known_algorithms())}.")
    return value


def _file_type(value: Any) -> str:
    if not isinstance(value, str) or value not in _FILE_TYPES:
        raise Bad("invalid_choice", f"Use one of {', '.join(sorted(_FILE_TYPES))}.")
    return value


def _moment(value: Any) -> datetime:
    try:
        require_time_of_day(value)
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError) as error:
        raise Bad("invalid", "Give a time in ISO 8601, in UTC or with its offset.") from error


def _time(value: Any) -> datetime:
    """Of data: what cannot be right is refused, since it says which observations a file belongs to."""
    moment = _moment(value)
    if problem := clock_problem(moment):
        raise Bad("filing.clock", problem)
    return moment


def _time_if_possible(value: Any) -> datetime | None:
    if value is None:
        return None
    moment = _moment(value)
    # A clock or a file system that is wrong does not change the data: the file is filed without its time.
    return None if clock_problem(moment, EPOCH) else moment


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "id": read_uuid,
    "executed_obs_unit": lambda value: None if value is None else read_uuid(value),
    "data_stream": read_text,
    "start_time": lambda value: None if value is None else _time(value),
    "end_time": lambda value: None if value is None else _time(value),
    "source_location": read_text,
    "relative_path": _path,
    "size": _integer,
    "name": read_text,
    "instrument_module": lambda value: None if value is None else _integer(value),
    "instrument": read_text,
    "module": read_text,
    "checksum": read_text,
    "checksum_algorithm": _algorithm,
    "file_type": _file_type,
    "created_at": _time_if_possible,
    "description": read_text,
}
_REQUIRED: Final = ("id", "source_location", "relative_path", "size")
_OF_PRODUCT_FILES: Final = (
    *_REQUIRED, "name", "checksum", "checksum_algorithm", "file_type", "created_at", "description",
)  # fmt: skip
_PRODUCT_FILE_READERS: Final = {name: _READERS[name] for name in _OF_PRODUCT_FILES}


def read_file_reports(rows: Any) -> list[FileReport]:
    """The reports of a call; :class:`FilingError` with every error of every row."""
    if not isinstance(rows, list) or not rows:
        raise RequestError("Give a list with at least one row.", code="filing.not_a_list")
    if len(rows) > MAX_ROWS:
        raise RequestError(
            f"{len(rows)} rows are too many: at most {MAX_ROWS} in one call.",
            code="filing.too_many_rows",
            remedy="Send them in several calls.",
        )
    errors: list[RowError] = []
    reports = [_read_file_report(index, row, errors) for index, row in enumerate(rows)]
    if errors:
        raise FilingError(errors)
    return [report for report in reports if report is not None]


def read_fields(
    index: int,
    row: Any,
    readers: Mapping[str, Callable[[Any], Any]],
    required: Sequence[str],
    errors: list[RowError],
    *,
    within: str = "",
) -> dict[str, Any] | None:
    """The values of one row, or None after its errors were noted. ``within`` stands before the names of its fields."""
    if not isinstance(row, dict):
        errors.append(RowError(index, within.rstrip("."), "invalid", "Give an object."))
        return None
    before = len(errors)
    values: dict[str, Any] = {}
    for field, raw in row.items():
        reader = readers.get(field)
        if reader is None:
            known = ", ".join(readers)
            message = f"There is no such field. Known are {known}."
            errors.append(RowError(index, f"{within}{field[:TEXT_LENGTH]}", "unknown_field", message))
            continue
        try:
            values[field] = reader(raw)
        except Bad as bad:
            errors.append(RowError(index, within + field, bad.code, str(bad)))
    for field in required:
        if field not in row:
            errors.append(RowError(index, within + field, "required", "This field is required."))
    return values if len(errors) == before else None


def _read_file_report(index: int, row: Any, errors: list[RowError]) -> FileReport | None:
    """One row, or None after its errors were noted."""
    values = read_fields(index, row, _READERS, _REQUIRED, errors)
    if values is None:
        return None
    before = len(errors)
    _read_module(index, values, errors)
    _read_belonging(index, values, errors)
    read_checksum(index, values, errors)
    return FileReport(**values) if len(errors) == before else None


def read_product_file(index: int, row: Any, errors: list[RowError], within: str) -> FileReport | None:
    """A file of a data product: what it is of says the product, and its module the run."""
    values = read_fields(index, row, _PRODUCT_FILE_READERS, _REQUIRED, errors, within=within)
    if values is None:
        return None
    before = len(errors)
    read_checksum(index, values, errors, within)
    return FileReport(**values) if len(errors) == before else None


def _read_module(index: int, values: dict[str, Any], errors: list[RowError]) -> None:
    by_id = values.get("instrument_module") is not None
    by_name = bool(values.get("instrument")) and bool(values.get("module"))
    if by_id == by_name or (by_id and (values.get("instrument") or values.get("module"))):
        message = "Name the module by instrument and module, or by instrument_module, its id."
        errors.append(RowError(index, "module", "required", message))


def read_checksum(index: int, values: dict[str, Any], errors: list[RowError], within: str = "") -> None:
    """What checksum and algorithm say only together; fills in the name too."""
    checksum, algorithm = values.get("checksum", ""), values.get("checksum_algorithm", "")
    if bool(checksum) != bool(algorithm):
        message = "A checksum needs its algorithm, and an algorithm its checksum."
        errors.append(RowError(index, f"{within}checksum", "checksum.incomplete", message))
    elif checksum and not is_wellformed(algorithm, checksum):
        message = f"This is no {algorithm} digest in hexadecimal digits."
        errors.append(RowError(index, f"{within}checksum", "checksum.malformed", message))
    values["checksum"] = checksum.lower()
    if not values.get("name"):
        values["name"] = values["relative_path"].rpartition("/")[2]


def _read_belonging(index: int, values: dict[str, Any], errors: list[RowError]) -> None:
    """A file is of an execution, or of a data stream with the times of its data."""
    start, end = values.get("start_time"), values.get("end_time")
    if values.get("executed_obs_unit") is None:
        if not values.get("data_stream"):
            message = "Name the execution that it is of, or its data stream."
            errors.append(RowError(index, "executed_obs_unit", "required", message))
        for field, moment in (("start_time", start), ("end_time", end)):
            if moment is None and values.get("data_stream"):
                errors.append(RowError(index, field, "required", "A file of a data stream has the times of its data."))
    elif (start is None) != (end is None):
        errors.append(RowError(index, "end_time", "required", "Give both times of its data, or none."))
    if start is not None and end is not None and end < start:
        errors.append(RowError(index, "end_time", "order", "This is before start_time."))
