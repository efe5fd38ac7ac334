"""A tape library: a future capability. It can be described as a location; every use of it is
refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from datamgmt.storage.base import LocationStorage, Stored, Usage, Writer


class TapeStorage(LocationStorage):
    """Raises :class:`NotSupportedError` whatever it is asked."""

    technology = "Tape"

    def write_marker(self) -> None:
        self._cannot("be marked yet")

    def check_identity(self) -> None:
        self._cannot("be checked yet")

    def open(self, key: str) -> BinaryIO:
        self._cannot(f"read {key!r} yet")

    def stat(self, key: str) -> Stored:
        self._cannot(f"look at {key!r} yet")

    def exists(self, key: str) -> bool:
        self._cannot(f"look at {key!r} yet")

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Stored]]:
        self._cannot(f"list {prefix!r} yet")

    def usage(self) -> Usage:
        self._cannot("be measured yet")

    def local_path(self, key: str) -> Path | None:
        self._cannot(f"show {key!r} as a file")

    def writer(
        self, key: str, attempt: str, size: int | None = None
    ) -> AbstractContextManager[Writer]:
        self._cannot(f"write {key!r} yet ({size} bytes, {attempt})")

    def discard_attempt(self, key: str, attempt: str) -> None:
        self._cannot(f"tidy up {key!r} yet ({attempt})")

    def delete(self, key: str, *, expected: Stored | None = None) -> None:
        self._cannot(f"delete {key!r} yet ({expected})")
