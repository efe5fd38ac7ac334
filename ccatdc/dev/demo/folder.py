"""``--input FOLDER``: a user's own files as one observation. The folder is only read.

Regular files go through, whatever their names; everything else is named with the reason and left out. A file is read
once, and refused when it changed while it was read.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ccatdc.common.errors import CcatError, RequestError
from ccatdc.dev.demo.writing import Source, Written
from datamgmt.checksums import BUFFER_BYTES
from datamgmt.storage.disk.paths import names_in, open_regular, opened_folder, opened_root
from datamgmt.storage.keys import checked_key

#: Characters of a path below the folder.
LONGEST_PATH = 1024
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True)
class Skipped:
    """What was left out, and why. Bytes that are not UTF-8 are shown as ``\\xff``."""

    path: str
    reason: str


class _Unsuitable(Exception):
    """A file that cannot go through; the message is the reason."""


def require_folder(folder: Path) -> None:
    """RequestError unless this is a folder that can be listed."""
    try:
        with opened_root(str(folder)) as root:
            names_in(root)
    except OSError as error:
        raise RequestError(
            f"{folder} cannot be read as a folder: {error.strerror}.",
            code="demo.input",
            remedy="Give --input a folder that you may read.",
        ) from error


def copy_folder(folder: Path, source: Source, *, module: str, apart_from: Path) -> tuple[list[Written], list[Skipped]]:
    """Copy the regular files of a folder below the run's folder at a SOURCE. ``apart_from`` is the demo's own folder,
    which is no data even when it is inside.

    Raises RequestError when the folder is none, cannot be read, or holds nothing that can be filed.
    """
    written: list[Written] = []
    skipped: list[Skipped] = []
    require_folder(folder)
    with opened_root(str(folder)) as root:
        for path in _regular_files(root, apart_from.stat(), skipped):
            try:
                written.append(_copy(root, path, source, module))
            except _Unsuitable as error:
                skipped.append(_skipped(path, str(error)))
    if not written:
        found = f"; {len(skipped)} entries cannot be filed" if skipped else ""
        named = "".join(f"\n  {entry.path}: {entry.reason}" for entry in skipped[:20])
        raise RequestError(
            f"{folder} holds no file that can be filed{found}.{named}",
            code="demo.input_empty",
            remedy="Give --input a folder with regular files.",
        )
    return written, skipped


def _regular_files(root: int, own: os.stat_result, skipped: list[Skipped]) -> Iterator[str]:
    """Paths of all regular files below an open folder. Links are never followed."""
    pending = [""]
    while pending:
        folder = pending.pop()
        for name, found in _entries(root, folder, own, skipped):
            path = f"{folder}/{name}" if folder else name
            kind = stat.S_IFMT(found.st_mode)
            if kind == stat.S_IFDIR:
                pending.append(path)
            elif kind in _KINDS:
                skipped.append(_skipped(path, f"{_KINDS[kind]}; only regular files are data"))
            else:
                yield path


def _entries(root: int, folder: str, own: os.stat_result, skipped: list[Skipped]) -> list[tuple[str, os.stat_result]]:
    """What a folder holds, by name. One that cannot be read, or is the demo's own, is skipped."""
    entries = []
    try:
        with opened_folder(root, folder.split("/") if folder else []) as at:
            if os.path.samestat(os.fstat(at), own):
                skipped.append(_skipped(folder or ".", "the demo's own folder"))
                return []
            for name in sorted(names_in(at)):
                try:
                    entries.append((name, os.stat(name, dir_fd=at, follow_symlinks=False)))
                except FileNotFoundError:
                    skipped.append(_skipped(f"{folder}/{name}".lstrip("/"), "vanished while the folder was read"))
    except (OSError, CcatError) as error:
        skipped.append(_skipped(folder or ".", f"the folder cannot be read: {_words(error)}"))
        return []
    return entries


def _copy(root: int, path: str, source: Source, module: str) -> Written:
    _require_fileable(path)
    with _opened(root, path) as file:
        before = os.fstat(file.fileno())
        # Whoever may work on it must be able to read it.
        mode = stat.S_IMODE(before.st_mode) & 0o777 | stat.S_IRUSR
        try:
            return source.write(
                path,
                _blocks(file, before),
                algorithm="blake3",
                module=module,
                file_type="other",
                mode=mode,
                mtime_ns=before.st_mtime_ns,
            )
        except OSError as error:
            if error.errno in {errno.ENAMETOOLONG, errno.EILSEQ}:
                raise _Unsuitable(f"its name cannot be stored here: {error.strerror}") from error
            raise


@contextmanager
def _opened(root: int, path: str) -> Iterator[BinaryIO]:
    *folders, name = path.split("/")
    with ExitStack() as stack:
        try:
            at = stack.enter_context(opened_folder(root, folders))
            file = stack.enter_context(os.fdopen(open_regular(at, name), "rb", 0))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise _Unsuitable("vanished before it was copied") from error
        except CcatError as error:  # it is a link or a pipe by now
            raise _Unsuitable(f"changed before it was copied: {error.message}") from error
        except OSError as error:
            raise _Unsuitable(f"cannot be read: {_words(error)}") from error
        yield file


def _blocks(file: BinaryIO, before: os.stat_result) -> Iterator[bytes]:
    try:
        while block := file.read(BUFFER_BYTES):
            yield block
    except OSError as error:
        raise _Unsuitable(f"cannot be read: {_words(error)}") from error
    now = os.fstat(file.fileno())
    if any(getattr(now, fact) != getattr(before, fact) for fact in ("st_size", "st_mtime_ns", "st_ctime_ns")):
        raise _Unsuitable("changed while it was copied")


def _require_fileable(path: str) -> None:
    try:
        path.encode()
        checked_key(f"run/{path}")
    except UnicodeEncodeError as error:
        raise _Unsuitable("its name is not UTF-8") from error
    except CcatError as error:
        raise _Unsuitable(error.message) from error
    if len(path) > LONGEST_PATH:
        raise _Unsuitable(f"its path has {len(path)} characters; {LONGEST_PATH} are the most")


def _words(error: Exception) -> str:
    """What the system says, without the path."""
    return getattr(error, "strerror", None) or str(error)


def _skipped(path: str, reason: str) -> Skipped:
    """The path as text that every terminal and JSON reader takes."""
    return Skipped(os.fsencode(path).decode("utf-8", "backslashreplace"), reason)
