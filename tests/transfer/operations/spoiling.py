"""What happens to bytes behind the catalogue's back. Used by the tests of the operations."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datamgmt.models import BundleFormat, DataLocation, PhysicalCopy, RawDataPackage
from datamgmt.states import Integrity
from datamgmt.storage.disk.store import DiskStorage
from tests.flow import Flow
from transfer.models import DataTransferRoute, RouteType


def flip(path: Path, offset: int = 600) -> None:
    """One bit; by default of the first file in the first tar."""
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    """Its second half is lost."""
    os.truncate(path, path.stat().st_size // 2)


#: What may become of a file, and what the copy is then.
SPOILED: dict[str, tuple[Callable[[Path], None], str]] = {
    "flipped": (flip, Integrity.DAMAGED),
    "cut": (cut, Integrity.DAMAGED),
    "gone": (Path.unlink, Integrity.MISSING),
}
every_way = pytest.mark.parametrize(("spoil", "integrity"), SPOILED.values(), ids=SPOILED)


class BadSector(io.RawIOBase):
    """Gives nothing."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def put_on_bad_sector(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Let the disk not give this file any more."""
    real = DiskStorage.open

    def opened(self: DiskStorage, key: str) -> Any:
        return BadSector() if self.local_path(key) == path else real(self, key)

    monkeypatch.setattr(DiskStorage, "open", opened)


def copy_of(package: RawDataPackage, location: DataLocation) -> PhysicalCopy:
    """Its copy that exists there."""
    copies = PhysicalCopy.objects.of_package(package.pk).at(location).existing()
    found: PhysicalCopy = copies.with_subjects().get()
    return found


def path_of(package: RawDataPackage, location: DataLocation) -> Path:
    """Its tar on a disk."""
    return Path(copy_of(package, location).full_path)


def packages(flow: Flow, count: int = 2) -> list[RawDataPackage]:
    """So many packages in the BUFFER in Chile, by name."""
    for number in range(count):
        flow.observe({f"run{number}/a": bytes([number]) * 3000, f"run{number}/b": b"b"})
    flow.run("package")
    return list(RawDataPackage.objects.order_by("name"))


def as_tar(flow: Flow) -> None:
    """Bundles travel as tars of tars."""
    DataTransferRoute.objects.create(
        name="as_tar",
        route_type=RouteType.CUSTOM,
        origin_site=flow.ccat,
        destination_site=flow.cologne,
        origin_location=flow.output_buffer,
        destination_location=flow.input_buffer,
        bundle_format=BundleFormat.TAR,
    )


def directly(flow: Flow) -> None:
    """Bundles end in the archive."""
    DataTransferRoute.objects.create(
        name="direct", route_type=RouteType.DIRECT, origin_site=flow.ccat, destination_site=flow.cologne
    )
