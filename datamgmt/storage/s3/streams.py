"""Bytes to and from S3: an upload that appears whole or not at all, and a reader that tells when it is cut off."""

from __future__ import annotations

import hashlib
import io
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, cast

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from ccatdc.common.errors import CcatError, KeyExistsError, KeyMissingError, StorageError
from datamgmt.checksums import Data
from datamgmt.storage.s3.errors import s3_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, MultipartUploadTypeDef

MIB: Final = 1024 * 1024
PART_BYTES: Final = 64 * MIB
#: The protocol's limit. 64 MiB parts reach it at 625 GiB.
MAX_PARTS: Final = 10_000


def part_bytes_for(size: int | None) -> int:
    """The size of the parts of an upload: 64 MiB, more where the protocol's 10,000 parts would not do."""
    if size is None:
        return PART_BYTES
    needed = -(-size // MAX_PARTS)
    return max(PART_BYTES, -(-needed // MIB) * MIB)


def content_md5(data: Data) -> str:
    """The header that makes a server refuse a body that was damaged on the way, where it checks (see the probe)."""
    return b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


class Upload:
    """One new object: a single PUT when it is small, else parts.

    Nothing is visible before :meth:`finish`. Every request carries Content-MD5, which costs little beside the network.
    Holds one part in memory.
    """

    def __init__(self, client: S3Client, bucket: str, key: str, size: int | None, doing: str) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._doing = doing
        part_bytes = part_bytes_for(size)
        # A sidecar of a few kilobytes need not fill 64 MiB with zeros.
        self._buffer = bytearray(part_bytes if size is None else min(part_bytes, max(size, 1)))
        self._fill = 0
        self._upload_id = ""
        self._parts: list[CompletedPartTypeDef] = []
        self.size = 0
        self.require_free()

    def require_free(self) -> None:
        """:class:`KeyExistsError` when the name is taken. S3 itself would replace the object
        without a word.
        """
        try:
            self._head()
        except KeyMissingError:
            return
        raise KeyExistsError(
            f"{self._key!r} exists already and is never replaced.", remedy="A new attempt writes under a new name."
        )

    def write(self, data: Data, /) -> int:
        """Take all of ``data``; a part is sent when it is full and more comes."""
        with memoryview(data).cast("B") as view:
            taken = 0
            while taken < len(view):
                if self._fill == len(self._buffer):
                    self._send_part(self._buffer)
                count = min(len(self._buffer) - self._fill, len(view) - taken)
                self._buffer[self._fill : self._fill + count] = view[taken : taken + count]
                self._fill += count
                taken += count
            self.size += taken
        return taken

    def finish(self) -> None:
        """Send what is left and make the object visible; its size is what was written, or it goes again."""
        rest = bytes(memoryview(self._buffer)[: self._fill])
        if not self._upload_id:
            with s3_errors(self._doing):
                self._client.put_object(Bucket=self._bucket, Key=self._key, Body=rest, ContentMD5=content_md5(rest))
        else:
            self._send_part(rest)
            self.require_free()  # the upload took its time
            with s3_errors(self._doing):
                self._client.complete_multipart_upload(
                    Bucket=self._bucket, Key=self._key, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}
                )
            self._upload_id = ""
        try:
            stored: int | None = self._head()
        except KeyMissingError:
            stored = None
        if stored != self.size:
            with s3_errors(self._doing):
                self._client.delete_object(Bucket=self._bucket, Key=self._key)
            raise StorageError(
                f"The server took {self.size} bytes of {self._key!r} and then has "
                f"{'none' if stored is None else stored}; it was removed.",
                code="storage.s3_incomplete",
            )

    def discard(self, reason: BaseException) -> None:
        """Take back the parts because of ``reason``, which matters more than a failure here."""
        if not self._upload_id:
            return
        try:
            abort_upload(self._client, self._bucket, self._key, self._upload_id)
        except CcatError as error:
            reason.add_note(f"The upload {self._upload_id} could not be aborted: {error}")

    def _head(self) -> int:
        with s3_errors(self._doing):
            return self._client.head_object(Bucket=self._bucket, Key=self._key)["ContentLength"]

    def _send_part(self, body: bytes | bytearray) -> None:
        number = len(self._parts) + 1
        with s3_errors(self._doing):
            if not self._upload_id:
                begun = self._client.create_multipart_upload(Bucket=self._bucket, Key=self._key)
                self._upload_id = begun["UploadId"]
            sent = self._client.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._upload_id,
                PartNumber=number,
                Body=cast(bytes, body),  # a bytearray will do, and saves a copy of 64 MiB
                ContentMD5=content_md5(body),
            )
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})
        self._fill = 0


def abort_upload(client: S3Client, bucket: str, key: str, upload_id: str) -> None:
    """Take back the parts of an upload; one that is gone already is success."""
    with s3_errors(f"abort the upload of {key!r}"), _none_is_fine():
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)


def abort_uploads(client: S3Client, bucket: str, key: str) -> None:
    """Take back all unfinished uploads of exactly this key."""
    for upload in unfinished_uploads(client, bucket, key):
        if upload["Key"] == key:
            abort_upload(client, bucket, key, upload["UploadId"])


def unfinished_uploads(client: S3Client, bucket: str, prefix: str) -> list[MultipartUploadTypeDef]:
    """Uploads that were neither completed nor aborted, of keys that begin so."""
    found: list[MultipartUploadTypeDef] = []
    pages = client.get_paginator("list_multipart_uploads")
    with s3_errors(f"list the uploads of {prefix!r}"), _none_is_fine():
        for page in pages.paginate(Bucket=bucket, Prefix=prefix):
            found += page.get("Uploads", [])
    return found


@contextmanager
def _none_is_fine() -> Iterator[None]:
    """No such upload: somebody was faster. Some servers say so instead of an empty list, too."""
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "NoSuchUpload":
            raise


class Download(io.RawIOBase):
    """The body of an object as a raw stream; a connection that breaks is our error, not a short file."""

    def __init__(self, body: StreamingBody, doing: str) -> None:
        super().__init__()
        self._body = body
        self._doing = doing

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object, /) -> int:
        with (
            s3_errors(self._doing),
            memoryview(buffer) as whole,  # type: ignore[arg-type]
            whole.cast("B") as view,
        ):
            return self._body.readinto(view)  # type: ignore[arg-type]

    def close(self) -> None:
        if not self.closed:
            self._body.close()
        super().close()
