"""Step 0, files: what an instrument wrote becomes RawDataFile rows with a copy PRESENT at SOURCE.

A copy that is filed is a claim: its integrity is unverified until packaging (10) reads the bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, transaction
from psycopg.errors import UniqueViolation

from accounts.models import ApiToken
from ccatdc.common.db.bulk import copy_rows
from ccatdc.common.db.notify import notify_managers
from ccatdc.common.errors import ExternalError, NotAllowedError
from ccatdc.common.row_errors import RowError
from datamgmt.filing.access import OTHER_INSTRUMENT, may_file_for, require_execution
from datamgmt.filing.repeats import Resolved, compare_with_stored
from datamgmt.filing.reports import FileReport, FilingError
from datamgmt.models import DataLocation, LocationType, RawDataFile, RawDataFilePhysicalCopy
from observatory.models import DataStream, InstrumentModule
from planning.models import ExecutedObsUnit, ExecutionStatus

#: How often a call looks again when others file the same paths at the same moment.
TRIES: Final = 3
UNKNOWN: Final = "does_not_exist"


@dataclass(frozen=True, slots=True)
class Registered:
    """How many files a call made, and how many it found as it says."""

    created: int
    unchanged: int


def register_files(reports: Sequence[FileReport], *, token: ApiToken | None = None) -> Registered:
    """Register files with their copies at SOURCE: all of the call, or nothing.

    The same report again changes nothing. Raises FilingError (rows that cannot be filed), FilingConflictError (another
    file under this UUID or path), NotAllowedError (``token`` is bound to another instrument). Files of a finished
    execution are late, and accepted.
    """
    with transaction.atomic():
        executions = {
            row.pk: row
            for row in ExecutedObsUnit.objects.all_for_update(
                {report.executed_obs_unit for report in reports if report.executed_obs_unit is not None}
            ).with_plan()
        }
        for execution in executions.values():
            require_execution(token, execution)
        resolved = _resolve(reports, executions, token)
        created = insert_new(resolved)
        if created and _wakes(resolved):
            notify_managers()
    return Registered(created, len(reports) - created)


def _wakes(rows: Sequence[Resolved]) -> bool:
    """Whether some may be packaged already: of an observation that is over, or of a data stream."""
    return any(row.execution is None or row.execution.status != ExecutionStatus.RUNNING for row in rows)


def insert_new(resolved: Sequence[Resolved]) -> int:
    """Insert first, compare only when something is there already: nearly all calls are new. How many were inserted."""
    new: Sequence[Resolved] = resolved
    for _ in range(TRIES):
        try:
            with transaction.atomic():
                _insert(new)
        except IntegrityError as error:
            if not isinstance(error.__cause__, UniqueViolation):
                raise
            new = compare_with_stored(resolved)
            _add_checksums(resolved)
            if not new:
                return 0
        else:
            return len(new)
    raise ExternalError(
        "Other calls file the same paths at this moment.", code="filing.concurrent", remedy="Send the call again."
    )


def _add_checksums(rows: Sequence[Resolved]) -> None:
    """A checksum that comes with the second report is checked when the file is packaged, if it is not yet."""
    said = {row.report.id: row.report for row in rows if row.report.checksum}
    without = RawDataFile.objects.unpackaged().filter(pk__in=list(said), checksum="")
    files = list(without.only("pk"))
    for file in files:
        report = said[file.pk]
        file.checksum, file.checksum_algorithm = report.checksum, report.checksum_algorithm
    RawDataFile.objects.bulk_update(files, ["checksum", "checksum_algorithm"], batch_size=1000)


def _insert(rows: Sequence[Resolved]) -> None:
    copy_rows(
        RawDataFile(),
        (
            "id",
            "name",
            "relative_path",
            "size",
            "checksum",
            "checksum_algorithm",
            "executed_obs_unit_id",
            "data_stream_id",
            "data_product_id",
            "start_time",
            "end_time",
            "instrument_module_id",
            "source_location_id",
            "file_type",
            "created_at",
            "description",
        ),
        (
            (
                row.report.id,
                row.report.name,
                row.report.relative_path,
                row.report.size,
                row.report.checksum,
                row.report.checksum_algorithm,
                row.execution.pk if row.execution is not None else None,
                row.stream.pk if row.stream is not None else None,
                row.product.pk if row.product is not None else None,
                row.report.start_time,
                row.report.end_time,
                row.module.pk,
                row.location.pk,
                row.report.file_type,
                row.report.created_at,
                row.report.description,
            )
            for row in rows
        ),
    )
    kind = ContentType.objects.get_for_model(RawDataFilePhysicalCopy, for_concrete_model=False)
    template = RawDataFilePhysicalCopy(type=RawDataFilePhysicalCopy.TYPE, polymorphic_ctype=kind)
    copy_rows(
        template,
        ("raw_data_file_id", "data_location_id", "size"),
        ((row.report.id, row.location.pk, row.report.size) for row in rows),
    )


def _resolve(
    reports: Sequence[FileReport], executions: Mapping[UUID, ExecutedObsUnit], token: ApiToken | None
) -> list[Resolved]:
    """The rows that the reports name, in four queries; FilingError names what is not there."""
    locations = locations_named(report.source_location for report in reports)
    modules = _Modules(token)
    streams = _streams(reports)
    judged: dict[tuple[UUID | None, str, str, int], list[tuple[str, str, str]]] = {}
    errors = list(_doubles(reports))
    resolved = []
    for index, report in enumerate(reports):
        execution = executions.get(report.executed_obs_unit) if report.executed_obs_unit is not None else None
        module = modules.named_by(report)
        location = locations.get(report.source_location)
        if module is not None and module.pk in modules.foreign:
            raise NotAllowedError(
                f"Row {index}: this token files for another instrument than {module.instrument}.",
                code=OTHER_INSTRUMENT,
                remedy="Nothing was filed.",
            )
        stream = streams.get((module.pk, report.data_stream)) if module is not None else None
        key = (report.executed_obs_unit, report.data_stream, report.source_location, module.pk if module else 0)
        if module is None or key not in judged:
            judged[key] = list(_faults(report, execution, stream, module, location))
        errors += [RowError(index, *fault) for fault in judged[key]]
        if module is not None and location is not None:
            resolved.append(Resolved(report, execution, stream, module, location))
    if errors:
        raise FilingError(sorted(errors, key=lambda error: error.index))
    return resolved


def _streams(reports: Sequence[FileReport]) -> dict[tuple[int, str], DataStream]:
    """By module and name."""
    wanted = {report.data_stream for report in reports if report.data_stream}
    found = DataStream.objects.filter(name__in=wanted) if wanted else []
    return {(stream.instrument_module_id, stream.name): stream for stream in found}


def locations_named(names: Iterable[str]) -> dict[str, DataLocation]:
    """Locations that are named once: two sites may share the full name of theirs."""
    wanted = set(names)
    found = [
        location for location in DataLocation.objects.non_polymorphic().with_site() if location.full_name in wanted
    ]
    times = Counter(location.full_name for location in found)
    return {each.full_name: each for each in found if times[each.full_name] == 1}


class _Modules:
    """All modules, by id and by the short names of instrument and module, and those for which ``token`` may not file."""

    def __init__(self, token: ApiToken | None) -> None:
        rows = list(InstrumentModule.objects.select_related("instrument"))
        self.foreign = {row.pk for row in rows if not may_file_for(token, row)}
        self._by_id = {row.pk: row for row in rows}
        self._by_names = {(row.instrument.short_name, row.short_name): row for row in rows}

    def named_by(self, report: FileReport) -> InstrumentModule | None:
        if report.instrument_module is not None:
            return self._by_id.get(report.instrument_module)
        return self._by_names.get((report.instrument, report.module))


def _faults(
    report: FileReport,
    execution: ExecutedObsUnit | None,
    stream: DataStream | None,
    module: InstrumentModule | None,
    location: DataLocation | None,
) -> Iterator[tuple[str, str, str]]:
    """What is wrong with what a report names: field, code, message."""
    if report.data_stream and module is not None:
        if stream is None:
            yield "data_stream", UNKNOWN, f"{module} has no data stream {report.data_stream!r}."
        elif not stream.active:
            yield "data_stream", "stream.inactive", f"The data stream {stream.name} of {module} is switched off."
    if execution is None and report.executed_obs_unit is not None:
        message = f"There is no execution {report.executed_obs_unit}; start it first."
        yield "executed_obs_unit", UNKNOWN, message
    if module is None:
        name = report.instrument_module or f"{report.instrument}/{report.module}"
        yield "module", UNKNOWN, f"There is no module {name}."
    yield from location_faults(report, location, module)
    if execution is not None and module is not None:
        observed_with = execution.obs_unit.obs_mode.instrument_id
        if observed_with not in (None, module.instrument_id):
            message = f"Execution {execution.pk} was not observed with {module.instrument}."
            yield "executed_obs_unit", "foreign_execution", message


def location_faults(
    report: FileReport, location: DataLocation | None, module: InstrumentModule | None
) -> Iterator[tuple[str, str, str]]:
    """Why files of this module are not filed at the location: field, code, message."""
    if location is None:
        message = f"There is no location {report.source_location!r}, or there are two."
        yield "source_location", UNKNOWN, message
        return
    if location.location_type != LocationType.SOURCE:
        message = f"{location.full_name} is no SOURCE: files are filed where they are written for the archive."
        yield "source_location", "not_a_source", message
    if module is not None and location.instrument_id not in (None, module.instrument_id):
        message = f"{location.full_name} holds data of another instrument than {module}."
        yield "source_location", "other_instrument", message


def _doubles(reports: Sequence[FileReport]) -> Iterator[RowError]:
    """Rows that name the UUID or the path of an earlier row of the same call."""
    ids: dict[UUID, int] = {}
    paths: dict[tuple[str, str], int] = {}
    for index, report in enumerate(reports):
        first = ids.setdefault(report.id, index)
        if first != index:
            yield RowError(index, "id", "twice", f"Row {first} has the same id.")
        first = paths.setdefault((report.source_location, report.relative_path), index)
        if first != index:
            yield RowError(index, "relative_path", "twice", f"Row {first} has the same path.")
