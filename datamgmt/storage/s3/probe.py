"""What does this S3 server verify? Asked when a location is registered, by sending wrong checksums.

No server that was tried refused a wrong SHA-256 or CRC header; some refuse a wrong Content-MD5, one did not even check
the secret, and all of them answered 200. So each check is tried as a pair: the right value must be taken and the wrong
one refused. Only then may an archive operation rely on it; else it reads back what it wrote.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import google_crc32c
from botocore.exceptions import ClientError

from datamgmt.storage.s3.errors import s3_errors
from datamgmt.storage.s3.streams import abort_upload, content_md5

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_BODY: Final = b"What is written here is removed at once.\n" * 50
_OTHER: Final = _BODY.replace(b"removed", b"damaged")

_CRC64NVME_REFLECTED: Final = 0x9A6C9329AC4BC9B5
_ALL_ONES: Final = 0xFFFF_FFFF_FFFF_FFFF


def refused_checks(client: S3Client, wrong_secret: S3Client, bucket: str, folder: str) -> list[str]:
    """The names of the wrong uploads that were refused, as documented at ``S3Storage.probe``.

    ``wrong_secret`` is a client with the right access key and another secret.
    """
    trial = _Trial(client, bucket, f"{folder}/{uuid4().hex}")
    try:
        trial.require_working()
        refused = [name for name, passed in trial.results() if passed]
        if trial.refuses_secret(wrong_secret):
            refused.append("wrong_secret")
    finally:
        trial.clean_up()
    return refused


def crc64nvme(data: bytes) -> int:
    """CRC-64/NVME, bit by bit: good for the probe's two kilobytes, far too slow for data."""
    value = _ALL_ONES
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (_CRC64NVME_REFLECTED if value & 1 else 0)
    return value ^ _ALL_ONES


@dataclass(frozen=True)
class _Check:
    name: str
    parameter: str  # of boto3's put_object and upload_part
    value: Callable[[bytes], str]
    algorithm: str = ""  # what a multipart upload must be begun with
    whole: bool = False  # whether it can cover the whole object of a multipart upload


_CHECKS: Final = (
    _Check("content_md5", "ContentMD5", content_md5),
    _Check("sha256", "ChecksumSHA256", lambda data: _base64(hashlib.sha256(data).digest()), "SHA256"),
    _Check(
        "crc32c",
        "ChecksumCRC32C",
        lambda data: _base64(google_crc32c.value(data).to_bytes(4, "big")),
        "CRC32C",
        whole=True,
    ),
    _Check(
        "crc64nvme",
        "ChecksumCRC64NVME",
        lambda data: _base64(crc64nvme(data).to_bytes(8, "big")),
        "CRC64NVME",
        whole=True,
    ),
)


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


class _Trial:
    """One run of the probe; remembers what it made, to remove it."""

    def __init__(self, client: S3Client, bucket: str, folder: str) -> None:
        self._client = client
        self._bucket = bucket
        self._folder = folder
        self._keys: list[str] = []
        self._uploads: list[tuple[str, str]] = []

    def require_working(self) -> None:
        """An upload without any check must work, or every refusal below would mean nothing."""
        with s3_errors(f"write to the bucket {self._bucket}"):
            self._put(self._client, {})

    def results(self) -> Iterator[tuple[str, bool]]:
        """Each check with whether it protects: the right value is taken, the wrong one refused."""
        for check in _CHECKS:
            ways: dict[str, Callable[[_Check, bytes], None]] = {"put": self._put_checked, "part": self._part_checked}
            if check.whole:
                ways["complete"] = self._complete_checked
            for way, attempt in ways.items():
                takes_right = not self._refused(attempt, check, _BODY)
                yield f"{check.name}_{way}", takes_right and self._refused(attempt, check, _OTHER)

    def refuses_secret(self, wrong: S3Client) -> bool:
        """Whether the server looks at the signature at all."""
        with s3_errors(f"probe the secret in the bucket {self._bucket}"):
            try:
                self._put(wrong, {})
            except ClientError as error:
                if _is_refusal(error):
                    return True
                raise
        return False

    def clean_up(self) -> None:
        """Remove every object and upload of this trial, each by its own key."""
        for key, upload_id in self._uploads:
            abort_upload(self._client, self._bucket, key, upload_id)
        with s3_errors("remove what the probe wrote"):
            for key in self._keys:
                self._client.delete_object(Bucket=self._bucket, Key=key)

    def _refused(self, attempt: Callable[[_Check, bytes], None], check: _Check, claimed: bytes) -> bool:
        with s3_errors(f"probe {check.name} in the bucket {self._bucket}"):
            try:
                attempt(check, claimed)
            except ClientError as error:
                if _is_refusal(error):
                    return True
                raise
        return False

    def _put(self, client: S3Client, extra: dict[str, Any]) -> None:
        client.put_object(Bucket=self._bucket, Key=self._new_key(), Body=_BODY, **extra)

    def _put_checked(self, check: _Check, claimed: bytes) -> None:
        self._put(self._client, {check.parameter: check.value(claimed)})

    def _part_checked(self, check: _Check, claimed: bytes) -> None:
        begin = {"ChecksumAlgorithm": check.algorithm} if check.algorithm else {}
        self._send_part(begin, {check.parameter: check.value(claimed)})

    def _complete_checked(self, check: _Check, claimed: bytes) -> None:
        begin = {"ChecksumAlgorithm": check.algorithm, "ChecksumType": "FULL_OBJECT"}
        right = check.value(_BODY)
        key, upload_id, part = self._send_part(begin, {check.parameter: right})
        parts: Any = [{**part, check.parameter: right}]
        extra: dict[str, Any] = {check.parameter: check.value(claimed)}
        self._client.complete_multipart_upload(
            Bucket=self._bucket,
            Key=key,
            UploadId=upload_id,
            MultipartUpload={"Parts": parts},
            ChecksumType="FULL_OBJECT",
            **extra,
        )

    def _send_part(self, begin: dict[str, Any], extra: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
        key = self._new_key()
        upload_id = self._client.create_multipart_upload(Bucket=self._bucket, Key=key, **begin)["UploadId"]
        self._uploads.append((key, upload_id))
        sent = self._client.upload_part(
            Bucket=self._bucket, Key=key, UploadId=upload_id, PartNumber=1, Body=_BODY, **extra
        )
        return key, upload_id, {"PartNumber": 1, "ETag": sent["ETag"]}

    def _new_key(self) -> str:
        key = f"{self._folder}/{len(self._keys)}"
        self._keys.append(key)
        return key


def _is_refusal(error: ClientError) -> bool:
    """A server's no, as opposed to its being unwell. 501: it does not know what was asked."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.NOT_IMPLEMENTED
