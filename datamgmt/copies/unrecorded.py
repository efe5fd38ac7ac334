"""Unrecorded files: what a listing of a store has and the catalogue does not name; what people decide about them.

Rows only. The bytes are listed, adopted and removed by stage 95 (transfer/operations/s95_inventory.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import md5
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import MD5

from accounts.models import User, record
from ccatdc.common.db.notify import notify_managers
from ccatdc.common.errors import ConflictError
from datamgmt.models import (
    DataLocation,
    Decision,
    LocationType,
    PhysicalCopy,
    RawDataFile,
    RawDataPackage,
    UnrecordedFile,
)
from datamgmt.packaging.naming import STAGED_FOLDER
from datamgmt.states import READABLE
from datamgmt.storage.base import Stored
from datamgmt.storage.keys import key_hash, name_of

#: What an archive has beside each package.
_SIDECAR, _PACKAGE = ".json", ".tar"


@dataclass(slots=True)
class Compared:
    """Some stored files, compared with the catalogue: keys of copies that are there as recorded, of those that differ,
    and what no row names.
    """

    as_recorded: list[int] = field(default_factory=list)
    different: list[int] = field(default_factory=list)
    unrecorded: dict[str, Stored] = field(default_factory=dict)


def compare(location: DataLocation, found: Sequence[tuple[str, Stored]]) -> Compared:
    """Which copies these stored files are. Two queries, however many they are.

    At a PROCESSING location a copy is a whole tree, named by its folder; what else is there belongs to scientists and
    is no business of ours.
    """
    result = Compared()
    by_key: dict[str, Stored] = {}
    trees = location.location_type == LocationType.PROCESSING
    for key, stored in found:
        if not trees:
            by_key[key] = stored
        elif (folder := _tree_of(key)) is not None:
            by_key.setdefault(folder, stored)
    known = _copies_at(location, by_key)
    for key, stored in by_key.items():
        copy = known.get(key)
        if copy is None:
            if not _is_sidecar_of_known(key, known):
                result.unrecorded[_printable(key)] = stored
        elif copy.status in READABLE:
            as_recorded = trees or (
                stored.size == copy.size
                and (not copy.store_version or not stored.version or copy.store_version == stored.version)
            )
            (result.as_recorded if as_recorded else result.different).append(copy.pk)
    return result


def _tree_of(key: str) -> str | None:
    folder, _, rest = key.partition("/")
    return f"{folder}/{rest.partition('/')[0]}" if folder == STAGED_FOLDER and rest else None


def _is_sidecar_of_known(key: str, known: Mapping[str, PhysicalCopy]) -> bool:
    return key.endswith(_SIDECAR) and key.removesuffix(_SIDECAR) + _PACKAGE in known


def _copies_at(location: DataLocation, keys: Collection[str]) -> dict[str, PhysicalCopy]:
    """The existing copies that have these keys, or whose sidecars have."""
    usable = [key for key in keys if _is_text(key)]
    asked = {*usable, *(key.removesuffix(_SIDECAR) + _PACKAGE for key in usable if key.endswith(_SIDECAR))}
    here = PhysicalCopy.objects.non_polymorphic().existing().at(location).order_by()
    found = {copy.key: copy for copy in here.filter(key__in=asked).exclude(key="")}
    if location.location_type == LocationType.SOURCE:
        paths = [md5(key.encode(), usedforsecurity=False).hexdigest() for key in usable]
        files = RawDataFile.objects.filter(source_location=location).alias(digest_of_path=MD5("relative_path"))
        with_file = here.filter(raw_data_file__in=files.filter(digest_of_path__in=paths))
        found |= {copy.location_key: copy for copy in with_file.select_related("raw_data_file")}
    return found


def _is_text(key: str) -> bool:
    return "\0" not in key and key == _printable(key)


def _printable(key: str) -> str:
    """A key as a column can hold it: bytes that are not UTF-8 are escaped."""
    return key.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def note_unrecorded(location: DataLocation, files: Mapping[str, Stored], now: datetime) -> None:
    """One row each, new or seen again. What changed since is found anew: somebody is writing it."""
    names = {key: name_of(key) for key in files}
    packages = dict(RawDataPackage.objects.filter(name__in=set(names.values()) - {""}).values_list("name", "pk"))
    hashes = {key_hash(key): key for key in files}
    rows = {row.key_hash: row for row in UnrecordedFile.objects.at(location).filter(key_hash__in=hashes)}
    new = []
    for digest, key in hashes.items():
        stored, row = files[key], rows.get(digest)
        if row is None:
            new.append(
                UnrecordedFile(
                    location=location,
                    key=key,
                    key_hash=digest,
                    size=stored.size,
                    store_version=stored.version,
                    modified_at=stored.modified_at,
                    raw_data_package_id=packages.get(names[key]),
                    found_at=now,
                    seen_at=now,
                )
            )
        else:
            if (row.size, row.store_version, row.modified_at) != (stored.size, stored.version, stored.modified_at):
                row.found_at, row.decision, row.error_message = now, "", ""
            row.seen_at, row.size, row.store_version = now, stored.size, stored.version
            row.modified_at = stored.modified_at
    UnrecordedFile.objects.bulk_create(new, ignore_conflicts=True)
    changed = ["found_at", "seen_at", "size", "store_version", "modified_at", "decision", "error_message"]
    UnrecordedFile.objects.bulk_update(rows.values(), changed)


def decide(file: UnrecordedFile, decision: str, user: User) -> None:
    """What a person wants done with an unrecorded file. Keeping is done with that; the worker of its location does the
    rest. Permission is the caller's business.

    Raises ConflictError for what cannot be done: nothing is adopted that belongs to no package of ours, nothing is
    removed from a SOURCE.
    """
    if decision == Decision.ADOPT and not can_be_adopted(file):
        raise ConflictError(
            f"{file.key} has not the name of a package, or not its size.",
            code="unrecorded.no_package",
            remedy="Remove it, or keep it where it is.",
        )
    if decision == Decision.REMOVE and file.location.location_type == LocationType.SOURCE:
        raise ConflictError(
            f"{file.key} lies at a SOURCE: what an instrument wrote and nobody filed is never removed from here.",
            code="unrecorded.at_source",
            remedy="File it, or have the instrument remove it.",
        )
    with transaction.atomic():
        rows = UnrecordedFile.objects.filter(pk=file.pk)
        rows.update(decision=decision, decided_by=user, error_message="")
        words = str(Decision(decision).label)
        record("unrecorded files", f"{words}: {file}.", about=file, user=user, size=file.size)
        notify_managers()


def can_be_adopted(file: UnrecordedFile) -> bool:
    """Whether it may be a whole package of ours: only reading it tells."""
    package = file.raw_data_package
    return (
        package is not None
        and bool(package.digest)
        and package.size == file.size
        and file.key.endswith(_PACKAGE)
        and file.location.location_type in (LocationType.BUFFER, LocationType.LONG_TERM_ARCHIVE)
    )


def is_recorded(file: UnrecordedFile) -> bool:
    """Whether a row names it by now: then it is a copy, or the sidecar of one."""
    named = Q(key=file.key)
    if file.key.endswith(_SIDECAR):
        named |= Q(key=file.key.removesuffix(_SIDECAR) + _PACKAGE)
    here = PhysicalCopy.objects.non_polymorphic().existing().filter(data_location=file.location_id)
    return bool(here.filter(named).exists())


def forget(file: Any) -> None:
    """It is recorded or gone."""
    UnrecordedFile.objects.filter(pk=file.pk).delete()
