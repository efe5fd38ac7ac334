"""A location in an S3 bucket: mostly a LONG_TERM_ARCHIVE.

S3 has no rename and no folders, and a later upload silently replaces an earlier one. So names are used once (the
attempt is part of the key), nothing is visible before it is complete, and exactly one key is ever deleted. What the
server verifies of an upload is what :meth:`S3Storage.probe` saw it refuse; a 200 proves nothing.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast
from urllib.parse import urlsplit
from uuid import uuid4

from ccatdc.common.errors import KeyEscapesError, KeyMissingError, StorageError
from datamgmt.storage.base import (
    PROBE,
    LocationStorage,
    Stored,
    Usage,
    Writer,
    require_announced,
    require_probe,
    require_unchanged,
)
from datamgmt.storage.keys import MARKER_KEY, PROBE_FOLDER, RESERVED, attempt_of, checked_folder, checked_key
from datamgmt.storage.s3.certificates import certificate_end
from datamgmt.storage.s3.client import S3Location, make_client
from datamgmt.storage.s3.errors import s3_errors
from datamgmt.storage.s3.probe import refused_checks
from datamgmt.storage.s3.streams import Download, Upload, abort_upload, abort_uploads, content_md5, unfinished_uploads

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: The protocol's limit for a whole key, in UTF-8.
KEY_BYTES: Final = 1024

_WRONG_SECRET: Final = "this-is-not-the-secret-of-the-location"  # noqa: S105 (wrong on purpose)
_NS_PER_SECOND: Final = 1_000_000_000


class S3Storage(LocationStorage):
    """Objects below one prefix of one bucket."""

    technology = "S3"

    #: How long a marker that was right is believed. A GET for each of thousands of writes would double the requests
    #: and, with a fifth of a second to the far site, the time. A bucket is re-pointed by editing a row, which makes a
    #: new storage; within one instance it is the same server and the same name.
    identity_seconds = 5.0

    def __init__(self, location: S3Location) -> None:
        super().__init__(location)
        self._location = location
        self._bucket = location.bucket_name
        self._prefix = location.prefix.strip("/")
        self._where = f"s3://{self._bucket}/{self._prefix}".rstrip("/")
        self._identified_at: float | None = None

    @cached_property
    def client(self) -> S3Client:
        """The boto3 client of this location."""
        with s3_errors(f"reach {self.name}"):
            return make_client(self._location)

    # Identity

    def write_marker(self) -> None:
        found = self._read_marker()
        if found is None:
            content = self._marker.to_bytes()
            with s3_errors(f"mark {self.name}"):
                self.client.put_object(
                    Bucket=self._bucket,
                    Key=self._object_key(MARKER_KEY),
                    Body=content,
                    ContentMD5=content_md5(content),
                    ContentType="application/json",
                )
            found = self._read_marker()
        self._marker.require(found, self._where)

    def check_identity(self) -> None:
        """Remembered for ``identity_seconds`` when it was right."""
        now = time.monotonic()
        if self._identified_at is not None and now - self._identified_at < self.identity_seconds:
            return
        self._identified_at = None
        self._marker.require(self._read_marker(), self._where)
        self._identified_at = now

    def probe(self) -> list[str]:
        """Which deliberately wrong uploads this server refuses: the names in ``refused_checksums``.

        For example ``content_md5_put``, ``sha256_part``, ``crc64nvme_complete``, and ``wrong_secret``. Uploads a few
        kilobytes below the reserved folder and removes them again.
        """
        self.check_identity()
        return refused_checks(
            self.client, make_client(self._location, secret=_WRONG_SECRET), self._bucket, self._object_key(PROBE_FOLDER)
        )

    # Reading

    def open(self, key: str) -> BinaryIO:
        doing = f"read {key!r} at {self.name}"
        with self._missing_is_proven(checked_key(key)), s3_errors(doing):
            found = self.client.get_object(Bucket=self._bucket, Key=self._object_key(key))
        return cast(BinaryIO, io.BufferedReader(Download(found["Body"], doing)))

    def open_range(self, key: str, start: int, length: int) -> BinaryIO:
        """A server that ignores ranges is an error: it would send other bytes than were asked for."""
        checked_key(key)
        if length == 0:
            return io.BytesIO()  # a range has one byte at least
        doing = f"read {length} bytes of {key!r} at {self.name}"
        wanted = f"bytes={start}-{start + length - 1}"
        with self._missing_is_proven(key), s3_errors(doing):
            found = self.client.get_object(Bucket=self._bucket, Key=self._object_key(key), Range=wanted)
        if not found.get("ContentRange", "").startswith(f"bytes {start}-"):
            found["Body"].close()
            raise StorageError(f"Cannot {doing}: the server sends no ranges.", code="storage.s3_refused")
        return cast(BinaryIO, io.BufferedReader(Download(found["Body"], doing)))

    def presigned_address(self, key: str, seconds: int) -> str:
        """Made here, without asking the server."""
        what = {"Bucket": self._bucket, "Key": self._object_key(checked_key(key))}
        with s3_errors(f"make an address of {key!r}"):
            return self.client.generate_presigned_url("get_object", Params=what, ExpiresIn=seconds)

    def stat(self, key: str) -> Stored:
        with self._missing_is_proven(checked_key(key)), s3_errors(f"look at {key!r}"):
            found = self.client.head_object(Bucket=self._bucket, Key=self._object_key(key))
        return _as_stored(found["ContentLength"], found["LastModified"], found.get("ETag", ""))

    def exists(self, key: str) -> bool:
        try:
            self.stat(key)
        except KeyMissingError:
            return False
        return True

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Stored]]:
        self.check_identity()
        below = self._object_key(checked_folder(prefix)) if prefix else self._prefix
        folder = f"{below}/" if below else ""
        cut = len(f"{self._prefix}/") if self._prefix else 0
        with s3_errors(f"list {self.name}"):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=folder)
            for page in pages:
                for found in page.get("Contents", []):
                    key = found["Key"][cut:]
                    # Some clients make empty objects to show folders; they are no files.
                    if key.startswith(f"{RESERVED}/") or key.endswith("/"):
                        continue
                    yield (key, _as_stored(found["Size"], found["LastModified"], found.get("ETag", "")))

    def usage(self) -> Usage:
        """Unknown: S3 tells no capacity, and adding up a bucket takes one request per 1,000 objects."""
        self.check_identity()
        return Usage(used_bytes=None, capacity_bytes=None)

    def probe_writing(self) -> None:
        key = self._object_key(f"{PROBE_FOLDER}/check-{uuid4().hex}")
        self.check_identity()
        with s3_errors(f"write to {self.name}"):
            self.client.put_object(Bucket=self._bucket, Key=key, Body=PROBE, ContentMD5=content_md5(PROBE))
            with self.client.get_object(Bucket=self._bucket, Key=key)["Body"] as body:
                found = body.read()
            self.client.delete_object(Bucket=self._bucket, Key=key)
        require_probe(found, self.name)

    def certificate_expires_at(self) -> datetime | None:
        endpoint = urlsplit(self.client.meta.endpoint_url)
        if endpoint.scheme != "https" or endpoint.hostname is None:
            return None
        with s3_errors(f"look at the certificate of {self.name}"):
            return certificate_end(endpoint.hostname, endpoint.port or 443)

    def local_path(self, key: str) -> Path | None:
        checked_key(key)
        return None

    # Writing

    @contextmanager
    def writer(self, key: str, attempt: str, size: int | None = None) -> Iterator[Writer]:
        """S3 cannot refuse to replace: put the attempt into the key."""
        object_key = self._object_key(checked_key(key))
        self.check_identity()
        upload = Upload(self.client, self._bucket, object_key, size, f"write {key!r} at {self.name} ({attempt})")
        try:
            yield upload
            require_announced(key, upload.size, size)
            upload.finish()
        except BaseException as error:
            upload.discard(error)
            raise

    def discard_attempt(self, key: str, attempt: str) -> None:  # noqa: ARG002 (it is in the key)
        """Abort the unfinished uploads of exactly this key, which has the attempt in it."""
        object_key = self._object_key(checked_key(key))
        self.check_identity()
        abort_uploads(self.client, self._bucket, object_key)

    def delete(self, key: str, *, expected: Stored | None = None) -> None:
        """S3 cannot compare and delete in one step; a name is used once, so nothing comes in between."""
        object_key = self._object_key(checked_key(key))
        self.check_identity()
        if expected is not None:
            try:
                require_unchanged(key, self.stat(key), expected)
            except KeyMissingError:
                return
        with s3_errors(f"delete {key!r} at {self.name}"):
            self.client.delete_object(Bucket=self._bucket, Key=object_key)

    def sweep(self, is_over: Callable[[str], bool], age: timedelta) -> list[str]:
        """Parts that were uploaded cost room although no listing shows them, until the upload is aborted."""
        self.check_identity()
        folder = f"{self._prefix}/" if self._prefix else ""
        removed = []
        for upload in unfinished_uploads(self.client, self._bucket, folder):
            attempt = attempt_of(upload["Key"])
            if attempt and is_over(attempt) and upload["Initiated"] < datetime.now(UTC) - age:
                abort_upload(self.client, self._bucket, upload["Key"], upload["UploadId"])
                removed.append(upload["Key"])
        return removed

    # Beneath

    def _object_key(self, key: str) -> str:
        object_key = f"{self._prefix}/{key}" if self._prefix else key
        if len(object_key.encode()) > KEY_BYTES:
            raise KeyEscapesError(
                f"The key {object_key!r} has more than {KEY_BYTES} bytes, which S3 does not take.",
                code="storage.key_too_long",
            )
        return object_key

    def _read_marker(self) -> bytes | None:
        try:
            with s3_errors(f"read the marker of {self.name}"):
                found = self.client.get_object(Bucket=self._bucket, Key=self._object_key(MARKER_KEY))
                with found["Body"] as body:
                    return body.read()
        except KeyMissingError:
            return None

    @contextmanager
    def _missing_is_proven(self, key: str) -> Iterator[None]:
        """That something is missing counts only in a bucket that is ours."""
        try:
            yield
        except KeyMissingError as error:
            self.check_identity()
            raise KeyMissingError(f"There is no file {key!r} at {self.name}.") from error


def _as_stored(size: int, modified: datetime, version: str = "") -> Stored:
    # Whole seconds: a HEAD tells no more, a listing may tell milliseconds of the same object.
    mtime_ns = int(modified.timestamp()) * _NS_PER_SECOND
    return Stored(size=size, mtime_ns=mtime_ns, version=version.strip('"'))
