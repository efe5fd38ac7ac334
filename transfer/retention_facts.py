"""The facts on which the rule of deletion (retention.py) rests, read in a fixed number of queries for any number of copies.

Stage 70's manager reads them when it schedules, its operation again under lock just before it deletes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from ccatdc.common.states import OPEN_STATUSES, Status
from datamgmt.models import DataLocation, LocationType, PhysicalCopy, RawDataPackage
from datamgmt.states import PhysicalCopyStatus
from transfer.models import (
    DataTransfer,
    LongTermArchiveTransfer,
    RawDataPackageCreation,
    Staging,
    StagingJob,
)
from transfer.retention import ArchiveEvidence, Facts


def facts_about(copies: Sequence[PhysicalCopy]) -> list[Facts]:
    """The facts about many copies, in a fixed number of queries. Copies come ``with_subjects()``."""
    now = timezone.now()
    packages = _packages_of(copies)
    ids = list(packages)
    archive_copies = _archive_copies(ids)
    readers = _readers(ids)
    under_way = _packages_under_way(ids)
    in_buffer = _in_buffers(ids)
    jobs = _jobs_needing(ids)
    bundles = _bundle_transfers([c.data_transfer_package_id for c in copies])
    archives_at_site = _archives_by_site()
    facts = []
    for copy in copies:
        package = packages.get(_package_id(copy))
        location = copy.data_location
        package_id = package.pk if package is not None else None
        unfinished, finished = bundles.get(copy.data_transfer_package_id, (0, 0))
        if location.location_type == LocationType.BUFFER and package_id is not None:
            unfinished += under_way.get((package_id, location.pk), 0)
        facts.append(
            Facts(
                copy=copy,
                location=location,
                package=package,
                now=now,
                archive_copies=tuple(archive_copies.get(package_id, ())),
                archives_at_site=frozenset(archives_at_site.get(location.site_id, ())),
                read_by=tuple(readers.get((package_id, location.pk), ())),
                needed_by_jobs=tuple(jobs.get((package_id, location.pk), ((), None))[0]),
                released_at=_released_at(package, location, jobs),
                other_copy_at_site=(package_id, location.site_id) in in_buffer,
                unfinished_transfers=unfinished,
                finished_transfers=finished,
            )
        )
    return facts


def _package_id(copy: PhysicalCopy) -> Any:
    if copy.raw_data_file is not None:
        return copy.raw_data_file.raw_data_package_id
    return copy.raw_data_package_id


def _packages_of(copies: Iterable[PhysicalCopy]) -> dict[Any, RawDataPackage]:
    ids = {_package_id(copy) for copy in copies} - {None}
    return RawDataPackage.objects.in_bulk(list(ids))


def _archive_copies(package_ids: list[Any]) -> dict[Any, list[ArchiveEvidence]]:
    found: dict[Any, list[ArchiveEvidence]] = defaultdict(list)
    good = PhysicalCopy.objects.non_polymorphic().in_archives().good()
    rows = good.filter(raw_data_package__in=package_ids, status=PhysicalCopyStatus.PRESENT)
    for copy in rows.select_related("data_location__site").filter(verified_at__isnull=False):
        found[copy.raw_data_package_id].append(
            ArchiveEvidence(
                copy.pk,
                copy.data_location.full_name,
                copy.data_location.site_id,
                copy.key,
                copy.digest,
                copy.verified_at,
                copy.verified_how,
            )
        )
    return found


def _readers(package_ids: list[Any]) -> dict[tuple[Any, int], list[str]]:
    """Open operations that read a package, by package and the location that they read from."""
    found: dict[tuple[Any, int], list[str]] = defaultdict(list)
    by_origin = (
        (LongTermArchiveTransfer, "origin_location_id"),
        (Staging, "location_id"),
        (RawDataPackageCreation, "location_id"),
    )
    for model, place in by_origin:
        rows = model._base_manager.filter(
            raw_data_package__in=package_ids, status__in=(*OPEN_STATUSES, Status.FAILED)
        )
        if model is Staging:
            # A failed staging reads nothing here: its job, while active, is a reason of its own.
            rows = rows.filter(status__in=OPEN_STATUSES)
        for pk, package_id, location_id in rows.values_list("pk", "raw_data_package_id", place):
            found[package_id, location_id].append(f"{model._meta.verbose_name} {pk}")
    return found


def _packages_under_way(package_ids: list[Any]) -> dict[tuple[Any, int], int]:
    """How many bundles with a package still have to leave a BUFFER and be unpacked at the other end.

    A failed bundle keeps nothing by itself: its packages are not archived (a reason of its own), or went another way.
    """
    found: dict[tuple[Any, int], int] = defaultdict(int)
    links = RawDataPackage.data_transfer_packages.through.objects.filter(
        rawdatapackage__in=package_ids
    ).exclude(
        Q(datatransferpackage__status=Status.FAILED)
        | Q(datatransferpackage__data_transfers__status=Status.FAILED)
        | Q(
            datatransferpackage__data_transfers__unpack_status__in=(Status.COMPLETED, Status.FAILED)
        )
    )
    for package_id, location_id in links.values_list(
        "rawdatapackage_id", "datatransferpackage__origin_location_id"
    ):
        found[package_id, location_id] += 1
    return found


def _in_buffers(package_ids: list[Any]) -> set[tuple[Any, int]]:
    """Packages with an existing copy in a BUFFER, with the site of it."""
    copies = (
        PhysicalCopy.objects.non_polymorphic().existing().of_type_of_location(LocationType.BUFFER)
    )
    return set(
        copies.filter(raw_data_package__in=package_ids).values_list(
            "raw_data_package_id", "data_location__site_id"
        )
    )


def _jobs_needing(
    package_ids: list[Any],
) -> dict[tuple[Any, int], tuple[list[int], datetime | None]]:
    """Active jobs by package and place, and when the last of the others ended."""
    now = timezone.now()
    found: dict[tuple[Any, int], tuple[list[int], datetime | None]] = {}
    rows = StagingJob.objects.filter(raw_data_packages__in=package_ids).values_list(
        "raw_data_packages", "destination_location_id", "pk", "expires_at", "cancelled_at"
    )
    for package_id, location_id, pk, expires_at, cancelled_at in rows:
        active, ended = found.get((package_id, location_id), ([], None))
        if cancelled_at is None and expires_at > now:
            active.append(pk)
        else:
            moment = min(expires_at, cancelled_at) if cancelled_at is not None else expires_at
            ended = moment if ended is None else max(ended, moment)
        found[package_id, location_id] = (active, ended)
    return found


def _bundle_transfers(bundle_ids: Iterable[int | None]) -> dict[int | None, tuple[int, int]]:
    """Transfers of each bundle: still needed, and done. One whose packages are all archived by now is needed no more."""
    found: dict[int | None, tuple[int, int]] = {}
    wanted = [pk for pk in bundle_ids if pk is not None]
    on_the_way = RawDataPackage.objects.not_archived().filter(
        data_transfer_packages=OuterRef("data_transfer_package")
    )
    rows = DataTransfer._base_manager.filter(data_transfer_package__in=wanted).annotate(
        needed=Exists(on_the_way)
    )
    for bundle_id, status, unpack_status, needed in rows.values_list(
        "data_transfer_package_id", "status", "unpack_status", "needed"
    ):
        unfinished, finished = found.get(bundle_id, (0, 0))
        arrived = status == Status.COMPLETED and unpack_status == Status.COMPLETED
        done = arrived or (status not in OPEN_STATUSES and not needed)
        found[bundle_id] = (unfinished + (not done), finished + done)
    return found


def _archives_by_site() -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for location in (
        DataLocation.objects.active().of_type(LocationType.LONG_TERM_ARCHIVE).with_site()
    ):
        found[location.site_id].append(location.full_name)
    return found


def _released_at(
    package: RawDataPackage | None,
    location: DataLocation,
    jobs: dict[tuple[Any, int], tuple[list[int], datetime | None]],
) -> datetime | None:
    """From when retention counts: the package's archival; at a PROCESSING location the end of its last job."""
    if package is None:
        return None
    if location.location_type == LocationType.PROCESSING:
        return jobs.get((package.pk, location.pk), ([], None))[1]
    return package.archived_at
