"""What the real server refuses, found out by lying to it; and servers that take anything."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ccatdc.common.errors import LocationIdentityError, StorageError
from datamgmt.storage.s3.client import make_client
from datamgmt.storage.s3.probe import crc64nvme, refused_checks
from datamgmt.storage.s3.store import S3Storage
from tests.datamgmt.storage.places import S3Place


def probe_litter(place: S3Place) -> list[str]:
    found = place.client.list_objects_v2(Bucket=place.row.bucket_name)
    keys = [entry["Key"] for entry in found.get("Contents", [])]
    assert "archive/2026/.ccatdc/location.json" in keys
    return [key for key in keys if "probe" in key] + place.unfinished()


def test_rclone_refuses_a_wrong_content_md5_and_a_wrong_secret_only(s3_place: S3Place) -> None:
    assert s3_place.storage().probe() == ["content_md5_put", "content_md5_part", "wrong_secret"]
    assert probe_litter(s3_place) == []


def test_a_probe_needs_a_place_that_is_ours(s3_place: S3Place) -> None:
    s3_place.remove_marker()

    with pytest.raises(LocationIdentityError):
        s3_place.storage().probe()


def test_a_server_that_does_not_work_passes_no_probe(s3_place: S3Place) -> None:
    """Else every refusal would look like care."""
    s3 = s3_place.storage()
    s3.check_identity()
    s3_place.row.credentials = (s3_place.row.credentials[0], "not-the-secret")
    s3.client = S3Storage(s3_place.row).client

    with pytest.raises(StorageError) as caught:
        s3.probe()

    assert caught.value.code == "storage.s3_credentials"


class CarelessServer(BaseHTTPRequestHandler):
    """Says yes to all uploads, or no to all that carry a checksum, without reading them."""

    protocol_version = "HTTP/1.1"
    refuses_checksums = False

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        checked = any("checksum" in name.lower() for name in self.headers)
        body = (
            b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
            if "uploads" in self.path
            else b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"
        )
        self.send_response(400 if checked and self.refuses_checksums else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"e"')
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_POST = do_DELETE = answer  # noqa: N815 (the names that http.server calls)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
        """Quiet."""


@contextmanager
def careless(*, refuses_checksums: bool) -> Iterator[str]:
    handler = type("Handler", (CarelessServer,), {"refuses_checksums": refuses_checksums})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("refuses_checksums", [False, True])
def test_a_server_that_looks_at_nothing_passes_no_check(s3_place: S3Place, refuses_checksums: bool) -> None:
    """Neither one that takes all, nor one that refuses right checksums as well as wrong ones."""
    with careless(refuses_checksums=refuses_checksums) as endpoint:
        s3_place.row.endpoint_url = endpoint
        client = make_client(s3_place.row)
        found = refused_checks(client, client, "bucket", ".ccatdc/probe")

    assert found == []


def test_the_crc_is_the_published_one() -> None:
    assert crc64nvme(b"123456789") == 0xAE8B14860A799888
    assert crc64nvme(b"") == 0
