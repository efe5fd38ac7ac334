"""The contract on a real disk. What only disks can do and suffer is in test_disk_files.py and on."""

from __future__ import annotations

import pytest

from tests.datamgmt.storage.contract import StorageContract
from tests.datamgmt.storage.places import DiskPlace


class TestDisk(StorageContract):
    @pytest.fixture
    def place(self, disk_place: DiskPlace) -> DiskPlace:
        return disk_place
