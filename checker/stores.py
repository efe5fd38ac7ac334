"""Where bytes are, read with nothing but the operating system and boto3."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

#: What a location keeps for itself.
RESERVED = ".ccatdc"


class Store(Protocol):
    """One location."""

    def open(self, key: str) -> BinaryIO | None:
        """The bytes under a key, or None when nothing is there."""

    def everything(self) -> Iterator[str]:
        """Every file, without the reserved folder."""

    def below(self, folder: str) -> Iterator[str]:
        """Every file below a folder, named from there."""

    def leftovers(self) -> Iterator[str]:
        """What writers and deletions left behind."""


@dataclass(frozen=True)
class Disk:
    root: Path

    def open(self, key: str) -> BinaryIO | None:
        path = self.root / key
        return path.open("rb") if path.is_file() and not path.is_symlink() else None

    def everything(self) -> Iterator[str]:
        yield from (key for key in _files_below(self.root) if not key.startswith(f"{RESERVED}/"))

    def below(self, folder: str) -> Iterator[str]:
        yield from _files_below(self.root / folder)

    def leftovers(self) -> Iterator[str]:
        for name in ("parts", "quarantine"):
            folder = self.root / RESERVED / name
            if folder.is_dir():
                yield from (f"{RESERVED}/{name}/{each}" for each in sorted(path.name for path in folder.iterdir()))


def _files_below(root: Path) -> Iterator[str]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink():
                yield str(path.relative_to(root))


class Bucket:
    def __init__(self, bucket: str, prefix: str, **client: Any) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._client: Any = boto3.client("s3", config=Config(s3={"addressing_style": "path"}), **client)

    def open(self, key: str) -> BinaryIO | None:
        try:
            body: BinaryIO = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise
        return body

    def everything(self) -> Iterator[str]:
        yield from (key for key in self._listed(self._prefix) if not key.startswith(f"{RESERVED}/"))

    def below(self, folder: str) -> Iterator[str]:
        start = f"{folder}/"
        yield from (key.removeprefix(start) for key in self._listed(self._prefix + start))

    def leftovers(self) -> Iterator[str]:
        found = self._client.list_multipart_uploads(Bucket=self._bucket, Prefix=self._prefix)
        yield from (upload["Key"] for upload in found.get("Uploads", []))

    def _listed(self, prefix: str) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:
            yield from (each["Key"].removeprefix(self._prefix) for each in page.get("Contents", []))


def store_of(row: dict[str, Any]) -> Store:
    """The store of a location, from its row."""
    if row["storage_type"] == "disk":
        return Disk(Path(row["path"]))
    name = (row["credential_key"] or row["full_name"]).upper()
    return Bucket(
        row["bucket_name"],
        row["prefix"] or "",
        endpoint_url=row["endpoint_url"] or None,
        region_name=row["region"] or "us-east-1",
        aws_access_key_id=os.environ[f"CCATDC_S3_{name}_ACCESS_KEY"],
        aws_secret_access_key=os.environ[f"CCATDC_S3_{name}_SECRET_KEY"],
    )
