"""The contract on a real S3 server, and what only S3 does."""

from __future__ import annotations

import pytest

from tests.datamgmt.storage.contract import StorageContract
from tests.datamgmt.storage.places import S3Place


class TestS3(StorageContract):
    @pytest.fixture
    def place(self, s3_place: S3Place) -> S3Place:
        return s3_place
