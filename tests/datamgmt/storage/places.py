"""Places to store things in, as plain objects: the storage classes need no database."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from datamgmt.storage.disk.store import DiskStorage
from datamgmt.storage.keys import MARKER_KEY
from datamgmt.storage.s3.store import S3Storage

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OURS = UUID("11111111-1111-4111-8111-111111111111")
THEIRS = UUID("22222222-2222-4222-8222-222222222222")

REPOSITORY = Path(__file__).parents[3]
CHILD_SECONDS = 60


def start_child(script: str, *arguments: str, wrapper: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    """Run a Python script in a process of its own, with the repository to import from."""
    command = [*wrapper, sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})


def run_child(script: str, *arguments: str, wrapper: tuple[str, ...] = ()) -> int:
    """The exit status of such a process; negative: the signal that ended it."""
    child = start_child(script, *arguments, wrapper=wrapper)
    try:
        return child.wait(CHILD_SECONDS)
    finally:
        child.kill()
        child.wait()


@dataclass
class DiskRow:
    path: str
    uuid: UUID = OURS
    full_name: str = "cologne_buffer"
    storage: str = "datamgmt.storage.disk.store.DiskStorage"


@dataclass
class S3Row:
    bucket_name: str
    endpoint_url: str
    credentials: tuple[str, str]
    prefix: str = ""
    region: str = ""
    uuid: UUID = OURS
    full_name: str = "cologne_archive"
    storage: str = "datamgmt.storage.s3.store.S3Storage"

    def get_s3_credentials(self) -> tuple[str, str]:
        return self.credentials


@dataclass
class DiskPlace:
    """A root folder, and how to look at it and meddle with it behind the storage's back."""

    root: Path

    def storage(self, uuid: UUID = OURS, name: str = "cologne_buffer") -> DiskStorage:
        return DiskStorage(DiskRow(str(self.root), uuid, name))

    def remove_marker(self) -> None:
        (self.root / MARKER_KEY).unlink()

    def damage_marker(self) -> None:
        (self.root / MARKER_KEY).write_bytes(b"{not json")

    def put(self, key: str, content: bytes) -> None:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def unfinished(self) -> list[str]:
        parts = self.root / ".ccatdc" / "parts"
        return sorted(path.name for path in parts.iterdir()) if parts.exists() else []


@dataclass
class S3Place:
    """A prefix of a bucket; looked at with the plain client."""

    row: S3Row
    client: S3Client

    @property
    def prefix(self) -> str:
        return f"{self.row.prefix}/" if self.row.prefix else ""

    def storage(self, uuid: UUID = OURS, name: str = "cologne_archive") -> S3Storage:
        row = S3Row(
            self.row.bucket_name,
            self.row.endpoint_url,
            self.row.credentials,
            self.row.prefix,
            uuid=uuid,
            full_name=name,
        )
        storage = S3Storage(row)
        storage.client = self.client  # making one takes a tenth of a second
        return storage

    def remove_marker(self) -> None:
        self.client.delete_object(Bucket=self.row.bucket_name, Key=self.prefix + MARKER_KEY)

    def damage_marker(self) -> None:
        self.put(MARKER_KEY, b"{not json")

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.row.bucket_name, Key=self.prefix + key, Body=content)

    def unfinished(self) -> list[str]:
        try:
            found = self.client.list_multipart_uploads(Bucket=self.row.bucket_name)
        except self.client.exceptions.NoSuchUpload:  # how this server says that there are none
            return []
        return sorted(upload["Key"] for upload in found.get("Uploads", []))
