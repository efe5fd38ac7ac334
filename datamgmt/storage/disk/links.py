"""Links on a disk: how a job's folder shows the staged packages that it shares with other jobs (60)."""

from __future__ import annotations

import os
import posixpath
import stat
from contextlib import suppress

from ccatdc.common.errors import KeyEscapesError
from datamgmt.storage.disk.parts import in_folder, taken
from datamgmt.storage.disk.paths import opened_folder, remove_empty_folders


def make_link(root: int, key: str, target_key: str) -> None:
    """A relative symbolic link, so that it also holds where the root is mounted elsewhere.

    The same link again is success; :class:`KeyExistsError` when the name means something else.
    """
    *folders, name = components = key.split("/")
    text = posixpath.relpath(f"/{target_key}", "/" + "/".join(folders))

    def make(folder: int) -> None:
        try:
            os.symlink(text, name, dir_fd=folder)
        except FileExistsError as error:
            if _link_text(folder, name) != text:
                raise taken(components) from error

    in_folder(root, folders, make)


def remove_link(root: int, key: str) -> None:
    """Remove a link, never what it points to; what is gone already is success."""
    *folders, name = key.split("/")
    with suppress(FileNotFoundError):
        with opened_folder(root, folders) as folder:
            if _link_text(folder, name) is None:
                raise KeyEscapesError(f"{key!r} is not a link.", code="storage.not_a_link")
            os.unlink(name, dir_fd=folder)
        remove_empty_folders(root, folders)


def _link_text(folder: int, name: str) -> str | None:
    """What a link says; None when the name is something else."""
    if not stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        return None
    return os.readlink(name, dir_fd=folder)
