"""Stage 10: files of finished observations that are in no package become packages.

In: RawDataFile without a package, its SOURCE copy present and not in trouble, its execution finished and settled.
Out: RawDataPackage (PENDING, WAITING) with its files, and one RawDataPackageCreation each at the SOURCE.
Safe to repeat because: planned under a lock on the execution, and a file has one package.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from datamgmt.models import DataLocation, RawDataFile, RawDataPackage
from datamgmt.models.packages import PACKAGE_MAX_BYTES
from datamgmt.naming import package_name
from datamgmt.tarballs import END_BYTES, member_size
from observatory.models import InstrumentModule
from planning.models import ExecutedObsUnit
from transfer.managers.base import StageManager
from transfer.models import RawDataPackageCreation
from transfer.routes import writable_buffer
from transfer.waits import Waits

Group = dict[str, Any]
#: Rows in one UPDATE by primary keys.
BATCH = 10_000


class PackageManager(StageManager[Group]):
    """Groups files by execution, module and SOURCE location; splits at 50 GB of tar."""

    name = "package"

    def find_work(self) -> Iterable[Group]:
        """Groups of files, oldest observation first."""
        ready = RawDataFile.objects.unpackaged().of_finished_executions().usable()
        return ready.packaging_groups().annotate(now=Now()).order_by("finished_at")

    def plan(self, work: Group) -> int:
        """One operation for each package of the group."""
        location = DataLocation.objects.with_site().get(pk=work["source_location_id"])
        if not location.active:
            raise Waits(
                f"{location.full_name} is switched off.",
                code="location.inactive",
                remedy="Switch it on in the portal when its data may move.",
            )
        settled_at = max(work["finished_at"], work["last_registered_at"]) + timedelta(
            seconds=location.settle_seconds
        )
        if settled_at > work["now"]:
            return 0
        buffer = writable_buffer(location.site)
        execution = ExecutedObsUnit.objects.for_update(work["executed_obs_unit_id"])
        files = list(
            RawDataFile.objects.unpackaged()
            .usable()
            .in_group(work)
            .order_by("relative_path")
            .values_list("id", "relative_path", "size")
        )
        module = InstrumentModule.objects.select_related("instrument").get(
            pk=work["instrument_module_id"]
        )
        made = execution.raw_data_packages.count()
        is_late = execution.raw_data_packages.filter(instrument_module=module).exists()
        planned = 0
        for number, part in enumerate(split(files), start=made + 1):
            package = RawDataPackage.objects.create(
                name=package_name(execution, module, number),
                executed_obs_unit=execution,
                instrument_module=module,
                source_location=location,
                file_count=len(part),
                is_late=is_late,
            )
            for first in range(0, len(part), BATCH):
                ids = [file_id for file_id, _, _ in part[first : first + BATCH]]
                RawDataFile.objects.filter(pk__in=ids).update(raw_data_package=package)
            operation = RawDataPackageCreation.objects.create(
                raw_data_package=package,
                location=location,
                destination_location=buffer,
                priority=execution.obs_unit.priority,
                total_bytes=sum(size for _, _, size in part),
            )
            planned += self.submit(operation)
        return planned


def split(files: list[tuple[Any, str, int]]) -> Iterator[list[tuple[Any, str, int]]]:
    """Parts of at most 50 GB of tar, in order of path; a larger file is a part of its own, never refused."""
    part: list[tuple[Any, str, int]] = []
    size = END_BYTES
    for file in files:
        needed = member_size(file[1], file[2])
        if part and size + needed > PACKAGE_MAX_BYTES:
            yield part
            part, size = [], END_BYTES
        part.append(file)
        size += needed
    if part:
        yield part
