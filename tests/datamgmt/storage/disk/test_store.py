"""The contract on a real disk. What only disks do and suffer is in test_disk_*.py."""

from __future__ import annotations

import pytest

from tests.datamgmt.storage.contract import StorageContract
from tests.datamgmt.storage.places import DiskPlace


class TestDisk(StorageContract):
    @pytest.fixture
    def place(self, disk_place: DiskPlace) -> DiskPlace:
        return disk_place
