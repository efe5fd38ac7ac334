"""Writing one new file at a SOURCE location, as an instrument does: whole or not at all.

A file is written under another name in its folder and renamed when it is complete, so that nobody ever finds half of
one. Folders are entered by descriptor: a path may be longer than the system's limit for one name.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from datamgmt.checksums import new_digest
from datamgmt.storage.disk.paths import CREATE_FLAGS, opened_folder, opened_root, rename_noreplace


@dataclass(frozen=True, slots=True)
class Written:
    """A file at a SOURCE, as it is filed: ``digest`` is BLAKE3, ``checksum`` what is claimed."""

    id: UUID
    relative_path: str
    size: int
    digest: str
    checksum: str
    checksum_algorithm: str
    module: str
    file_type: str
    created_at: datetime | None


@dataclass(frozen=True)
class Source:
    """A SOURCE location's root and the folder of one run below it."""

    root: Path
    prefix: str

    def write(
        self,
        path: str,
        blocks: Iterable[bytes],
        *,
        algorithm: str,
        module: str,
        file_type: str,
        mode: int = 0o644,
        mtime_ns: int | None = None,
    ) -> Written:
        """Write one file below the run's folder; digests are taken while it is written, ``algorithm`` is that of the
        checksum to file. When ``blocks`` raises, nothing is left but folders. Raises FileExistsError when the name is
        taken.
        """
        relative_path = f"{self.prefix}/{path}"
        *folders, name = relative_path.split("/")
        digest, filed = new_digest(), new_digest(algorithm)
        part = f".writing-{uuid4().hex}"
        size = 0
        with opened_root(str(self.root)) as root, opened_folder(root, folders, create=True) as at:
            try:
                with os.fdopen(os.open(part, CREATE_FLAGS, 0o600, dir_fd=at), "wb") as stream:
                    for block in blocks:
                        digest.update(block)
                        filed.update(block)
                        size += stream.write(block)
                    stream.flush()
                    os.fchmod(stream.fileno(), mode)
                    if mtime_ns is not None:
                        os.utime(stream.fileno(), ns=(mtime_ns, mtime_ns))
                    changed = os.fstat(stream.fileno()).st_mtime
                rename_noreplace(at, part, at, name)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(part, dir_fd=at)
                raise
        # A time before 1970 or in the future is not believed.
        created = datetime.fromtimestamp(changed, tz=UTC) if 0 <= changed <= time.time() else None
        checksum = filed.hexdigest()
        return Written(uuid4(), relative_path, size, str(digest), checksum, algorithm, module, file_type, created)


def run_prefix(moment: datetime) -> str:
    """A folder that no other run has: ``run-20261121T034500Z-ab12cd34``."""
    return f"run-{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}"
