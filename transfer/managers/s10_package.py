"""Stage 10: files of finished observations and runs, and of data streams, that are in no package become packages.

In: RawDataFile without a package, its SOURCE copy present and without need of attention; its execution or the run that
made it finished and settled, or its data stream with enough files or files that are old enough. Out: RawDataPackage (PENDING, WAITING) with
its files, and one RawDataPackageCreation each at the SOURCE. One whose BUFFER was switched off before it began is
redirected to another one. Safe to repeat because: planned under a lock on the execution or run, or on the files of the
data stream, and a file has one package.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Now

from ccatdc.common.errors import Blocked, KeyEscapesError
from datamgmt.models import DataLocation, ProcessingRun, RawDataFile, RawDataPackage
from datamgmt.models.packages import PACKAGE_MAX_BYTES
from datamgmt.packaging.naming import package_name, run_package_name, stream_package_name
from datamgmt.packaging.tarballs.headers import closed_size, header_size, padded
from observatory.models import DataStream, InstrumentModule
from planning.models import ExecutedObsUnit
from transfer.managers.base import StageManager
from transfer.models import RawDataPackageCreation
from transfer.routing.redirect import misdirected, redirect
from transfer.routing.routes import writable_buffer

#: Rows in one UPDATE by primary keys.
BATCH = 10_000


@dataclass(frozen=True, slots=True)
class FileGroup:
    """Settled files of one execution, module and SOURCE location that are in no package, and the BUFFER that their
    packages go to.
    """

    execution_id: UUID
    module_id: int
    location: DataLocation
    buffer: DataLocation
    files: int

    def __str__(self) -> str:
        return f"{self.files} files of observation {self.execution_id} at {self.location.full_name}"


@dataclass(frozen=True, slots=True)
class StreamGroup:
    """Files of one data stream at one SOURCE location that are in no package, and the BUFFER for their packages."""

    stream_id: int
    location: DataLocation
    buffer: DataLocation
    files: int

    def __str__(self) -> str:
        return f"{self.files} files of data stream {self.stream_id} at {self.location.full_name}"


@dataclass(frozen=True, slots=True)
class RunGroup:
    """Settled files of the products of one run at one SOURCE location that are in no package."""

    run_id: UUID
    location: DataLocation
    buffer: DataLocation
    files: int

    def __str__(self) -> str:
        return f"{self.files} files of run {self.run_id} at {self.location.full_name}"


class FiledFile(NamedTuple):
    """What the decision about a file needs; there may be 10^5. Its settle time is that of its data stream, if any."""

    id: UUID
    relative_path: str
    size: int
    registered_at: datetime
    start_time: datetime | None = None
    end_time: datetime | None = None
    data_stream__settle_seconds: int | None = None


Work = FileGroup | StreamGroup | RunGroup | RawDataPackageCreation


class PackageManager(StageManager[Work]):
    """Groups files by execution, module and SOURCE location, by data stream and time, or by run; splits at 50 GB of tar."""

    name = "package"

    def find_work(self) -> Iterable[Work]:
        """Groups of files, oldest observation first; then data streams and runs, and packages that would miss their
        BUFFER.
        """
        groups, streams, runs = _groups(), _stream_groups(), _run_groups()
        ids = {group["source_location_id"] for group in [*groups, *streams, *runs]}
        for location in DataLocation.objects.with_site().by_priority().filter(pk__in=ids):
            settled = [group for group in groups if _is_settled(group, location)]
            due = [group for group in streams if group["source_location_id"] == location.pk]
            made = [group for group in runs if _is_settled(group, location)]
            if not settled and not due and not made:
                continue
            try:
                buffer = _way_out(location)
            except Blocked as reason:
                what = [(len(settled), "observations"), (len(due), "data streams"), (len(made), "runs")]
                counted = " and ".join(f"{count} {of}" for count, of in what if count)
                self.wait(f"{counted} at {location.full_name}", reason)
                continue
            for group in settled:
                yield FileGroup(
                    group["executed_obs_unit_id"], group["instrument_module_id"], location, buffer, group["files"]
                )
            for group in due:
                yield StreamGroup(group["data_stream_id"], location, buffer, group["files"])
            for group in made:
                yield RunGroup(group["data_product__processing_run_id"], location, buffer, group["files"])
        yield from misdirected(RawDataPackageCreation)

    def plan(self, work: Work) -> int:
        """One operation for each package of the group; or another BUFFER for a package."""
        if isinstance(work, RawDataPackageCreation):
            return int(redirect(work, work.location.site))
        if isinstance(work, RunGroup):
            return self._plan_run(work)
        return self._plan_stream(work) if isinstance(work, StreamGroup) else self._plan_execution(work)

    def _plan_execution(self, work: FileGroup) -> int:
        execution = ExecutedObsUnit.objects.for_update(work.execution_id)
        module = InstrumentModule.objects.select_related("instrument").get(pk=work.module_id)
        first = execution.raw_data_packages.count() + 1
        planned = 0
        for number, (part, is_late) in enumerate(_parts(work, execution), start=first):
            package = RawDataPackage(
                name=package_name(execution, module, number),
                executed_obs_unit=execution,
                instrument_module=module,
                source_location=work.location,
                is_late=is_late,
            )
            planned += self._submit(package, part, work.buffer)
        return planned

    def _plan_stream(self, work: StreamGroup) -> int:
        stream = DataStream.objects.select_related("instrument_module__instrument").get(pk=work.stream_id)
        planned = 0
        for part in _stream_parts(work, stream):
            starts, ends = zip(*[_times(file) for file in part], strict=True)
            package = RawDataPackage(
                data_stream=stream,
                instrument_module=stream.instrument_module,
                source_location=work.location,
                start_time=min(starts),
                end_time=max(ends),
            )
            package.name = stream_package_name(stream, min(starts), package.pk)
            planned += self._submit(package, part, work.buffer)
        return planned

    def _plan_run(self, work: RunGroup) -> int:
        run = ProcessingRun.objects.all_for_update([work.run_id]).for_listing().get()
        first = run.raw_data_packages.count() + 1
        is_late = run.raw_data_packages.filter(source_location=work.location).exists()
        rows = RawDataFile.objects.unpackaged().usable().of_run(run).filter(source_location=work.location)
        planned = 0
        for number, part in enumerate(split(_filed(rows.order_by("relative_path"))), start=first):
            package = RawDataPackage(
                name=run_package_name(run, number),
                processing_run=run,
                instrument_module=run.instrument_module,
                source_location=work.location,
                is_late=is_late,
            )
            planned += self._submit(package, part, work.buffer)
        return planned

    def _submit(self, package: RawDataPackage, files: Sequence[FiledFile], buffer: DataLocation) -> int:
        package.file_count = len(files)
        package.save(force_insert=True)
        for start in range(0, len(files), BATCH):
            ids = [file.id for file in files[start : start + BATCH]]
            RawDataFile.objects.filter(pk__in=ids).update(raw_data_package=package)
        operation = RawDataPackageCreation.objects.create(
            raw_data_package=package,
            location=package.source_location,
            destination_location=buffer,
            priority=package.priority,
            total_bytes=sum(file.size for file in files),
        )
        return self.submit(operation)


def _groups() -> list[dict[str, Any]]:
    """Groups of finished executions. A running one may have 10^5 files: only its id is read."""
    unpackaged = RawDataFile.objects.unpackaged()
    candidates = list(unpackaged.executions())
    if not candidates:
        return []
    finished = ExecutedObsUnit.objects.filter(pk__in=candidates, finished_at__isnull=False)
    ready = unpackaged.of_executions(list(finished.values_list("pk", flat=True))).usable()
    return list(ready.packaging_groups().annotate(now=Now()).order_by("finished_at"))


def _stream_groups() -> list[dict[str, Any]]:
    unpackaged = RawDataFile.objects.unpackaged().of_streams()
    candidates = list(unpackaged.order_by().values_list("data_stream_id", flat=True).distinct())
    if not candidates:
        return []
    groups = unpackaged.filter(data_stream__in=candidates).usable().stream_groups().annotate(now=Now())
    return [group for group in groups.order_by("first_registered_at") if _may_be_due(group)]


def _run_groups() -> list[dict[str, Any]]:
    unpackaged = RawDataFile.objects.unpackaged().of_products()
    if not unpackaged.exists():
        return []
    return list(unpackaged.usable().run_groups().annotate(now=Now()).order_by("finished_at"))


def _may_be_due(group: dict[str, Any]) -> bool:
    """Whether some package of a stream is full, over, or old: only then are its files read and locked."""
    span = timedelta(seconds=group["data_stream__package_seconds"])
    is_over = group["last_start"] - group["first_start"] >= span or group["bytes"] > PACKAGE_MAX_BYTES // 2
    return bool(is_over or group["first_registered_at"] + span <= group["now"])


def _is_settled(group: dict[str, Any], location: DataLocation) -> bool:
    """At this location, and long enough after the end of the observation or run and of its filing."""
    last = max(group["finished_at"], group["last_registered_at"])
    is_over = bool(last + timedelta(seconds=location.settle_seconds) <= group["now"])
    return is_over and group["source_location_id"] == location.pk


def _way_out(location: DataLocation) -> DataLocation:
    """The BUFFER for packages of a SOURCE, or :class:`Blocked`."""
    if not (location.active and location.site.active):
        raise Blocked(
            f"{location.full_name} is switched off.",
            code="location.inactive",
            remedy="Switch it on in the portal when its data may move.",
        )
    return writable_buffer(location.site)


def _parts(group: FileGroup, execution: ExecutedObsUnit) -> Iterator[tuple[Sequence[FiledFile], bool]]:
    """The files of each package to be, and whether they are late: filed when the observation was over and settled, or
    when its first packages had been made. Those of a data stream have the time of that.
    """
    rows = RawDataFile.objects.unpackaged().usable()
    rows = rows.in_group(execution.pk, group.module_id, group.location.pk)
    files = _filed(rows.order_by("relative_path"))
    packages = execution.raw_data_packages.filter(instrument_module=group.module_id, source_location=group.location)
    if packages.exists():
        deadline = datetime.min.replace(tzinfo=UTC)
    else:
        assert execution.finished_at is not None  # noqa: S101  only finished ones are planned
        deadline = execution.finished_at + timedelta(seconds=group.location.settle_seconds)
    in_time = {file.id for file in files if file.registered_at <= max(deadline, _deadline_of_stream(file, execution))}
    for part in split([file for file in files if file.id in in_time]):
        yield part, False
    for part in split([file for file in files if file.id not in in_time]):
        yield part, True


def _filed(rows: QuerySet[Any]) -> list[FiledFile]:
    return [FiledFile(*row) for row in rows.values_list(*FiledFile._fields)]


def _deadline_of_stream(file: FiledFile, execution: ExecutedObsUnit) -> datetime:
    seconds = file.data_stream__settle_seconds
    if seconds is None or execution.finished_at is None:
        return datetime.min.replace(tzinfo=UTC)
    return execution.finished_at + timedelta(seconds=seconds)


def _stream_parts(group: StreamGroup, stream: DataStream) -> Iterator[list[FiledFile]]:
    """The files of each package that is due: those of one span of time, at most 50 GB of tar. A part is due when another
    one of that size or span follows it and nothing of it came lately, or when its first file has waited for the span.
    """
    rows = RawDataFile.objects.unpackaged().usable().of_streams()
    rows = rows.filter(data_stream=stream, source_location=group.location)
    # Another manager finds them packaged when it has waited for these.
    list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk"))
    rows = rows.annotate(now=Now())
    found = list(rows.order_by("start_time", "relative_path").values_list("now", *FiledFile._fields))
    if not found:
        return
    now = found[0][0]
    parts = list(_in_spans([FiledFile(*row[1:]) for row in found], stream.package_span))
    for number, part in enumerate(parts, start=1):
        filed = [file.registered_at for file in part]
        is_followed = number < len(parts) and max(filed) + stream.settle_time <= now
        if is_followed or min(filed) + stream.package_span <= now:
            yield sorted(part, key=lambda file: file.relative_path)


def _in_spans(files: Sequence[FiledFile], span: timedelta) -> Iterator[list[FiledFile]]:
    """Files in the order of their start, in parts that begin within one span of time and fit into a package."""
    within: list[FiledFile] = []
    for file in files:
        if within and _times(file)[0] >= _times(within[0])[0] + span:
            yield from split(within)
            within = []
        within.append(file)
    yield from split(within)


def _times(file: FiledFile) -> tuple[datetime, datetime]:
    assert file.start_time is not None and file.end_time is not None  # noqa: S101  a constraint on those of streams
    return file.start_time, file.end_time


def split(files: Sequence[FiledFile]) -> Iterator[list[FiledFile]]:
    """Parts of at most 50 GB of tar, in order; a larger file is a part of its own, never refused."""
    part: list[FiledFile] = []
    size = 0
    for file in files:
        needed = _member_size(file)
        if part and closed_size(size + needed) > PACKAGE_MAX_BYTES:
            yield part
            part, size = [], 0
        part.append(file)
        size += needed
    if part:
        yield part


def _member_size(file: FiledFile) -> int:
    """Bytes that the file takes in a tar. One whose name no tar may hold takes none: the operation sets it aside, with
    the reason.
    """
    try:
        return header_size(file.relative_path, file.size) + padded(file.size)
    except KeyEscapesError:
        return 0
