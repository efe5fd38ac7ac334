"""Deleting on a disk: first moved out of the tree, then judged once more, then removed.

A thing to delete is renamed to ``quarantine/file-<hash of the key>-<random>`` (or ``tree-``). From then on no process
can reach it by its name, and one that was thought dead can no longer hit a path that is used anew. A killed deletion
leaves it there; the next deletion of the same key finds it by the hash and finishes, with the same guard.

The guard and its race: the file is compared with ``expected`` before the rename (so that a changed file is not even
moved) and again after it (so that a change in between is seen; the file is then put back). What remains is a process
that opened the file before the rename and writes between the second look and the unlink, a few microseconds: its bytes
go with the file. No file system offers to close that; instruments file what they have finished writing.

Nothing is synced here: a power cut can undo a deletion, which costs room, never data.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import uuid4

from ccatdc.common.errors import CcatError, KeyEscapesError, StorageError
from datamgmt.storage.base import Stored, require_unchanged
from datamgmt.storage.disk.parts import in_folder
from datamgmt.storage.disk.paths import (
    INNER,
    names_in,
    opened_folder,
    remove_empty_folders,
    remove_tree,
    rename_noreplace,
    stat_regular,
)
from datamgmt.storage.keys import RESERVED, key_hash

QUARANTINE: Final = (RESERVED, "quarantine")

_TAKEN_OUT: Final = re.compile(rf"(?P<prefix>(?P<kind>file|tree)-(?P<hash>[0-9a-f]{{32}})-)({INNER})?[0-9a-f]{{32}}")


def as_stored(found: os.stat_result) -> Stored:
    """The identity of a file as the catalogue keeps it."""
    return Stored(size=found.st_size, mtime_ns=found.st_mtime_ns, inode=found.st_ino, ctime_ns=found.st_ctime_ns)


def delete_file(root: int, key: str, expected: Stored | None) -> None:
    """Delete one file, unless it is not the ``expected`` one; what is gone already is success."""
    *folders, name = components = key.split("/")
    prefix = _prefix("file", key)
    aside = f"{prefix}{uuid4().hex}"
    with opened_folder(root, QUARANTINE, create=True) as quarantine:
        # Where a rename is a link and an unlink, one that was killed in between left the file under both names.
        for found in _left_behind(quarantine, prefix):
            if _is_same_file(root, folders, name, quarantine, found):
                os.unlink(found, dir_fd=quarantine)
        try:
            with opened_folder(root, folders) as folder:
                require_unchanged(key, as_stored(stat_regular(folder, name)), expected)
                rename_noreplace(folder, name, quarantine, aside)
        except FileNotFoundError:
            to_finish = _left_behind(quarantine, prefix)
        else:
            to_finish = [aside]
        # The rename itself moves ctime: what is in quarantine is compared without it.
        moved = replace(expected, ctime_ns=None) if expected is not None else None
        for found in to_finish:
            try:
                _finish(root, quarantine, found, components, moved)
            except FileNotFoundError as error:
                raise StorageError(
                    f"Another deletion of {key!r} took it over; this one cannot say how it ended.",
                    code="storage.delete_interrupted",
                ) from error
    if to_finish:
        remove_empty_folders(root, folders)


def put_back(root: int, key: str) -> bool:
    """Give back its name to what a killed deletion of this key left in quarantine, file or folder; whether there was
    something.

    FileExistsError when something else has the name by now. Where a rename is a link and an unlink, a file may stand
    under both names: then the one in quarantine goes.
    """
    *folders, name = key.split("/")
    prefixes = (_prefix("file", key), _prefix("tree", key))
    with suppress(FileNotFoundError), opened_folder(root, QUARANTINE) as quarantine:
        found = [
            each
            for each in names_in(quarantine)
            if each.startswith(prefixes) and not each.startswith(f"{prefixes[1]}{INNER}")
        ]
        for each in found:
            if _is_same_file(root, folders, name, quarantine, each):
                os.unlink(each, dir_fd=quarantine)
            else:
                in_folder(root, folders, partial(_back, quarantine, each, name))
        return bool(found)
    return False


def hashes_in(root: int, age: timedelta) -> set[str]:
    """The hashes of the keys of what was taken out longer than ``age`` ago. Being taken out moves a thing's ctime."""
    before = time.time() - age.total_seconds()
    found = set()
    with suppress(FileNotFoundError), opened_folder(root, QUARANTINE) as quarantine:
        for name in names_in(quarantine):
            with suppress(FileNotFoundError):
                taken_out = _TAKEN_OUT.fullmatch(name)
                if taken_out and os.stat(name, dir_fd=quarantine, follow_symlinks=False).st_ctime < before:
                    found.add(taken_out["hash"])
    return found


def empty(root: int, hashes: Collection[str]) -> list[str]:
    """Remove what was taken out under these hashes; the names."""
    removed = []
    with suppress(FileNotFoundError), opened_folder(root, QUARANTINE) as quarantine:
        for name in names_in(quarantine):
            taken_out = _TAKEN_OUT.fullmatch(name)
            if taken_out and taken_out["hash"] in hashes:
                with suppress(FileNotFoundError):
                    if taken_out["kind"] == "tree":
                        remove_tree(quarantine, name, prefix=taken_out["prefix"])
                    else:
                        os.unlink(name, dir_fd=quarantine)
                    removed.append(name)
    return removed


def _back(quarantine: int, aside: str, name: str, folder: int) -> None:
    rename_noreplace(quarantine, aside, folder, name)


def _is_same_file(root: int, folders: Sequence[str], name: str, quarantine: int, aside: str) -> bool:
    try:
        with opened_folder(root, folders) as folder:
            here = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    there = os.stat(aside, dir_fd=quarantine, follow_symlinks=False)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def delete_folder(root: int, key: str) -> None:
    """Delete one folder with all that it holds; what is gone already is success."""
    *folders, name = key.split("/")
    prefix = _prefix("tree", key)
    with opened_folder(root, QUARANTINE, create=True) as quarantine:
        with suppress(FileNotFoundError), opened_folder(root, folders) as folder:
            _require_folder(os.stat(name, dir_fd=folder, follow_symlinks=False), key)
            rename_noreplace(folder, name, quarantine, f"{prefix}{uuid4().hex}")
        to_finish = _left_behind(quarantine, prefix)
        for found in to_finish:
            remove_tree(quarantine, found, prefix=prefix)
    if to_finish:
        remove_empty_folders(root, folders)


def _finish(root: int, quarantine: int, aside: str, components: Sequence[str], expected: Stored | None) -> None:
    key = "/".join(components)
    try:
        require_unchanged(key, as_stored(stat_regular(quarantine, aside)), expected)
    except CcatError as refusal:
        *folders, name = components
        try:
            in_folder(root, folders, lambda folder: rename_noreplace(quarantine, aside, folder, name))
        except OSError as error:
            refusal.add_note(f"It stays at {'/'.join(QUARANTINE)}/{aside}, since {error}")
        raise
    os.unlink(aside, dir_fd=quarantine)


def _left_behind(quarantine: int, prefix: str) -> list[str]:
    return [name for name in names_in(quarantine) if name.startswith(prefix)]


def _prefix(kind: str, key: str) -> str:
    return f"{kind}-{key_hash(key)}-"


def _require_folder(found: os.stat_result, key: str) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise KeyEscapesError(f"{key!r} is a symbolic link, not a folder.", code="storage.symlink")
    if not stat.S_ISDIR(found.st_mode):
        raise KeyEscapesError(f"{key!r} is not a folder.", code="storage.not_a_folder")
