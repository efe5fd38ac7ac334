"""Several files as one tar: a manifest with their digests, then the files, each below the name of its package.

The manifest, ``MANIFEST.b3``, comes first and is what ``b3sum --check`` reads: a BLAKE3 digest and a path on each line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from accounts.models import User
from ccatdc.common.errors import RequestError
from ccatdc.common.visibility import visible
from datamgmt.models import RawDataFile, RawDataPackage
from datamgmt.packaging.tarballs import tar_size
from datamgmt.packaging.tarballs.headers import closed_size, member_header, padded
from datamgmt.states import PackageState
from planning.models import ExecutedObsUnit
from transfer.downloads.reading import Member, Origin, located, whole_members

MANIFEST: Final = "MANIFEST.b3"
#: Files and packages of one stream; ids that one request names.
MAX_FILES: Final = 10_000
MAX_PACKAGES: Final = 200
MAX_NAMED: Final = 1000
NS_PER_SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Selection:
    """Files of archived packages, with these, in the order of packages and paths."""

    files: Sequence[RawDataFile]

    def __post_init__(self) -> None:
        if not self.files:
            raise RequestError("There is no archived file in it that you may see.", code="download.nothing")
        packages = {file.raw_data_package_id for file in self.files}
        if len(self.files) > MAX_FILES or len(packages) > MAX_PACKAGES:
            raise RequestError(
                f"More than {MAX_FILES} files or {MAX_PACKAGES} packages are too many for one stream.",
                code="download.too_many_files",
                remedy="Ask for less at a time, or stage it.",
            )

    @property
    def manifest(self) -> bytes:
        """A line for each file; a backslash and a newline are written as ``b3sum`` writes them."""
        return "".join(_line(file.digest, _name_of(file)) for file in self.files).encode()

    @property
    def size(self) -> int:
        """Bytes of the tar."""
        files = ((_name_of(file), file.size) for file in self.files)
        return tar_size([(MANIFEST, len(self.manifest)), *files])

    def blocks(self) -> Iterator[bytes]:
        """The tar. A copy of each package is looked for before the first byte; all bytes are verified while they pass."""
        groups = [list(group) for _, group in groupby(self.files, attrgetter("raw_data_package"))]
        origins = [located(_package_of(group[0]), group) for group in groups]
        return self._written(origins)

    def _written(self, origins: Sequence[tuple[Origin, Sequence[Member]]]) -> Iterator[bytes]:
        manifest = self.manifest
        yield _padded(member_header(MANIFEST, len(manifest)) + manifest)
        for origin, members in origins:
            for file, mtime, blocks in whole_members(origin, members):
                yield member_header(_name_of(file), file.size, mtime * NS_PER_SECOND)
                yield from blocks
                yield bytes(padded(file.size) - file.size)
        files = ((_name_of(file), file.size) for file in self.files)
        members_size = sum(len(member_header(name, size)) + padded(size) for name, size in files)
        begun = len(_padded(member_header(MANIFEST, len(manifest)) + manifest)) + members_size
        yield bytes(closed_size(begun) - begun)


def select(
    user: User, *, files: Collection[UUID] = (), packages: Collection[UUID] = (), executions: Collection[UUID] = ()
) -> Selection:
    """Archived files that the person may see: those named, and all of these packages and observations.

    RequestError for ids that name nothing that they may see. Files that are in no archived package yet are left out of
    observations, and refused by name.
    """
    found: dict[UUID, RawDataFile] = {}
    for rows in (
        _named(RawDataFile.objects.filter(pk__in=files), files, user),
        *_of_packages(packages, user),
        *_of_executions(executions, user),
    ):
        archived = rows.filter(raw_data_package__state=PackageState.ARCHIVED).select_related("raw_data_package")
        found.update((row.pk, row) for row in archived[: MAX_FILES + 1])
    missing = set(files) - set(found)
    if missing:
        raise RequestError(f"Not archived yet: {_some(missing)}.", code="download.not_archived")
    return Selection(sorted(found.values(), key=lambda row: (str(row.raw_data_package), row.relative_path)))


def _of_packages(packages: Collection[UUID], user: User) -> Iterator[Any]:
    known = _named(RawDataPackage.objects.filter(pk__in=packages), packages, user)
    if packages:
        yield visible(RawDataFile.objects.filter(raw_data_package__in=known.values("pk")), user)


def _of_executions(executions: Collection[UUID], user: User) -> Iterator[Any]:
    rows = ExecutedObsUnit.objects.filter(pk__in=executions).select_related("obs_unit__obs_mode")
    for row in _named(rows, executions, user):
        yield visible(RawDataFile.objects.belonging_to(row), user)


def _named(rows: Any, ids: Collection[UUID], user: User) -> Any:
    """What has these ids, all of it. RequestError for what does not exist for the person."""
    if len(ids) > MAX_NAMED:
        raise RequestError(f"At most {MAX_NAMED} ids in one request.", code="download.too_many_files")
    seen = visible(rows, user).order_by("pk")
    missing = set(ids) - set(seen.values_list("pk", flat=True))
    if missing:
        raise RequestError(f"There is no {rows.model._meta.verbose_name} {_some(missing)}.", code="download.unknown")
    return seen


def _some(ids: Collection[UUID]) -> str:
    named = sorted(map(str, ids))
    return ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")


def _name_of(file: RawDataFile) -> str:
    return f"{_package_of(file).name}/{file.relative_path}"


def _package_of(file: RawDataFile) -> RawDataPackage:
    package = file.raw_data_package
    assert package is not None, "only archived files are selected"  # noqa: S101
    return package


def _line(digest: str, name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n")
    mark = "\\" if escaped != name else ""
    return f"{mark}{digest.partition(':')[2]}  {escaped}\n"


def _padded(data: bytes) -> bytes:
    return data + bytes(padded(len(data)) - len(data))
