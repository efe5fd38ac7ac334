"""Files and folders being written on a disk: under a name of their own until they are whole.

A part is called ``<attempt>-<hash of the key>-<random>.part`` (``.tree`` for folders), below the reserved folder of the
same file system. The attempt tells whose it is; the random end keeps a process that was thought dead, and woke up, away
from the part of its successor; the hash keeps the name below 255 bytes whatever the key is.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final
from uuid import uuid4

from ccatdc.common.errors import KeyExistsError, NoSpaceError, RequestError
from datamgmt.checksums import BUFFER_BYTES, Data
from datamgmt.storage.disk.paths import (
    CREATE_FLAGS,
    INNER,
    names_in,
    open_folder,
    opened_folder,
    raise_as_ours,
    remove_tree,
    rename_noreplace,
)
from datamgmt.storage.keys import RESERVED, key_hash

PARTS: Final = (RESERVED, "parts")

#: Of a part that goes on where another attempt ended.
RESUME_FLAGS: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC

_ATTEMPT: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")

_PART: Final = re.compile(
    rf"(?P<prefix>(?P<attempt>[A-Za-z0-9._-]{{1,100}})-[0-9a-f]{{32}}-|marker-|probe-)({INNER})?[0-9a-f]{{32}}(\.part|\.tree)?"
)

#: How often a folder may vanish under us. It does when a deletion empties it in the microseconds between our making it
#: and our putting something into it; each loss needs another deletion.
_TRIES: Final = 100


class PartFile:
    """A file under its temporary name: a new one, or one that was taken over (:func:`take_over`), which grows at its end.

    ``keep``: whether it stays for the next attempt when this one ends with an error.
    """

    def __init__(self, parts: int, name: str, doing: str, taken_over: int | None = None) -> None:
        self._parts = parts
        self._doing = doing
        self.name = name
        self.keep = True
        self._descriptor = os.open(name, CREATE_FLAGS, 0o666, dir_fd=parts) if taken_over is None else taken_over
        self.size = os.lseek(self._descriptor, 0, os.SEEK_END)

    def read_back(self) -> Iterator[memoryview]:
        """What is there, from the first byte to the last."""
        buffer = memoryview(bytearray(BUFFER_BYTES))
        done = 0
        while done < self.size:
            try:
                count = os.preadv(self._descriptor, [buffer], done)
            except OSError as error:
                raise_as_ours(error, self._doing)
            if not count:
                break
            yield buffer[:count]
            done += count

    def write(self, data: Data, /) -> int:
        """Append all of ``data``."""
        with memoryview(data).cast("B") as view:
            written = 0
            while written < len(view):
                try:
                    written += os.write(self._descriptor, view[written:])
                except OSError as error:
                    raise_as_ours(error, self._doing)
            self.size += written
        return written

    def finish(self) -> None:
        """Wait until the disk has it, and close. A failure of either means that the bytes may not be there."""
        descriptor, self._descriptor = self._descriptor, -1
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Leave it as it is."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def discard(self, reason: BaseException) -> None:
        """Remove the part because of ``reason``, which says more than what may go wrong here."""
        try:
            self.close()
            with suppress(FileNotFoundError):
                os.unlink(self.name, dir_fd=self._parts)
        except OSError as error:
            reason.add_note(f"The part {self.name} could not be removed: {error}")


def part_prefix(key: str, attempt: str) -> str:
    """How the names of all parts begin that this attempt writes for this key."""
    if not _ATTEMPT.fullmatch(attempt):
        raise RequestError(
            f"{attempt!r} cannot name an attempt.",
            code="storage.attempt_malformed",
            remedy="Use letters, digits, dots, underscores and dashes, at most 100.",
        )
    return f"{attempt}-{key_hash(key)}-"


def new_part(prefix: str, suffix: str) -> str:
    """A name that nothing else has."""
    return f"{prefix}{uuid4().hex}{suffix}"


def longest(parts: int, prefixes: Sequence[str]) -> int:
    """Bytes of the longest part of these attempts: so much room is taken already."""
    sizes = (os.stat(name, dir_fd=parts, follow_symlinks=False).st_size for name in _files_of(parts, prefixes))
    return max(sizes, default=0)


def _files_of(parts: int, prefixes: Sequence[str]) -> list[str]:
    if not prefixes:
        return []
    forms = [re.compile(re.escape(prefix) + r"[0-9a-f]{32}\.part") for prefix in prefixes]
    return [name for name in names_in(parts) if any(form.fullmatch(name) for form in forms)]


def take_over(parts: int, prefixes: Sequence[str], name: str, size: int | None) -> int | None:
    """Give the longest part of earlier attempts this ``name``, and remove their others: its descriptor, to read and
    write. None when there is none to go on with.

    One that some process has open belongs to a worker that is not dead: it would write into it beside us. The system
    tells by a lease, which it grants for a file that nobody else has open; where it grants none (network file systems)
    nothing is taken over.
    """
    chosen, length = None, 0
    for found in _files_of(parts, prefixes):
        descriptor = os.open(found, RESUME_FLAGS, dir_fd=parts)
        bytes_there = os.fstat(descriptor).st_size
        if length < bytes_there <= (size or 0) and _is_ours_alone(descriptor):
            if chosen is not None:
                os.close(chosen[0])
                os.unlink(chosen[1], dir_fd=parts)
            chosen, length = (descriptor, found), bytes_there
        else:
            os.close(descriptor)
            os.unlink(found, dir_fd=parts)
    if chosen is None:
        return None
    os.rename(chosen[1], name, src_dir_fd=parts, dst_dir_fd=parts)
    return chosen[0]


def _is_ours_alone(descriptor: int) -> bool:
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError:
        return False
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return True


def publish(root: int, parts: int, part: str, components: Sequence[str]) -> None:
    """Give a finished part its name, durably.

    Never replaces: :class:`KeyExistsError` when the name is taken.
    """
    *folders, name = components
    try:
        in_folder(root, folders, lambda folder: rename_noreplace(parts, part, folder, name))
    except FileExistsError as error:
        raise taken(components) from error
    os.fsync(parts)


def in_folder(root: int, folders: Sequence[str], action: Callable[[int], None]) -> None:
    """Put something into a folder, durably.

    The folder is made when it is missing, and again when somebody removed it as empty meanwhile. What was made is
    synced afterwards, when it is no longer empty and stays.
    """
    for _ in range(_TRIES - 1):
        with suppress(FileNotFoundError):
            before = _act(root, folders, action)
            break
    else:
        before = _act(root, folders, action)
    with suppress(FileNotFoundError):  # deleted already: there is nothing left to make durable
        for depth in range(len(folders), before - 1, -1):
            with opened_folder(root, folders[:depth]) as folder:
                os.fsync(folder)


def _act(root: int, folders: Sequence[str], action: Callable[[int], None]) -> int:
    folder, before = open_folder(root, folders, create=True)
    try:
        action(folder)
    finally:
        os.close(folder)
    return before


def require_free(root: int, components: Sequence[str]) -> None:
    """:class:`KeyExistsError` before any work is done for a name that is taken."""
    *folders, name = components
    with suppress(FileNotFoundError), opened_folder(root, folders) as folder:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
        raise taken(components)


def taken(components: Sequence[str]) -> KeyExistsError:
    """The error for a name that is in use."""
    return KeyExistsError(
        f"{'/'.join(components)!r} exists already and is never replaced.",
        remedy="A new attempt writes under a new name.",
    )


def require_room(root: int, size: int | None, doing: str, files: int = 1) -> None:
    """:class:`NoSpaceError` before 50 GB are written to a disk that cannot hold them, or 5,000 files to one that has no inodes.

    File systems that report no size at all (some network ones, unlimited tmpfs) are believed to have room; so are those
    that report no number of inodes.
    """
    system = os.statvfs(root)
    if system.f_files and system.f_favail < files:
        raise NoSpaceError(
            f"No room to {doing}: it needs {files} inodes, {system.f_favail} are free.",
            remedy="It goes on when there is room again.",
        )
    if size is None:
        return
    free = system.f_bavail * system.f_frsize
    if system.f_blocks and free < size:
        raise NoSpaceError(
            f"No room to {doing}: it needs {size} bytes, {free} are free.",
            remedy="It goes on when there is room again.",
        )


def discard_parts(root: int, key: str, attempt: str) -> None:
    """Remove the parts that this attempt left of this key, and no others."""
    prefix = part_prefix(key, attempt)
    form = re.compile(re.escape(prefix) + rf"({INNER})?[0-9a-f]{{32}}(\.part|\.tree)?")
    with suppress(FileNotFoundError), opened_folder(root, PARTS) as parts:
        for name in names_in(parts):
            if form.fullmatch(name):
                remove_part(parts, name, prefix)


def sweep_parts(root: int, is_over: Callable[[str], bool], age: timedelta) -> list[str]:
    """Remove the parts of attempts that are over, untouched for ``age``; their names. Markers and probes, which are
    written in an instant, have no attempt: their age is enough.
    """
    before = time.time() - age.total_seconds()
    removed = []
    with suppress(FileNotFoundError), opened_folder(root, PARTS) as parts:
        for name in names_in(parts):
            part = _PART.fullmatch(name)
            if part is None or (part["attempt"] and not is_over(part["attempt"])):
                continue
            with suppress(FileNotFoundError):
                if os.stat(name, dir_fd=parts, follow_symlinks=False).st_mtime < before:
                    remove_part(parts, name, part["prefix"])
                    removed.append(name)
    return removed


def remove_part(parts: int, name: str, prefix: str) -> None:
    """Remove one part, file or folder."""
    with suppress(FileNotFoundError):
        if stat.S_ISDIR(os.stat(name, dir_fd=parts, follow_symlinks=False).st_mode):
            remove_tree(parts, name, prefix=prefix)
        else:
            os.unlink(name, dir_fd=parts)
