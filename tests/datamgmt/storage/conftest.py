"""Places for the storage tests: an empty root folder and an empty bucket of a real server."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ccatdc.dev.s3server import S3Server
from datamgmt.storage.s3.client import make_client
from tests.datamgmt.storage.places import DiskPlace, S3Place, S3Row

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: Those of the ``s3_server`` that all tests share.
CREDENTIALS = ("ccat-test-access", "ccat-test-secret")

_buckets = count(1)


@pytest.fixture(scope="session")
def s3_client(s3_server: S3Server) -> S3Client:
    return make_client(S3Row("", s3_server.endpoint_url, CREDENTIALS))


@pytest.fixture
def bucket(s3_server: S3Server, s3_client: S3Client) -> S3Row:
    """The row of a location at a new bucket; it has no marker yet."""
    row = S3Row(f"bucket-{next(_buckets)}", s3_server.endpoint_url, CREDENTIALS)
    # Through the server: a folder made behind its back is seen only after a while.
    s3_client.create_bucket(Bucket=row.bucket_name)
    return row


@pytest.fixture
def disk_place(tmp_path: Path) -> DiskPlace:
    """A registered root folder."""
    root = tmp_path / "root"
    root.mkdir()
    place = DiskPlace(root)
    place.storage().write_marker()
    return place


@pytest.fixture
def s3_place(bucket: S3Row, s3_client: S3Client) -> S3Place:
    """A registered prefix of a bucket."""
    bucket.prefix = "archive/2026"
    place = S3Place(bucket, s3_client)
    place.storage().write_marker()
    return place
