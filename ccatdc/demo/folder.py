"""``--input FOLDER``: a user's own files as one observation. The folder is only read.

Regular files go through, whatever their names; everything else is named with the reason and left
out. A file is read once, and refused when it changed while it was read.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ccatdc.common.errors import CcatError, RequestError
from ccatdc.demo.writing import Source, Written
from datamgmt.checksums import BUFFER_BYTES
from datamgmt.storage.keys import checked_key
from datamgmt.storage.paths import names_in, open_regular, opened_folder, opened_root

#: Characters of a path below the folder.
LONGEST_PATH = 1024

_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISLNK, "a symbolic link; only regular files are data"),
    (stat.S_ISFIFO, "a named pipe; only regular files are data"),
    (stat.S_ISSOCK, "a socket; only regular files are data"),
    (stat.S_ISCHR, "a device; only regular files are data"),
    (stat.S_ISBLK, "a device; only regular files are data"),
)


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


def copy_folder(
    folder: Path, source: Source, *, module: str, apart_from: Path
) -> tuple[list[Written], list[Skipped]]:
    """Copy the regular files of a folder below the run's folder at a SOURCE.

    ``apart_from`` is the demo's own folder, which is no data even when it is inside. Raises
    RequestError when the folder is none, cannot be read, or holds nothing that can be filed.
    """
    written: list[Written] = []
    skipped: list[Skipped] = []
    require_folder(folder)
    with opened_root(str(folder)) as root:
        for path in _regular_files(root, _identity(apart_from.stat()), skipped):
            try:
                written.append(_copy(root, path, source, module))
            except _Unsuitable as error:
                skipped.append(Skipped(_shown(path), str(error)))
    if not written:
        found = f"; {len(skipped)} entries cannot be filed" if skipped else ""
        named = "".join(f"\n  {entry.path}: {entry.reason}" for entry in skipped[:20])
        raise RequestError(
            f"{folder} holds no file that can be filed{found}.{named}",
            code="demo.input_empty",
            remedy="Give --input a folder with regular files.",
        )
    return written, skipped


def _regular_files(root: int, own: tuple[int, int], skipped: list[Skipped]) -> Iterator[str]:
    """Paths of all regular files below an open folder. Links are never followed."""
    pending = [""]
    while pending:
        folder = pending.pop()
        for name, found in _entries(root, folder, own, skipped):
            path = _below(folder, name)
            if stat.S_ISDIR(found.st_mode):
                pending.append(path)
                continue
            kind = next((text for is_kind, text in _KINDS if is_kind(found.st_mode)), None)
            if kind is None:
                yield path
            else:
                skipped.append(Skipped(_shown(path), kind))


def _entries(
    root: int, folder: str, own: tuple[int, int], skipped: list[Skipped]
) -> list[tuple[str, os.stat_result]]:
    """What a folder holds, by name. One that cannot be read, or is the demo's own, is skipped."""
    entries = []
    try:
        with opened_folder(root, folder.split("/") if folder else []) as at:
            if _identity(os.fstat(at)) == own:
                skipped.append(Skipped(_shown(folder) or ".", "the demo's own folder"))
                return []
            for name in sorted(names_in(at)):
                try:
                    entries.append((name, os.stat(name, dir_fd=at, follow_symlinks=False)))
                except FileNotFoundError:
                    path = _below(folder, name)
                    skipped.append(Skipped(_shown(path), "vanished while the folder was read"))
    except (OSError, CcatError) as error:
        reason = f"the folder cannot be read: {_words(error)}"
        skipped.append(Skipped(_shown(folder) or ".", reason))
        return []
    return entries


def _copy(root: int, path: str, source: Source, module: str) -> Written:
    _require_fileable(path)
    with _opened(root, path) as file:
        before = os.fstat(file.fileno())
        try:
            return source.write(
                path,
                _blocks(file, before),
                algorithm="blake3",
                module=module,
                file_type="other",
                # Whoever may work on it must be able to read it.
                mode=stat.S_IMODE(before.st_mode) & 0o777 | stat.S_IRUSR,
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
    while True:
        try:
            block = file.read(BUFFER_BYTES)
        except OSError as error:
            raise _Unsuitable(f"cannot be read: {_words(error)}") from error
        if not block:
            break
        yield block
    if _version(os.fstat(file.fileno())) != _version(before):
        raise _Unsuitable("changed while it was copied")


def _require_fileable(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise _Unsuitable("its name is not UTF-8") from error
    if len(path) > LONGEST_PATH:
        raise _Unsuitable(f"its path has {len(path)} characters; {LONGEST_PATH} are the most")
    try:
        checked_key(f"run/{path}")
    except CcatError as error:
        raise _Unsuitable(error.message) from error


def _version(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _words(error: Exception) -> str:
    """What the system says, without the path."""
    return getattr(error, "strerror", None) or str(error)


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _shown(path: str) -> str:
    """A path as text that every terminal and JSON reader takes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
