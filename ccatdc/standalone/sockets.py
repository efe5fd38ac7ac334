"""Where the embedded PostgreSQL puts its socket: a short, plain path, closed to others."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Final

from ccatdc.common.errors import ConfigurationError

_LONGEST: Final = 80
"""Bytes: the kernel takes 107 for the whole name, and ``/.s.PGSQL.5432.lock`` is added."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9/._-]+")
"""A comma would separate hosts for libpq, and folders for the server."""


def socket_folder(data_dir: Path) -> Path:
    """The data folder itself where that works, else a temporary folder named after it.

    The same data folder always gets the same socket folder, so that a second starter finds the
    first one's server.
    """
    if _fits(data_dir):
        return data_dir
    name = f"ccatdc-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]}"
    chosen = Path(tempfile.gettempdir()) / name
    return chosen if _fits(chosen) else Path("/tmp") / name  # noqa: S108 - made private below


def make_private(folder: Path, owner: tuple[int, int]) -> None:
    """Make a socket folder where anybody may write, and see that it is really ours alone.

    ``owner`` is the (uid, gid) of the server. Raises ConfigurationError when somebody else made the
    folder.
    """
    try:
        folder.mkdir(mode=0o700)
        os.chown(folder, *owner)
    except FileExistsError:
        pass  # of an earlier run; looked at below like a new one
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner[0] or found.st_mode & 0o077:
        raise ConfigurationError(
            f"{folder}, for the database's socket, is not a private folder of its account.",
            code="standalone.foreign_folder",
            remedy="Remove it, or choose a shorter data folder (--root) of plain letters.",
        )


def _fits(folder: Path) -> bool:
    name = str(folder)
    return len(os.fsencode(name)) <= _LONGEST and _PLAIN.fullmatch(name) is not None
