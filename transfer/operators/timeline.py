"""Where a package is and how it came there: its copies and operations in one order of time. Read by people, written by
nobody.

Follows the whole flow, stage 10 to 70. Source: the pages of the observatory's data center documentation (package
detail), and what users of comparable systems miss most: to see what happened to one thing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models.functions import Coalesce
from django.urls import reverse

from ccatdc.common.admin.badges import state_badge
from ccatdc.common.states import STATUS_COLOURS
from ccatdc.common.units import NOTHING, duration_text, rate_text
from datamgmt.models import DataLocation, LocationType, PhysicalCopy, RawDataPackage
from datamgmt.states import COPY_COLOURS, INTEGRITY_COLOURS, READABLE, USABLE, PhysicalCopyStatus
from transfer.models import Operation
from transfer.operators.actions import operations_about
from transfer.operators.wait_reasons import why_waiting

#: Where the kinds of work that move something have it from, and where it goes.
_ENDS: Final = {
    "comes_from": Coalesce(
        "datatransfer__origin_location", "longtermarchivetransfer__origin_location", "staging__origin_location"
    ),
    "comes_to": Coalesce(
        "rawdatapackagecreation__destination_location",
        "datatransfer__destination_location",
        "longtermarchivetransfer__destination_location",
    ),
}


@dataclass(frozen=True, slots=True)
class Event:
    """One line: what began when, where, how it ended. ``app``, ``model`` and ``key`` name the page with all details."""

    at: datetime
    what: str
    where: str
    badges: tuple[str, ...]
    app: str
    model: str
    key: Any
    size: int | None = None
    digest: str = ""
    path: str = ""
    took: str = ""
    note: str = ""
    error_code: str = ""

    @property
    def url(self) -> str:
        """The portal's page with all details."""
        return reverse(f"admin:{self.app}_{self.model}_change", args=[self.key])


@dataclass(frozen=True, slots=True)
class Replica:
    """What an archive has of a package, beside what is wanted: a good copy in each archive that is in use.

    ``colour`` is that of a badge.
    """

    archive: DataLocation
    word: str
    colour: str
    verified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """``now``: the copies that exist; ``replicas``: what archives have and should have; ``events``: everything that
    happened, the oldest first.
    """

    now: list[PhysicalCopy]
    replicas: list[Replica]
    events: list[Event]

    @property
    def good_replicas(self) -> int:
        return sum(replica.colour == "success" for replica in self.replicas)

    @property
    def wanted_replicas(self) -> int:
        return sum(replica.colour != "default" for replica in self.replicas)


def timeline_of(package: RawDataPackage) -> Timeline:
    """All about one package. A dozen queries, however long its history is."""
    # As their own kind, which alone knows a full path; each location once.
    places = {place.pk: place for place in DataLocation.objects.prefetch_related("site")}
    copies = list(package.copies.non_polymorphic().order_by("created_at", "pk"))
    for copy in copies:
        copy.data_location, copy.raw_data_package = places[copy.data_location_id], package
    operations = list(operations_about(package).annotate(**_ENDS).order_by("created_at", "pk"))
    for operation in operations:
        operation.location = places[operation.location_id]
    names = {place.pk: place.full_name for place in places.values()}
    events = [*_of_operations(operations, names), *_of_copies(copies)]
    existing = [copy for copy in copies if copy.status != PhysicalCopyStatus.DELETED]
    return Timeline(existing, _replicas(places.values(), existing), sorted(events, key=lambda event: event.at))


def _replicas(places: Iterable[DataLocation], existing: list[PhysicalCopy]) -> list[Replica]:
    """One for each archive in use (transfer/managers/s50_archive.py fills it), and for each other that has a copy."""
    copies = {copy.data_location_id: copy for copy in existing}
    archives = [place for place in places if place.location_type == LocationType.LONG_TERM_ARCHIVE]
    in_use = [place for place in archives if not place.why_off or place.pk in copies]
    return [_replica(place, copies.get(place.pk)) for place in sorted(in_use, key=lambda place: place.full_name)]


def _replica(archive: DataLocation, copy: PhysicalCopy | None) -> Replica:
    if copy is None:
        return Replica(archive, "Not yet", "warning")
    if copy.status not in READABLE or copy.integrity not in USABLE:
        return Replica(archive, str(copy.get_integrity_display()), "danger", copy.verified_at)
    if archive.why_off:
        return Replica(archive, "Archive is off", "default", copy.verified_at)
    return Replica(archive, "Good", "success", copy.verified_at)


def _of_operations(operations: list[Operation], names: dict[int, str]) -> Iterable[Event]:
    reasons = why_waiting(operations)
    for operation in operations:
        seconds = (
            (operation.finished_at - operation.started_at).total_seconds()
            if operation.finished_at and operation.started_at
            else None
        )
        rate = rate_text(operation.progress_bytes, seconds)
        took = duration_text(seconds) if seconds is not None else ""
        yield Event(
            at=operation.started_at or operation.created_at,
            what=operation.get_operation_type_display(),
            where=_way(operation, names),
            badges=(state_badge(operation.status, operation.get_status_display(), STATUS_COLOURS),),
            app="transfer",
            model="operation",
            key=operation.pk,
            size=operation.total_bytes,
            took=f"{took}, {rate}" if took and rate != NOTHING else took,
            note=operation.error_message or reasons.get(operation.pk, ""),
            error_code=operation.error_code,
        )


def _way(operation: Operation, names: dict[int, str]) -> str:
    """Where it works, and from where to where it moves something."""
    destination = vars(operation)["comes_to"] or operation.location_id
    start = vars(operation)["comes_from"] or operation.location_id
    if start == destination:
        return names[destination]
    return f"{names[start]} → {names[destination]}"


def _of_copies(copies: list[PhysicalCopy]) -> Iterable[Event]:
    for copy in copies:
        about: dict[str, Any] = {
            "where": str(copy.data_location),
            "app": "datamgmt",
            "model": "physicalcopy",
            "key": copy.pk,
            "size": copy.size,
            "digest": copy.digest,
            "path": copy.full_path,
        }
        yield Event(
            at=copy.created_at,
            what="Copy written",
            badges=(
                state_badge(copy.status, copy.get_status_display(), COPY_COLOURS),
                state_badge(copy.integrity, copy.get_integrity_display(), INTEGRITY_COLOURS),
            ),
            note=copy.error_message,
            error_code=copy.error_code,
            **about,
        )
        if copy.deleted_at is not None:
            yield Event(
                at=copy.deleted_at,
                what="Copy deleted",
                badges=(state_badge("deleted", "Deleted", COPY_COLOURS),),
                note=_evidence(copy),
                **about,
            )


def _evidence(copy: PhysicalCopy) -> str:
    """The proof that was stored with a deletion (transfer/operations/s70_delete.py)."""
    proofs = (copy.evidence or {}).get("archive_copies", [])
    places = [str(proof["location"]) for proof in proofs]
    return f"Because verified copies exist at {', '.join(places)}." if places else ""
