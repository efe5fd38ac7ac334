"""Bytes of archived packages for downloads: whole tars, single members by their place, verified against their BLAKE3.

A copy that cannot be read from this host is passed over for the next one; one that has other bytes than were recorded
is reported, as by the operations (transfer/routing/sources.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby
from typing import BinaryIO, Final, TypeVar, cast

from ccatdc.common.db.notify import notify_managers
from ccatdc.common.errors import ConfigurationError, DataIntegrityError, ExternalError
from datamgmt.checksums import Digest
from datamgmt.copies.recording import want_check
from datamgmt.models import PhysicalCopy, RawDataFile, RawDataPackage
from datamgmt.packaging.tarballs.places import Place, places
from datamgmt.packaging.tarballs.reading import Entry, TarStream, entries
from datamgmt.states import WantedCheck
from datamgmt.storage import storage_for
from datamgmt.storage.base import LocationStorage
from transfer.models import CircuitBreaker
from transfer.models.health import BreakerScope
from transfer.routing.routes import archive_copies
from transfer.routing.sources import OriginDiffersError, OriginError, look_at, note_bad, open_range_at

#: Bytes that are sent at a time. The last ones are held back until the digest is known to be right.
BLOCK_BYTES: Final = 256 * 1024

T = TypeVar("T")


class UnreachableError(ExternalError):
    """No archive copy can be read from this host now."""

    default_code = "download.unreachable"
    http_status = HTTPStatus.SERVICE_UNAVAILABLE


class MemberNotFoundError(DataIntegrityError):
    """The file does not stand where it should be in the package."""

    default_code = "download.member_not_found"


@dataclass(frozen=True, slots=True)
class Origin:
    """A copy to read from."""

    copy: PhysicalCopy
    storage: LocationStorage

    def open(self, start: int, length: int) -> BinaryIO:
        """So many of its bytes."""
        return open_range_at(self.storage, self.copy.key, str(self.copy), start, length)


@dataclass(frozen=True, slots=True)
class Member:
    """A file and its place in the tar of a package."""

    file: RawDataFile
    place: Place


def copies_to_read(package: RawDataPackage) -> list[PhysicalCopy]:
    """Those in archives that answer as far as is known, the surest first."""
    held = CircuitBreaker.objects.blocking().filter(scope=BreakerScope.LOCATION).values("location")
    return list(archive_copies(package.pk).exclude(data_location__in=held))


def first_readable(
    package: RawDataPackage, read: Callable[[Origin], T], copies: Sequence[PhysicalCopy] | None = None
) -> T:
    """What ``read`` gives for the first archive copy (of these) that can be read from here. UnreachableError when none
    can.
    """
    why = "it has no good copy in an active archive that answers"
    for copy in copies_to_read(package) if copies is None else copies:
        try:
            origin = Origin(copy, storage_for(copy.data_location))
            look_at(copy, origin.storage)
            return read(origin)
        except OriginError as error:
            if not error.may_pass:
                note_bad(copy, error)
            why = f"{copy.data_location}: {error.code}"
        except (ExternalError, ConfigurationError, MemberNotFoundError) as error:
            why = f"{copy.data_location}: {error.code}"
    raise UnreachableError(f"{package} cannot be read from here now ({why}).", remedy="Try again later, or stage it.")


def whole_package(package: RawDataPackage) -> Iterator[bytes]:
    """All bytes of its tar, verified."""
    size, digest = _size_of(package), package.digest

    def read(origin: Origin) -> Iterator[bytes]:
        return _verified_stream(origin, origin.open(0, size), digest)

    return first_readable(package, read)


def part_of_package(package: RawDataPackage, first: int, length: int) -> Iterator[bytes]:
    """Bytes of its tar from ``first`` on. Part of a whole cannot be verified: who has the whole compares its digest."""
    return first_readable(package, lambda origin: _plain_stream(origin.open(first, length)))


def located(
    package: RawDataPackage, files: Sequence[RawDataFile], copies: Sequence[PhysicalCopy] | None = None
) -> tuple[Origin, list[Member]]:
    """These files of one package, in its order, and a copy (of these) to read them from."""

    def read(origin: Origin) -> tuple[Origin, list[Member]]:
        found = _layout(package, origin, files[-1])
        members = [Member(file, found[file.relative_path]) for file in files]
        return origin, sorted(members, key=lambda member: member.place.start)

    return first_readable(package, read, copies)


def part_of_file(file: RawDataFile, first: int, length: int) -> Iterator[bytes]:
    """Bytes of one file from ``first`` on, not verified."""
    origin, (member,) = located(_package_of(file), [file])
    return _plain_stream(origin.open(member.place.data + first, length))


def whole_file(file: RawDataFile) -> Iterator[bytes]:
    """All bytes of one file, verified."""
    origin, members = located(_package_of(file), [file])
    return (block for _, _, blocks in whole_members(origin, members) for block in blocks)


def whole_members(origin: Origin, members: Sequence[Member]) -> Iterator[tuple[RawDataFile, int, Iterator[bytes]]]:
    """Each file, its time as the tar has it (seconds), and its verified bytes, which are read before the next one is
    asked for. Members that stand side by side are read with one request.
    """
    for run in _runs(members):
        start, last = run[0].place.start, run[-1].place
        with closing(origin.open(start, last.data + last.size - start)) as stream:
            # The run first: an entry is only looked for when there is one more.
            for member, entry in zip(run, entries(TarStream(stream)), strict=False):
                if not _is(entry, member.place):
                    raise _reported(origin, f"{entry.name} stands where {member.place.name} was packed")
                blocks = _verified(_blocks(cast("BinaryIO", entry)), origin, member.file.digest)
                yield member.file, entry.mtime, blocks


def _runs(members: Iterable[Member]) -> Iterator[list[Member]]:
    """Members that follow each other without a gap."""
    end = [-1, 0]

    def number(member: Member) -> int:
        end[1] += member.place.start != end[0]
        end[0] = member.place.end
        return end[1]

    for _, run in groupby(members, number):
        yield list(run)


def _layout(package: RawDataPackage, origin: Origin, wanted: RawDataFile) -> dict[str, Place]:
    """The places of all members, in the order in which the header of one of them stands where it should be."""
    rows = package.raw_data_files.order_by("relative_path").values_list("relative_path", "size")
    # By code points; packages that were made before that was so: as the database sorts.
    for order in (sorted(rows), list(rows)):
        found = {place.name: place for place in places(order)}
        if _stands_there(origin, found[wanted.relative_path]):
            return found
    want_check([origin.copy.pk], WantedCheck.READ)
    notify_managers()
    raise MemberNotFoundError(
        f"{wanted} does not stand where it should be in {package}.",
        remedy="Download or stage the whole package; the copy is read again.",
    )


def _stands_there(origin: Origin, place: Place) -> bool:
    with closing(origin.open(place.start, place.header)) as stream:
        try:
            entry = next(entries(TarStream(stream)), None)
        except DataIntegrityError:
            return False
    return entry is not None and _is(entry, place)


def _is(entry: Entry, place: Place) -> bool:
    return (entry.name, entry.size) == (place.name, place.size)


def _plain_stream(stream: BinaryIO) -> Iterator[bytes]:
    with closing(stream):
        yield from _blocks(stream)


def _verified_stream(origin: Origin, stream: BinaryIO, digest: str) -> Iterator[bytes]:
    with closing(stream):
        yield from _verified(_blocks(stream), origin, digest)


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    buffer = memoryview(bytearray(BLOCK_BYTES))
    while count := stream.readinto(buffer):  # type: ignore[attr-defined]
        yield bytes(buffer[:count])


def _verified(blocks: Iterator[bytes], origin: Origin, digest: str) -> Iterator[bytes]:
    """The blocks, the last one only when all of them have this digest; else the copy is reported, and it ends with an
    error, which cuts the answer.
    """
    running, held = Digest(), b""
    for block in blocks:
        running.update(block)
        if held:
            yield held
        held = block
    if not running.matches(digest):
        raise _reported(origin, f"{running} was read, {digest} was packaged")
    if held:
        yield held


def _reported(origin: Origin, what: str) -> OriginDiffersError:
    error = OriginDiffersError(f"{origin.copy}: {what}.")
    note_bad(origin.copy, error)
    return error


def _package_of(file: RawDataFile) -> RawDataPackage:
    package = file.raw_data_package
    assert package is not None, "only archived files are asked for"  # noqa: S101
    return package


def _size_of(package: RawDataPackage) -> int:
    assert package.size is not None, "it is archived"  # noqa: S101
    return package.size
