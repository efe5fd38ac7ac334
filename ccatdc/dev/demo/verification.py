"""Is it true? What the demo checks for itself at the end, on the disks, without trusting a row.

The digests were taken when the files were written. Compared with them: every staged file, every member of every
archived tar as Python's ``tarfile`` reads it, and the sidecars. And looked for: anything that should be gone from
SOURCE and BUFFER.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import UUID

from ccatdc.common.errors import CcatError
from ccatdc.dev.demo.filing import Observation
from ccatdc.dev.demo.home import Home
from datamgmt.checksums import digest_stream
from datamgmt.models import DiskDataLocation, LocationType, PhysicalCopy, RawDataPackage, S3DataLocation
from datamgmt.packaging.naming import sidecar_key
from datamgmt.storage.disk.paths import open_regular, opened_folder, opened_root
from datamgmt.storage.keys import RESERVED


@dataclass(frozen=True, slots=True)
class Expected:
    """A file as it was written."""

    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class ArchivedPackage:
    """Where a package's object should be: a plain file below the S3 server's folder."""

    name: str
    bucket: Path
    key: str
    sidecar_key: str
    files: frozenset[str]


@dataclass(frozen=True, slots=True)
class StoredPackage:
    """A package, its files by path, its bundles, and where its archive copies and staged tree should be."""

    id: UUID
    name: str
    files: frozenset[str]
    bundles: frozenset[str]
    copies: tuple[Mapping[str, str], ...]

    def staged_folder(self, home: Home, job: int) -> Path:
        """Where a scientist finds it, as documented."""
        return home.disk("cologne", "ramses_processing") / "jobs" / str(job) / self.name

    def archived(self, home: Home) -> list[ArchivedPackage]:
        """Where the S3 server has its objects on disk."""
        return [
            ArchivedPackage(self.name, home.s3 / copy["bucket"], copy["key"], sidecar_key(copy["key"]), self.files)
            for copy in self.copies
        ]


def stored_packages(executions: Sequence[UUID]) -> list[StoredPackage]:
    """The packages of these executions, oldest first."""
    rows = RawDataPackage.objects.filter(executed_obs_unit__in=executions).oldest_first()
    return [stored(package) for package in rows.prefetch_related("raw_data_files", "data_transfer_packages")]


def stored(package: RawDataPackage) -> StoredPackage:
    """One package, as the catalogue has it."""
    return StoredPackage(
        id=package.pk,
        name=package.name,
        files=frozenset(file.relative_path for file in package.raw_data_files.all()),
        bundles=frozenset(bundle.name for bundle in package.data_transfer_packages.all()),
        copies=tuple(_archive_copies(package)),
    )


def _archive_copies(package: RawDataPackage) -> Iterable[Mapping[str, str]]:
    copies = PhysicalCopy.objects.of_package(package.pk).in_archives().readable().with_subjects()
    for copy in copies.order_by("data_location__priority", "id"):
        place = copy.data_location
        if isinstance(place, S3DataLocation):
            prefix = f"{place.prefix.strip('/')}/" if place.prefix else ""
            yield {"location": place.full_name, "bucket": place.bucket_name, "key": prefix + copy.key}


class Findings:
    """What was looked at, and everything that is wrong."""

    def __init__(self) -> None:
        self.checked: Counter[str] = Counter()
        self.wrong: list[str] = []

    def require(self, kind: str, what: str, fault: str) -> None:
        """Count one check of a kind; ``fault`` is empty when all is well."""
        self.checked[kind] += 1
        if fault:
            self.wrong.append(f"{what}: {fault}")


def check_night(
    home: Home, observations: Sequence[Observation], packages: Sequence[StoredPackage], job: int
) -> Findings:
    """Everything that the demo promises of a night."""
    findings = Findings()
    written = {f.relative_path: Expected(f.size, f.digest) for each in observations for f in each.files}
    for path in sorted(written.keys() - {path for package in packages for path in package.files}):
        findings.require("filed files", path, "is in no package")
    for package in packages:
        folder = package.staged_folder(home, job)
        try:
            check_staged(folder, {path: written[path] for path in package.files}, findings, package.name)
        except (OSError, CcatError) as error:
            findings.require("staged files", str(folder), f"cannot be read: {error}")
        for archived in package.archived(home):
            check_archived(archived, written, findings)
        if not package.copies:
            findings.require("archived files", package.name, "is in no archive")
    names = {name for package in packages for name in (package.name, *package.bundles)}
    for location in DiskDataLocation.objects.active().with_site():
        if location.location_type == LocationType.SOURCE:
            for prefix in {path.partition("/")[0] for path in written}:
                check_gone(Path(location.path), prefix, findings)
        elif location.location_type == LocationType.BUFFER:
            check_nothing_named(Path(location.path), names, findings)
    return findings


def check_earlier(home: Home, executions: Sequence[UUID], findings: Findings, *, run: UUID | None = None) -> None:
    """The archived packages of earlier nights: every object is the one that was archived, and its sidecar names its
    files. Left out is what tonight's executions and ``run`` made.
    """
    earlier = RawDataPackage.objects.archived().exclude(executed_obs_unit__in=executions)
    for package in earlier.exclude(processing_run__isnull=False, processing_run=run).oldest_first():
        files = frozenset(package.raw_data_files.values_list("relative_path", flat=True))
        copies = tuple(_archive_copies(package))
        if not copies:
            findings.require("earlier packages", package.name, "is in no archive")
        for copy in copies:
            archived = ArchivedPackage(
                package.name, home.s3 / copy["bucket"], copy["key"], sidecar_key(copy["key"]), files
            )
            findings.require("earlier packages", f"{copy['bucket']}/{copy['key']}", _object(archived, package))
            findings.require("earlier sidecars", f"{copy['bucket']}/{archived.sidecar_key}", _sidecar(archived))


def _object(archived: ArchivedPackage, package: RawDataPackage) -> str:
    try:
        with (archived.bucket / archived.key).open("rb") as stream:
            return _fault(stream, Expected(package.size or 0, package.digest))
    except OSError as error:
        return f"cannot be read: {error}"


def check_staged(folder: Path, expected: Mapping[str, Expected], findings: Findings, package: str) -> None:
    """The staged tree of one package holds exactly its files, byte for byte."""
    with opened_root(str(folder)) as root:
        found = set(_files_below(root))
        for path in sorted(expected):
            *folders, name = path.split("/")
            fault = "it is not there"
            if path in found:
                with opened_folder(root, folders) as at, os.fdopen(open_regular(at, name), "rb", 0) as stream:
                    fault = _fault(stream, expected[path])
            findings.require("staged files", f"staged {path}", fault)
        for path in sorted(found - expected.keys()):
            findings.require("staged files", f"staged {path}", f"is no file of {package}")


def check_archived(package: ArchivedPackage, expected: Mapping[str, Expected], findings: Findings) -> None:
    """The object is a tar that holds exactly the package's files, and its sidecar names them."""
    what = f"{package.bucket.name}/{package.key}"
    try:
        with tarfile.open(package.bucket / package.key, "r:") as tar:
            members: set[str] = set()
            for member in tar:
                if member.isdir():
                    continue
                members.add(member.name)
                stream = tar.extractfile(member) if member.isreg() else None
                if member.name not in package.files or stream is None:
                    fault = "is no file of this package"
                else:
                    fault = _fault(cast(BinaryIO, stream), expected[member.name])
                findings.require("archived files", f"{what}, {member.name}", fault)
        for path in sorted(package.files - members):
            findings.require("archived files", f"{what}, {path}", "it is not in the tar")
    except (OSError, tarfile.TarError) as error:
        findings.require("archived files", what, f"cannot be read: {error}")
    findings.require("sidecars", f"{package.bucket.name}/{package.sidecar_key}", _sidecar(package))


def check_gone(root: Path, prefix: str, findings: Findings) -> None:
    """Nothing of the run is left at a SOURCE, neither in its folder nor on its way out."""
    folder = root / prefix
    left: list[str] = []
    if folder.is_dir():
        with opened_root(str(folder)) as opened:
            left = sorted(_files_below(opened))
    findings.require("cleaned places", str(folder), _left(left))


def check_nothing_named(root: Path, names: Iterable[str], findings: Findings) -> None:
    """No file in a BUFFER belongs to one of these packages or bundles."""
    wanted = tuple(names)
    with opened_root(str(root)) as opened:
        left = [path for path in _files_below(opened) if path.rpartition("/")[2].startswith(wanted)]
    findings.require("cleaned places", str(root), _left(left))


def _left(files: Sequence[str]) -> str:
    return f"{len(files)} files are left, such as {files[0]!r}" if files else ""


def _fault(stream: BinaryIO, expected: Expected) -> str:
    size, digest = digest_stream(stream)
    if size != expected.size:
        return f"has {size} bytes, {expected.size} were written"
    return "" if digest == expected.digest else "its bytes differ from those written"


def _sidecar(package: ArchivedPackage) -> str:
    try:
        document: Any = json.loads((package.bucket / package.sidecar_key).read_bytes())
        names = {file["relative_path"] for file in document["files"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"cannot be read: {error!r}"
    return "" if names == package.files else "does not name the files of its package"


def _files_below(root: int) -> Iterable[str]:
    """Paths of everything below an open folder that is no folder, without the storage's own."""
    pending: list[str] = [""]
    while pending:
        folder = pending.pop()
        with opened_folder(root, folder.split("/") if folder else []) as at, os.scandir(at) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if not entry.is_dir(follow_symlinks=False):
                    yield path
                elif path != RESERVED:
                    pending.append(path)
