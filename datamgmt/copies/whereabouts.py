"""Where is it? Every copy of a file or package with its path, for pages, the API and people.

A raw file has a copy row at SOURCE only; elsewhere it is where its package is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone

from ccatdc.common.units import duration_text
from datamgmt.models import DataLocation, LocationType, PhysicalCopy, RawDataFile, RawDataPackage
from datamgmt.states import READABLE, USABLE, PhysicalCopyStatus


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """One copy: what is there, and how to get at it.

    ``member`` is the file's name inside the tar at ``path``; empty where the file itself is there.
    """

    copy: PhysicalCopy
    path: str
    via: str
    member: str = ""

    @property
    def exists(self) -> bool:
        return self.copy.status != PhysicalCopyStatus.DELETED

    @property
    def is_usable(self) -> bool:
        """It can be read, and nothing is said against it."""
        return self.copy.status in READABLE and self.copy.integrity in USABLE

    @property
    def in_archive(self) -> bool:
        return self.copy.data_location.location_type == LocationType.LONG_TERM_ARCHIVE


def where_now(file: RawDataFile, copies: list[Whereabouts]) -> tuple[str, str]:
    """Where the bytes of a file can be read now, in one sentence, with how serious that is. A file whose copy at SOURCE
    was deleted is in its package: that is said, and by which archive copies.
    """
    good = [each for each in copies if each.exists and each.is_usable]
    if not good:
        return (
            "danger",
            "No copy of it is known that can be read and that nothing is said against. Its package tells more.",
        )
    archived = [each for each in good if each.in_archive]
    others = ", ".join(each.copy.data_location.full_name for each in good if not each.in_archive)
    package = file.raw_data_package
    if package is None:
        return "info", f"At {others}, where it was written. It is in no package yet."
    if not archived:
        return (
            "info",
            f"At {others}. Its package {package.name} is not in an archive yet ({package.get_state_display()}).",
        )
    places = ", ".join(f"{each.copy.data_location.full_name} ({_verified(each.copy)})" for each in archived)
    said = f"In its package {package.name}, archived at {places}."
    return "success", f"{said} Also at {others}." if others else said


def _verified(copy: PhysicalCopy) -> str:
    if copy.verified_at is None:
        return "not verified"
    return f"verified {duration_text(timezone.now() - copy.verified_at)} ago"


def copies_of_package(package: RawDataPackage) -> list[Whereabouts]:
    """All copies of a package, the deleted ones too: the rows are the audit trail."""
    copies = PhysicalCopy.objects.non_polymorphic().of_package(package.pk).order_by("id")
    return [Whereabouts(copy, copy.full_path, "package") for copy in _with_locations(copies)]


def copies_of_file(file: RawDataFile) -> list[Whereabouts]:
    """All copies of a file: its own at SOURCE, then those of its package."""
    own = PhysicalCopy.objects.non_polymorphic().filter(raw_data_file=file).order_by("id")
    packages = PhysicalCopy.objects.non_polymorphic().of_package(file.raw_data_package_id).order_by("id")
    copies = _with_locations([*own, *(packages if file.raw_data_package_id is not None else [])])
    return [_of_file(file, copy) for copy in copies]


def _of_file(file: RawDataFile, copy: PhysicalCopy) -> Whereabouts:
    """A copy of a file or of its package, as a place of the file."""
    if copy.raw_data_file_id is not None:
        copy.raw_data_file = file
        return Whereabouts(copy, copy.full_path, "file")
    if copy.status == PhysicalCopyStatus.STAGED:  # unpacked: the tree lies below the path
        return Whereabouts(copy, f"{copy.full_path}/{file.relative_path}", "package")
    return Whereabouts(copy, copy.full_path, "package", file.relative_path)


def _with_locations(copies: Iterable[PhysicalCopy]) -> list[PhysicalCopy]:
    """The copies with their locations as what they are: a path needs the bucket or the folder."""
    rows = list(copies)
    ids = {row.data_location_id for row in rows}
    locations = {row.pk: row for row in DataLocation.objects.with_site().filter(pk__in=ids)}
    for row in rows:
        row.data_location = locations[row.data_location_id]
    return rows
