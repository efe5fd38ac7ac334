"""The facts on which the rule of deletion (retention/rules.py) rests, read in a fixed number of queries for any number
of copies.

Stage 70's manager reads them when it schedules, its operation again under lock just before it deletes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, Min, OuterRef
from django.utils import timezone

from ccatdc.common.states import OPEN_STATUSES, Status
from datamgmt.models import DataLocation, LocationType, PhysicalCopy, RawDataPackage
from datamgmt.states import PhysicalCopyStatus
from transfer.models import DataTransfer, LongTermArchiveTransfer, RawDataPackageCreation, Staging, StagingJob
from transfer.retention.rules import ArchiveEvidence, Facts
from transfer.routing.relays import bundles_under_way, waiting_at_relays

#: Stands for the files at SOURCE among the copies of a package.
AT_SOURCE = 0
#: A package at a location, or at a site: (package id, location or site id).
At = tuple[Any, int]


@dataclass(slots=True)
class Jobs:
    """Staging jobs that ask for one package at one place."""

    active: list[int] = field(default_factory=list)
    last_ended: datetime | None = None


def facts_about(copies: Sequence[PhysicalCopy]) -> list[Facts]:
    """The facts about many copies. Copies come ``with_subjects()``."""
    now = timezone.now()
    packages = RawDataPackage.objects.in_bulk(list({_package_id(copy) for copy in copies} - {None}))
    ids = list(packages)
    archive_copies = _archive_copies(ids)
    readers = _readers(ids)
    bundles = bundles_under_way(ids)
    relays = waiting_at_relays(ids)
    in_buffer = _in_buffers(ids)
    outside = _copies_outside(packages, now)
    jobs = _jobs(ids, now)
    transfers = _bundle_transfers([copy.data_transfer_package_id for copy in copies])
    archives = _archives_by_site()
    found = []
    for copy in copies:
        location = copy.data_location
        package = packages.get(_package_id(copy))
        package_id = package.pk if package is not None else None
        here, at_site = (package_id, location.pk), (package_id, location.site_id)
        unfinished, finished = transfers.get(copy.data_transfer_package_id, (0, 0))
        if location.location_type == LocationType.BUFFER:
            unfinished += bundles[here] + (at_site in relays)
        asked = jobs.get(here, Jobs())
        is_processing = location.location_type == LocationType.PROCESSING
        found.append(
            Facts(
                copy=copy,
                location=location,
                package=package,
                now=now,
                archive_copies=tuple(archive_copies.get(package_id, ())),
                archives_at_site=frozenset(archives.get(location.site_id, ())),
                read_by=tuple(readers.get(here, ())),
                needed_by_jobs=tuple(asked.active),
                # Retention counts from the archival; for staged data from the end of its last job.
                released_at=asked.last_ended if is_processing else package.archived_at if package is not None else None,
                other_copy_at_site=at_site in in_buffer,
                other_copies=len(outside[package_id] - {_own_place(copy)}),
                unfinished_transfers=unfinished,
                finished_transfers=finished,
            )
        )
    return found


def _package_id(copy: PhysicalCopy) -> Any:
    if copy.raw_data_file is not None:
        return copy.raw_data_file.raw_data_package_id
    return copy.raw_data_package_id


def _archive_copies(package_ids: Sequence[Any]) -> dict[Any, list[ArchiveEvidence]]:
    """What could be evidence: good copies in archives that can be read."""
    found: dict[Any, list[ArchiveEvidence]] = defaultdict(list)
    good = PhysicalCopy.objects.non_polymorphic().in_archives().good().at_active()
    rows = good.filter(raw_data_package__in=package_ids, status=PhysicalCopyStatus.PRESENT, verified_at__isnull=False)
    for copy in rows.select_related("data_location__site").order_by("pk"):
        found[copy.raw_data_package_id].append(
            ArchiveEvidence(
                copy.pk,
                copy.data_location.full_name,
                copy.data_location.site_id,
                copy.key,
                copy.digest,
                copy.verified_at,
                copy.verified_how,
                max(copy.verified_at, copy.seen_at or copy.verified_at),
                copy.data_location.scrub_days,
            )
        )
    return found


def _copies_outside(packages: Mapping[Any, RawDataPackage], now: datetime) -> dict[Any, set[int]]:
    """What would be left if the archives were lost: the good copies of packages in buffers, and their files at SOURCE
    as one, if all of them are there. One on its way out is none, so that of the last two that go at once each sees
    itself as the last; nor is one of which nobody knows anything for long. A staged tree does not count.
    """
    found: dict[Any, set[int]] = defaultdict(set)
    good = PhysicalCopy.objects.non_polymorphic().good().at_active()
    days = "data_location__evidence_max_age_days"
    in_buffers = good.of_type_of_location(LocationType.BUFFER)
    rows = in_buffers.filter(raw_data_package__in=packages)
    for key, pk, verified_at, age in rows.values_list("raw_data_package_id", "pk", "verified_at", days):
        if verified_at is not None and verified_at >= now - timedelta(days=age):
            found[key].add(pk)
    package = "raw_data_file__raw_data_package"
    at_source = good.filter(**{f"{package}__in": packages}).order_by()
    for key, files, oldest, age in (
        at_source.values(package)
        .annotate(files=Count("pk"), oldest=Min("verified_at"), age=Min(days))
        .values_list(package, "files", "oldest", "age")
    ):
        is_whole = files == packages[key].file_count
        if is_whole and oldest is not None and oldest >= now - timedelta(days=age):
            found[key].add(AT_SOURCE)
    return found


def _own_place(copy: PhysicalCopy) -> int:
    """A file at SOURCE is a part of the one copy that the files there make."""
    return AT_SOURCE if copy.raw_data_file_id is not None else copy.pk


def _readers(package_ids: Sequence[Any]) -> dict[At, list[str]]:
    """Operations that read a package at a location, now or after an operator's retry. A failed staging is none of them:
    its job, while active, is a reason of its own.
    """
    found: dict[At, list[str]] = defaultdict(list)
    unfinished = (*OPEN_STATUSES, Status.FAILED)
    for model, place, statuses in (
        (RawDataPackageCreation, "location_id", unfinished),
        (LongTermArchiveTransfer, "origin_location_id", unfinished),
        (Staging, "location_id", OPEN_STATUSES),
    ):
        rows = model._base_manager.filter(raw_data_package__in=package_ids, status__in=statuses)
        for pk, package_id, location_id in rows.values_list("pk", "raw_data_package_id", place):
            found[package_id, location_id].append(f"{model._meta.verbose_name} {pk}")
    return found


def _in_buffers(package_ids: Sequence[Any]) -> set[At]:
    """Packages with an existing copy in a BUFFER, with the site of it."""
    copies = PhysicalCopy.objects.non_polymorphic().existing()
    copies = copies.of_type_of_location(LocationType.BUFFER)
    return set(
        copies.filter(raw_data_package__in=package_ids).values_list("raw_data_package_id", "data_location__site_id")
    )


def _jobs(package_ids: Sequence[Any], now: datetime) -> dict[At, Jobs]:
    found: dict[At, Jobs] = defaultdict(Jobs)
    rows = (
        StagingJob.objects.filter(raw_data_packages__in=package_ids)
        .order_by("pk")
        .values_list("raw_data_packages", "destination_location_id", "pk", "expires_at", "cancelled_at")
    )
    for package_id, location_id, pk, expires_at, cancelled_at in rows:
        jobs = found[package_id, location_id]
        ended = min(expires_at, cancelled_at or expires_at)
        if ended > now:
            jobs.active.append(pk)
        else:
            jobs.last_ended = max(ended, jobs.last_ended or ended)
    return found


def _bundle_transfers(bundle_ids: Iterable[int | None]) -> dict[int | None, tuple[int, int]]:
    """Transfers of each bundle: how many still need it, and how many are done with it. A failed one needs it, for an
    operator's retry, until all its packages came to an archive another way.
    """
    found: dict[int | None, tuple[int, int]] = {}
    wanted = [pk for pk in bundle_ids if pk is not None]
    on_the_way = RawDataPackage.objects.not_archived().filter(data_transfer_packages=OuterRef("data_transfer_package"))
    rows = DataTransfer._base_manager.filter(data_transfer_package__in=wanted).annotate(needed=Exists(on_the_way))
    for bundle_id, status, unpack_status, needed in rows.values_list(
        "data_transfer_package_id", "status", "unpack_status", "needed"
    ):
        unfinished, finished = found.get(bundle_id, (0, 0))
        has_failed = Status.FAILED in (status, unpack_status)
        is_done = unpack_status == Status.COMPLETED or (has_failed and not needed)
        found[bundle_id] = (unfinished + (not is_done), finished + is_done)
    return found


def _archives_by_site() -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    active = DataLocation.objects.non_polymorphic().active().with_site()
    for location in active.of_type(LocationType.LONG_TERM_ARCHIVE):
        found[location.site_id].append(location.full_name)
    return found
