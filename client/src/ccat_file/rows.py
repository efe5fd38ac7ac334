"""Files on disk become rows of the filing call.

A row's UUID is made from observation, location and path: whoever files the same files again, after a crash for
instance, sends the same rows, and the server changes nothing.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

from ccat_file.digests import HashingWriter
from ccat_file.errors import UsageError
from ccat_file.times import UTC

#: Rows and bytes of one call: the server takes 10,000 rows and 32 MiB.
MAX_ROWS: Final = 10_000
MAX_BYTES: Final = 16 * 1024 * 1024
FILE_TYPES: Final = ("detector_timestream", "housekeeping", "spectra", "pointing", "log", "other")


@dataclass(frozen=True, slots=True)
class FiledFile:
    """One file: where it is below the root of its location, and how many bytes it has. A file of a data stream has the
    times of its data.
    """

    relative_path: str
    size: int
    created_at: datetime | None = None
    checksum: str = ""
    checksum_algorithm: str = ""
    file_type: str = "other"
    description: str = ""
    start_time: datetime | None = None
    end_time: datetime | None = None

    @classmethod
    def of(
        cls,
        path: Path | str,
        root: Path | str,
        *,
        written: HashingWriter | None = None,
        checksum: str = "",
        checksum_algorithm: str = "",
        file_type: str = "other",
        description: str = "",
        start_time: datetime | None = None,
        end_time: datetime | None = None,
    ) -> FiledFile:
        """A file that is complete on disk. ``written`` is the writer that made it, with its checksum.

        Raises UsageError when there is no regular file, when it is outside of ``root``, or when it has not the size
        that was written.
        """
        try:
            found = os.lstat(path)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}.") from error
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"{path} is not a regular file.")
        if written is not None:
            checksum, checksum_algorithm = written.checksum, written.algorithm
            if written.size != found.st_size:
                raise UsageError(
                    f"{path} has {found.st_size} bytes, but {written.size} were written: close "
                    "the writer first, and let nobody else write."
                )
        return cls(
            relative_path=relative_to_root(path, root),
            size=found.st_size,
            created_at=datetime.fromtimestamp(found.st_mtime, UTC),
            checksum=checksum,
            checksum_algorithm=checksum_algorithm,
            file_type=file_type,
            description=description,
            start_time=start_time,
            end_time=end_time,
        )

    def row(self, belongs: UUID, instrument: str, module: str, location: str, *, stream: str = "") -> dict[str, Any]:
        """As it is sent. ``belongs`` is the observation, or stands for the data stream."""
        if bool(self.checksum) != bool(self.checksum_algorithm):
            raise UsageError(f"{self.relative_path}: a checksum and its algorithm go together.")
        row: dict[str, Any] = {
            "id": str(uuid5(belongs, f"{location}\n{self.relative_path}")),
            **({"data_stream": stream} if stream else {"executed_obs_unit": str(belongs)}),
            "instrument": instrument,
            "module": module,
            "source_location": location,
            "relative_path": self.relative_path,
            "size": self.size,
            "checksum": self.checksum,
            "checksum_algorithm": self.checksum_algorithm,
            "file_type": self.file_type,
            "description": self.description,
        }
        if self.created_at is not None:
            row["created_at"] = self.created_at.isoformat()
        times = (self.start_time, self.end_time)
        if stream and None in times:
            raise UsageError(f"{self.relative_path}: a file of a data stream has a start_time and an end_time.")
        for name, moment in zip(("start_time", "end_time"), times, strict=True):
            if moment is not None:
                if moment.tzinfo is None:
                    raise UsageError(f"{self.relative_path}: {name} has no zone: give UTC or an offset.")
                row[name] = moment.isoformat()
        return row


def relative_to_root(path: Path | str, root: Path | str) -> str:
    """The path below the root of the location, links in it kept. UsageError when it is not below."""
    # Links of the folders are resolved to find the root, the name itself stays what it is.
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow the file itself
    folder, top = whole.parent.resolve(), Path(root).resolve()
    if not folder.is_relative_to(top):
        raise UsageError(f"{path} is not below the root {root}.")
    relative = (folder / whole.name).relative_to(top).as_posix()
    try:
        relative.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{relative!r} is not Unicode: rename the file.") from error
    return relative


def files_below(paths: Iterable[Path]) -> list[Path]:
    """The files that are named, and all files in the folders that are named, sorted, each once.

    Raises UsageError for what is neither file nor folder (a link, a socket): data must not be left out in silence.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            for one in sorted(_walk(path)):
                found[one] = None
        else:
            found[_regular(path)] = None
    return list(found)


def _walk(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                path = Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    yield from _walk(path)
                else:
                    yield _regular(path)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}.") from error


def _regular(path: Path) -> Path:
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}.") from error
    if not stat.S_ISREG(mode):
        raise UsageError(f"{path} is neither a file nor a folder (a link?): it cannot be filed.")
    return path


def in_calls(rows: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Rows in portions that the server takes."""
    portions: list[list[dict[str, Any]]] = []
    size = MAX_BYTES
    for row in rows:
        length = len(json.dumps(row))
        if not portions or size + length > MAX_BYTES or len(portions[-1]) == MAX_ROWS:
            portions.append([])
            size = 0
        portions[-1].append(row)
        size += length
    return portions
