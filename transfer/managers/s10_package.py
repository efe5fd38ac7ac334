"""Stage 10: files of finished observations that are in no package become packages.

In: RawDataFile without a package, its SOURCE copy present and without need of attention, its execution finished and
settled. Out: RawDataPackage (PENDING, WAITING) with its files, and one RawDataPackageCreation each at the SOURCE. One
whose BUFFER was switched off before it began is redirected to another one. Safe to repeat because: planned under a lock
on the execution, and a file has one package.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models.functions import Now

from ccatdc.common.errors import Blocked, KeyEscapesError
from datamgmt.models import DataLocation, RawDataFile, RawDataPackage
from datamgmt.models.packages import PACKAGE_MAX_BYTES
from datamgmt.packaging.naming import package_name
from datamgmt.packaging.tarballs.headers import closed_size, header_size, padded
from observatory.models import InstrumentModule
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


class FiledFile(NamedTuple):
    """What the decision about a file needs; there may be 10^5."""

    id: UUID
    relative_path: str
    size: int
    registered_at: datetime


class PackageManager(StageManager[FileGroup | RawDataPackageCreation]):
    """Groups files by execution, module and SOURCE location; splits at 50 GB of tar."""

    name = "package"

    def find_work(self) -> Iterable[FileGroup | RawDataPackageCreation]:
        """Groups of files, oldest observation first; then packages that would miss their BUFFER."""
        groups = _groups()
        ids = {group["source_location_id"] for group in groups}
        for location in DataLocation.objects.with_site().by_priority().filter(pk__in=ids):
            settled = [group for group in groups if _is_settled(group, location)]
            if not settled:
                continue
            try:
                buffer = _way_out(location)
            except Blocked as reason:
                self.wait(f"{len(settled)} observations at {location.full_name}", reason)
                continue
            for group in settled:
                yield FileGroup(
                    group["executed_obs_unit_id"], group["instrument_module_id"], location, buffer, group["files"]
                )
        yield from misdirected(RawDataPackageCreation)

    def plan(self, work: FileGroup | RawDataPackageCreation) -> int:
        """One operation for each package of the group; or another BUFFER for a package."""
        if isinstance(work, RawDataPackageCreation):
            return int(redirect(work, work.location.site))
        execution = ExecutedObsUnit.objects.for_update(work.execution_id)
        module = InstrumentModule.objects.select_related("instrument").get(pk=work.module_id)
        first = execution.raw_data_packages.count() + 1
        planned = 0
        for number, (part, is_late) in enumerate(_parts(work, execution), start=first):
            package = RawDataPackage.objects.create(
                name=package_name(execution, module, number),
                executed_obs_unit=execution,
                instrument_module=module,
                source_location=work.location,
                file_count=len(part),
                is_late=is_late,
            )
            for start in range(0, len(part), BATCH):
                ids = [file.id for file in part[start : start + BATCH]]
                RawDataFile.objects.filter(pk__in=ids).update(raw_data_package=package)
            operation = RawDataPackageCreation.objects.create(
                raw_data_package=package,
                location=work.location,
                destination_location=work.buffer,
                priority=execution.obs_unit.priority,
                total_bytes=sum(file.size for file in part),
            )
            planned += self.submit(operation)
        return planned


def _groups() -> list[dict[str, Any]]:
    """Groups of finished executions. A running one may have 10^5 files: only its id is read."""
    unpackaged = RawDataFile.objects.unpackaged()
    candidates = list(unpackaged.executions())
    if not candidates:
        return []
    finished = ExecutedObsUnit.objects.filter(pk__in=candidates, finished_at__isnull=False)
    ready = unpackaged.of_executions(list(finished.values_list("pk", flat=True))).usable()
    return list(ready.packaging_groups().annotate(now=Now()).order_by("finished_at"))


def _is_settled(group: dict[str, Any], location: DataLocation) -> bool:
    """At this location, and long enough after the end of the observation and of its filing."""
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
    when its first packages had been made.
    """
    rows = RawDataFile.objects.unpackaged().usable()
    rows = rows.in_group(execution.pk, group.module_id, group.location.pk)
    columns = rows.order_by("relative_path").values_list(*FiledFile._fields)
    files = [FiledFile(*row) for row in columns]
    packages = execution.raw_data_packages.filter(instrument_module=group.module_id, source_location=group.location)
    if packages.exists():
        deadline = datetime.min.replace(tzinfo=UTC)
    else:
        assert execution.finished_at is not None  # noqa: S101  only finished ones are planned
        deadline = execution.finished_at + timedelta(seconds=group.location.settle_seconds)
    for part in split([file for file in files if file.registered_at <= deadline]):
        yield part, False
    for part in split([file for file in files if file.registered_at > deadline]):
        yield part, True


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
