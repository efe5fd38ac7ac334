"""Walk an archive, and bring each package that it describes into the catalogue.

Each sidecar is one transaction, and what is here already is left as it is: a run that was killed goes on where it was.
Copies come in as unverified, and stage 90 reads them: nothing is deleted on the strength of a document.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.models import record
from ccatdc.common.errors import CcatError, DataIntegrityError, KeyMissingError, RequestError
from ccatdc.common.states import Status
from datamgmt.copies.recording import want_check
from datamgmt.filing.runs import link_inputs
from datamgmt.models import (
    DataLocation,
    DataProduct,
    DiskDataLocation,
    LocationType,
    PhysicalCopy,
    ProcessingRun,
    RawDataFile,
    RawDataPackage,
    RawDataPackageMetadata,
    RawDataPackagePhysicalCopy,
    Site,
)
from datamgmt.packaging.sidecar import SIDECAR_FORMAT, SIDECAR_VERSION, package_id_of
from datamgmt.rebuilding.rows import Rows
from datamgmt.states import PackageState, WantedCheck
from datamgmt.storage import storage_for
from datamgmt.storage.base import LocationStorage, Stored

#: Sidecars that are read at once: over 220 ms one after another would take days for a million.
READ_AT_ONCE: Final = 16
#: Bytes that a sidecar has at most: 10^5 files of 1 KB each.
SIDECAR_MAX_BYTES: Final = 256 * 1024 * 1024
#: What is not said in more lines than these is counted.
MOST_PROBLEMS: Final = 1000


@dataclass
class Rebuilt:
    """What came of it. ``problems`` are keys with what is wrong; ``made`` are the locations that had to be invented."""

    packages: int = 0
    files: int = 0
    copies: int = 0
    rows: int = 0
    known: int = 0
    bad: int = 0
    problems: list[str] = field(default_factory=list)
    made: set[str] = field(default_factory=set)

    def problem(self, key: str, what: str) -> None:
        self.bad += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(f"{key}: {what}")


@dataclass(frozen=True, slots=True)
class _Found:
    """A sidecar as it was read: its document, or what is wrong with it; and what is stored beside it."""

    key: str
    document: dict[str, Any] | None = None
    package: Stored | None = None
    problem: str = ""


def rebuild(location: DataLocation) -> Rebuilt:
    """Bring every package of this archive into the catalogue. Raises RequestError where it is no archive."""
    if location.location_type != LocationType.LONG_TERM_ARCHIVE:
        raise RequestError(
            f"{location.full_name} is no long-term archive: only these have sidecars.",
            code="rebuild.no_archive",
            remedy="Name an archive.",
        )
    storage = storage_for(location)
    storage.check_identity()
    result = Rebuilt()
    with ThreadPoolExecutor(READ_AT_ONCE) as pool:
        keys = (key for key, _ in storage.walk() if key.endswith(".json"))
        while batch := list(islice(keys, 4 * READ_AT_ONCE)):
            known = set(_known(location, batch))
            result.known += len(known)
            wanted = [key for key in batch if key not in known]
            for found in pool.map(lambda key: _read(storage, key), wanted):
                _take(found, location, result)
    _link(result)
    text = f"Rebuilt from {location.full_name}: {result.packages} packages, {result.files} files."
    record("catalogue", text, about=location, known=result.known, bad=result.bad, made=sorted(result.made))
    return result


def _link(result: Rebuilt) -> None:
    """What rows of different sidecars say of each other: what runs read, and which version follows which."""
    for run in ProcessingRun.objects.order_by("pk").iterator():
        if missing := link_inputs(run):
            result.problem(f"run {run.pk}", f"{missing} of its inputs are not in the catalogue")
    DataProduct.objects.order_by().link_versions()


def _known(location: DataLocation, keys: list[str]) -> Iterator[str]:
    """The sidecars whose packages have their copies here."""
    packages = {f"{key.removesuffix('.json')}.tar": key for key in keys}
    here = PhysicalCopy.objects.non_polymorphic().at(location).filter(key__in=packages)
    for key in here.order_by().values_list("key", flat=True):
        yield packages[key]


def _read(storage: LocationStorage, key: str) -> _Found:
    """In a thread: it touches no row."""
    try:
        with storage.open(key) as stream:
            content = stream.read(SIDECAR_MAX_BYTES + 1)
        if package_id_of(content) is None:
            return _Found(key, problem="it is damaged, or no sidecar")
        document: dict[str, Any] = json.loads(content)
        if (document.get("format"), document.get("version")) != (SIDECAR_FORMAT, SIDECAR_VERSION):
            return _Found(key, problem=f"its format is {document.get('format')} {document.get('version')}")
        return _Found(key, document, _beside(storage, key))
    except CcatError as error:
        return _Found(key, problem=f"it cannot be read: {error}")


def _beside(storage: LocationStorage, key: str) -> Stored | None:
    try:
        return storage.stat(f"{key.removesuffix('.json')}.tar")
    except KeyMissingError:
        return None


def _take(found: _Found, location: DataLocation, result: Rebuilt) -> None:
    if found.document is None:
        result.problem(found.key, found.problem)
        return
    try:
        with transaction.atomic():
            _add(found, found.document, location, result)
    except CcatError as error:
        result.problem(found.key, error.message)
    except IntegrityError as error:
        result.problem(found.key, f"the database refuses it: {str(error).partition(chr(10))[0]}")
    except (KeyError, TypeError, ValueError) as error:
        result.problem(found.key, f"it is of another data model: {error!r}")


def _add(found: _Found, document: dict[str, Any], location: DataLocation, result: Rebuilt) -> None:
    rows = Rows(document)
    added = rows.add_all()
    columns = document["package"]
    package = RawDataPackage.objects.filter(pk=columns["id"]).first()
    source = _source(document["source_location"], rows, columns, result)
    is_new = package is None
    if package is None:
        package = _package(columns, document, rows, source)
        files = _files(document["files"], package, rows)
        RawDataPackageMetadata.objects.get_or_create(
            raw_data_package=package, defaults=_metadata(document["metadata"] or {})
        )
    stored = found.package
    if stored is None:
        result.problem(found.key, f"the package {package} that it describes is not beside it")
    elif stored.size != package.size:
        result.problem(found.key, f"{package} has {stored.size} bytes there, not {package.size}")
    elif not PhysicalCopy.objects.of_package(package.pk).at(location).existing().exists():
        copy = RawDataPackagePhysicalCopy.objects.create(
            raw_data_package=package,
            data_location=location,
            key=f"{found.key.removesuffix('.json')}.tar",
            size=stored.size,
            digest=package.digest,
            store_version=stored.version,
        )
        want_check([copy.pk], WantedCheck.READ)
        result.copies += 1
    result.rows += added
    if is_new:
        result.packages += 1
        result.files += len(files)


def _package(columns: dict[str, Any], document: dict[str, Any], rows: Rows, source: DataLocation) -> RawDataPackage:
    """A package whose sidecar was written is whole, and archived since then."""
    if not columns["digest"] or not columns["size"]:
        raise DataIntegrityError("it has no digest or no size of its package", code="rebuild.incomplete")
    times = {name: _time(columns[name]) for name in ("created_at", "finalized_at", "archived_at")}
    package = RawDataPackage.objects.create(
        pk=columns["id"],
        name=columns["name"],
        executed_obs_unit_id=rows.key_of("planning.ExecutedObsUnit", columns["executed_obs_unit_id"]),
        data_stream_id=rows.key_of("observatory.DataStream", columns.get("data_stream_id")),
        processing_run_id=rows.key_of("datamgmt.ProcessingRun", columns.get("processing_run_id")),
        start_time=_time(columns.get("start_time")),
        end_time=_time(columns.get("end_time")),
        instrument_module_id=rows.key_here("observatory.InstrumentModule", columns["instrument_module_id"]),
        source_location=source,
        status=Status.COMPLETED,
        state=PackageState.ARCHIVED,
        size=columns["size"],
        digest=columns["digest"],
        file_count=columns["file_count"],
        is_late=columns["is_late"],
        finalized_at=times["finalized_at"],
        archived_at=times["archived_at"] or _time(document["written_at"]),
    )
    RawDataPackage.objects.filter(pk=package.pk).update(created_at=times["created_at"])
    return package


def _files(entries: list[dict[str, Any]], package: RawDataPackage, rows: Rows) -> list[RawDataFile]:
    """Those that are not here come, and those that were filed but in no package yet (an older backup) get theirs."""
    here = {file.pk: file for file in RawDataFile.objects.filter(pk__in=[entry["id"] for entry in entries])}
    taken = [file.relative_path for file in here.values() if file.raw_data_package_id is not None]
    if taken:
        raise DataIntegrityError(
            f"{len(taken)} of its files are in another package here: {taken[0]}", code="rebuild.files_elsewhere"
        )
    digests = {entry["id"]: entry["digest"] for entry in entries}
    for file in here.values():
        file.raw_data_package, file.digest = package, digests[str(file.pk)]
    RawDataFile.objects.bulk_update(here.values(), ["raw_data_package", "digest"], batch_size=1000)
    files = []
    for entry in entries:
        if UUID(entry["id"]) in here:
            continue
        algorithm, _, checksum = (entry["filed_checksum"] or "").partition(":")
        files.append(
            RawDataFile(
                pk=entry["id"],
                name=entry["relative_path"].rpartition("/")[2],
                relative_path=entry["relative_path"],
                size=entry["size"],
                digest=entry["digest"],
                checksum=checksum,
                checksum_algorithm=algorithm,
                executed_obs_unit_id=package.executed_obs_unit_id,
                data_stream_id=rows.key_of("observatory.DataStream", entry.get("data_stream_id")),
                data_product_id=rows.key_of("datamgmt.DataProduct", entry.get("data_product_id")),
                start_time=_time(entry.get("start_time")),
                end_time=_time(entry.get("end_time")),
                instrument_module_id=package.instrument_module_id,
                raw_data_package=package,
                source_location_id=package.source_location_id,
                file_type=entry["file_type"],
                created_at=_time(entry["created_at"]),
                registered_at=datetime.fromisoformat(entry["registered_at"]),
                description=entry["description"],
                quality=entry["quality"],
                quality_comment=entry["quality_comment"],
            )
        )
    return RawDataFile.objects.bulk_create(files, batch_size=1000)


def _metadata(columns: dict[str, Any]) -> dict[str, Any]:
    left_out = {"id", "raw_data_package_id", "created_at", "updated_at"}
    left_out |= {field.attname for field in RawDataPackageMetadata._meta.concrete_fields if field.generated}
    return {name: value for name, value in columns.items() if name not in left_out}


def _source(full_name: str, rows: Rows, columns: dict[str, Any], result: Rebuilt) -> DataLocation:
    """The SOURCE of a package. One that no row describes is made, switched off: a sidecar has its name only."""
    found: DataLocation | None = DataLocation.objects.named(full_name).first()
    if found is not None:
        return found
    site_name, _, name = full_name.partition("_")
    for site in Site.objects.order_by("-short_name"):
        if full_name.startswith(f"{site.short_name}_"):
            site_name, name = site.short_name, full_name.removeprefix(f"{site.short_name}_")
            break
    site, _ = Site.objects.get_or_create(short_name=site_name, defaults={"name": site_name})
    module = rows.key_here("observatory.InstrumentModule", columns["instrument_module_id"])
    result.made.add(full_name)
    made: DataLocation = DiskDataLocation.objects.create(
        site=site,
        name=name,
        location_type=LocationType.SOURCE,
        instrument_id=_instrument_of(module),
        path="/nowhere",
        active=False,
    )
    return made


def _instrument_of(module: Any) -> Any:
    field_of_package = RawDataPackage._meta.get_field("instrument_module")
    modules: Any = field_of_package.related_model
    return modules.objects.values_list("instrument", flat=True).get(pk=module)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
