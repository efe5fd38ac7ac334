"""A location on a file system: SOURCE, BUFFER, PROCESSING, or an archive on disk.

The reserved folder of the root holds ``location.json`` (whose place this is), ``parts/`` (what is being written) and
``quarantine/`` (what is being deleted). Each call opens the root once, checks the marker on that descriptor and works
below it, so that an unmount in between cannot redirect it.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from ccatdc.common.errors import (
    ConfigurationError,
    KeyEscapesError,
    KeyExistsError,
    KeyMissingError,
    LocationIdentityError,
    NoSpaceError,
)
from datamgmt.storage.base import (
    PROBE,
    Location,
    LocationStorage,
    ResumableWriter,
    Stored,
    Stretch,
    Usage,
    Writer,
    require_announced,
    require_probe,
)
from datamgmt.storage.disk.links import make_link, remove_link
from datamgmt.storage.disk.parts import (
    PARTS,
    PartFile,
    discard_parts,
    longest,
    new_part,
    part_prefix,
    publish,
    remove_part,
    require_free,
    require_room,
    sweep_parts,
    take_over,
)
from datamgmt.storage.disk.paths import (
    entries_below,
    open_regular,
    opened_folder,
    opened_root,
    os_errors,
    stat_regular,
    sync_file_system,
)
from datamgmt.storage.disk.quarantine import as_stored, delete_file, delete_folder, empty, hashes_in, put_back
from datamgmt.storage.keys import MARKER_KEY, RESERVED, checked_folder, checked_key

_MARKER = tuple(MARKER_KEY.split("/"))
_MARKER_MAX_BYTES = 64 * 1024


class DiskLocation(Location, Protocol):
    """What this class needs of the location's row."""

    @property
    def path(self) -> str: ...


class DiskStorage(LocationStorage):
    technology = "A disk"

    def __init__(self, location: DiskLocation) -> None:
        super().__init__(location)
        if not location.path.startswith("/"):
            raise ConfigurationError(
                f"The root of {self.name} is {location.path!r}, which is not an absolute path.",
                code="location.root_relative",
            )
        self._path = location.path

    # Identity

    def write_marker(self) -> None:
        with self._doing("mark"), self._root() as root:
            found = _read_marker(root)
            if found is not None:
                self._marker.require(found, self._path)
                return
            with opened_folder(root, PARTS, create=True) as parts:
                part = PartFile(parts, new_part("marker-", ".part"), f"mark {self.name}")
                try:
                    part.write(self._marker.to_bytes())
                    part.finish()
                    publish(root, parts, part.name, _MARKER)
                except KeyExistsError as error:  # registered twice at once: the first one's counts
                    part.discard(error)
                except BaseException as error:
                    part.discard(error)
                    raise
            self._marker.require(_read_marker(root), self._path)

    def check_identity(self) -> None:
        with self._doing("check"), self._own_root():
            pass

    # Reading

    def open(self, key: str) -> BinaryIO:
        *folders, name = checked_key(key).split("/")
        with self._doing("open", key), self._missing_is_proven(key) as root, opened_folder(root, folders) as folder:
            descriptor = open_regular(folder, name)
        return cast(BinaryIO, io.BufferedReader(io.FileIO(descriptor)))

    def open_range(self, key: str, start: int, length: int) -> BinaryIO:
        stream = self.open(key)
        stream.seek(start)
        return cast(BinaryIO, Stretch(stream, length))

    def stat(self, key: str) -> Stored:
        *folders, name = checked_key(key).split("/")
        with self._doing("look at", key), self._missing_is_proven(key) as root, opened_folder(root, folders) as folder:
            return as_stored(stat_regular(folder, name))

    def exists(self, key: str) -> bool:
        try:
            self.stat(key)
        except KeyMissingError:
            return False
        except KeyEscapesError as error:
            if error.code == "storage.not_a_file":
                return False
            raise
        return True

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Stored]]:
        start = tuple(checked_folder(prefix).split("/")) if prefix else ()
        with self._doing("list", prefix), self._own_root() as root:
            pending = [start]
            while pending:
                components = pending.pop()
                for name, found in entries_below(root, components):
                    if not components and name == RESERVED:
                        continue
                    if stat.S_ISDIR(found.st_mode):
                        pending.append((*components, name))
                    elif stat.S_ISREG(found.st_mode):
                        yield "/".join((*components, name)), as_stored(found)

    def usage(self) -> Usage:
        """By the file system. The capacity is what an ordinary process can fill, without the reserve for root."""
        with self._doing("measure"), self._own_root() as root:
            system = os.statvfs(root)
        if not system.f_blocks:
            return Usage(used_bytes=None, capacity_bytes=None)
        used = (system.f_blocks - system.f_bfree) * system.f_frsize
        used_files = system.f_files - system.f_ffree
        return Usage(
            used_bytes=used,
            capacity_bytes=used + system.f_bavail * system.f_frsize,
            # Some file systems make inodes as they are needed, and say 0.
            used_files=used_files if system.f_files else None,
            capacity_files=used_files + system.f_favail if system.f_files else None,
        )

    def probe_writing(self) -> None:
        with self._doing("write to"), self._own_root() as root, opened_folder(root, PARTS, create=True) as parts:
            part = PartFile(parts, new_part("probe-", ".part"), f"write to {self.name}")
            try:
                part.write(PROBE)
                part.finish()
                descriptor = open_regular(parts, part.name)
                try:
                    require_probe(os.read(descriptor, 2 * len(PROBE)), self.name)
                finally:
                    os.close(descriptor)
                os.unlink(part.name, dir_fd=parts)
            except BaseException as error:
                part.discard(error)
                raise

    def local_path(self, key: str) -> Path | None:
        return Path(self._path, checked_key(key))

    # Writing

    @contextmanager
    def writer(self, key: str, attempt: str, size: int | None = None) -> Iterator[Writer]:
        with self._part(key, attempt, size, ()) as part:
            part.keep = False
            yield part

    @contextmanager
    def resumable_writer(
        self, key: str, attempt: str, size: int, earlier: Sequence[tuple[str, str]] = ()
    ) -> Iterator[ResumableWriter]:
        with self._part(key, attempt, size, earlier) as part:
            yield part

    @contextmanager
    def _part(self, key: str, attempt: str, size: int | None, earlier: Sequence[tuple[str, str]]) -> Iterator[PartFile]:
        components = checked_key(key).split("/")
        prefixes = [part_prefix(checked_key(earlier_key), name) for earlier_key, name in earlier]
        doing = f"write {key!r} at {self.name}"
        with ExitStack() as stack:
            with os_errors(doing):
                root = stack.enter_context(self._own_root())
                parts = stack.enter_context(opened_folder(root, PARTS, create=True))
                require_free(root, components)
                name = new_part(part_prefix(key, attempt), ".part")
                require_room(root, size - longest(parts, prefixes) if size is not None else None, doing)
                part = PartFile(parts, name, doing, take_over(parts, prefixes, name, size))
            try:
                yield part
                require_announced(key, part.size, size)
                with os_errors(doing):
                    part.finish()
                    publish(root, parts, name, components)
            except (NoSpaceError, KeyExistsError) as error:
                part.discard(error)
                raise
            except BaseException as error:
                if part.keep:
                    part.close()
                else:
                    part.discard(error)
                raise

    def discard_attempt(self, key: str, attempt: str) -> None:
        with self._doing("tidy up", key), self._own_root() as root:
            discard_parts(root, checked_key(key), attempt)

    def delete(self, key: str, *, expected: Stored | None = None) -> None:
        with self._doing("delete", checked_key(key)), self._own_root() as root:
            delete_file(root, key, expected)

    def put_back(self, key: str) -> bool:
        with self._doing("put back", checked_key(key)), self._own_root() as root:
            try:
                return put_back(root, key)
            except FileExistsError as error:
                raise KeyExistsError(
                    f"{key!r} at {self.name} was taken out for a deletion, and something else has its name by now.",
                    remedy="Look at both: the one that was taken out is in .ccatdc/quarantine.",
                ) from error

    # What nobody needs any more

    def sweep(self, is_over: Callable[[str], bool], age: timedelta) -> list[str]:
        with self._doing("tidy up"), self._own_root() as root:
            return sweep_parts(root, is_over, age)

    def quarantined(self, age: timedelta) -> set[str]:
        with self._doing("look through"), self._own_root() as root:
            return hashes_in(root, age)

    def empty_quarantine(self, hashes: Collection[str]) -> list[str]:
        with self._doing("tidy up"), self._own_root() as root:
            return empty(root, hashes)

    # Folders

    @contextmanager
    def make_tree(self, key: str, attempt: str, *, size: int | None = None, files: int = 1) -> Iterator[Path]:
        """Synced once as a whole before it gets its name: a power cut leaves no tree of empty files."""
        components = checked_key(key).split("/")
        prefix = part_prefix(key, attempt)
        name = new_part(prefix, ".tree")
        with ExitStack() as stack:
            with self._doing("make the folder", key):
                root = stack.enter_context(self._own_root())
                parts = stack.enter_context(opened_folder(root, PARTS, create=True))
                require_free(root, components)
                require_room(root, size, f"make the folder {key!r} at {self.name}", files)
                os.mkdir(name, dir_fd=parts)
            try:
                yield Path(self._path, *PARTS, name)
                with self._doing("make the folder", key):
                    sync_file_system(parts)
                    publish(root, parts, name, components)
            except BaseException as error:
                try:
                    remove_part(parts, name, prefix)
                except OSError as failure:
                    error.add_note(f"The folder {name} could not be removed: {failure}")
                raise

    def delete_tree(self, key: str) -> None:
        with self._doing("delete the folder", checked_key(key)), self._own_root() as root:
            delete_folder(root, key)

    def link(self, key: str, target_key: str) -> None:
        with self._doing("link", checked_key(key)), self._own_root() as root:
            make_link(root, key, checked_key(target_key))

    def unlink_link(self, key: str) -> None:
        with self._doing("remove the link", checked_key(key)), self._own_root() as root:
            remove_link(root, key)

    # Beneath

    def _doing(self, verb: str, key: str = "") -> AbstractContextManager[None]:
        return os_errors(f"{verb} {key!r} at {self.name}" if key else f"{verb} {self.name}")

    @contextmanager
    def _root(self) -> Iterator[int]:
        with ExitStack() as stack:
            try:
                root = stack.enter_context(opened_root(self._path))
            except (FileNotFoundError, NotADirectoryError) as error:
                raise LocationIdentityError(
                    f"The root folder {self._path} of {self.name} is not there ({error.strerror}).",
                    code="location.marker_missing",
                    remedy="Mount the disk, or make the folder before the location is registered.",
                ) from error
            yield root

    @contextmanager
    def _own_root(self) -> Iterator[int]:
        with self._root() as root:
            self._marker.require(_read_marker(root), self._path)
            yield root

    @contextmanager
    def _missing_is_proven(self, key: str) -> Iterator[int]:
        """The root for reading. That something is missing counts only at a place that is ours."""
        with self._root() as root:
            try:
                yield root
            except (FileNotFoundError, NotADirectoryError) as error:
                self._marker.require(_read_marker(root), self._path)
                raise KeyMissingError(f"There is no file {key!r} at {self.name}.") from error


def _read_marker(root: int) -> bytes | None:
    *folders, name = _MARKER
    try:
        with opened_folder(root, folders) as folder:
            descriptor = open_regular(folder, name)
    except FileNotFoundError:
        return None
    try:
        return os.read(descriptor, _MARKER_MAX_BYTES)
    finally:
        os.close(descriptor)
