"""What S3 servers and the network say, and what we make of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ccatdc.common.errors import CcatError, KeyMissingError, NoSpaceError, StorageError
from datamgmt.storage.s3.errors import from_response
from datamgmt.storage.s3.store import S3Storage
from tests.datamgmt.storage.contract import write
from tests.datamgmt.storage.places import S3Place

# What the server or the network says


def test_a_wrong_secret_is_the_trouble_of_the_place(s3_place: S3Place) -> None:
    s3_place.row.credentials = (s3_place.row.credentials[0], "not-the-secret")

    with pytest.raises(StorageError) as caught:
        write(S3Storage(s3_place.row), "file.dat", b"x")

    assert caught.value.code == "storage.s3_credentials"
    assert caught.value.retryable
    assert not caught.value.consumes_attempt
    assert caught.value.place == s3_place.row.uuid


def test_a_missing_bucket_is_the_operator_s_to_make(s3_place: S3Place) -> None:
    s3_place.row.bucket_name = "no-such-bucket"
    s3 = S3Storage(s3_place.row)

    for use in (s3.write_marker, lambda: s3.exists("a"), lambda: write(s3, "a", b"x")):
        with pytest.raises(StorageError) as caught:
            use()
        assert caught.value.code == "storage.s3_bucket_missing"


def test_a_server_out_of_reach_is_worth_a_retry(s3_place: S3Place) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        s3_place.row.endpoint_url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(StorageError) as caught:
            S3Storage(s3_place.row).open("a")

    assert caught.value.code == "storage.s3_unavailable"
    assert caught.value.retryable


def test_an_endpoint_that_is_no_address_is_a_setting(s3_place: S3Place) -> None:
    s3_place.row.endpoint_url = "not an address"

    with pytest.raises(StorageError) as caught:
        S3Storage(s3_place.row).exists("a")

    assert caught.value.code == "storage.s3_settings"


@pytest.mark.parametrize(
    ("code", "status", "error", "ours"),
    [
        ("NoSuchKey", 404, KeyMissingError, "storage.key_missing"),
        ("404", 404, KeyMissingError, "storage.key_missing"),
        ("NoSuchBucket", 404, StorageError, "storage.s3_bucket_missing"),
        ("403", 403, StorageError, "storage.s3_credentials"),
        ("ExpiredToken", 400, StorageError, "storage.s3_credentials"),
        ("RequestTimeTooSkewed", 403, StorageError, "storage.clock_skew"),
        ("QuotaExceeded", 403, NoSpaceError, "storage.no_space"),
        ("XMinioStorageFull", 507, NoSpaceError, "storage.no_space"),
        ("BadDigest", 400, StorageError, "storage.s3_bad_digest"),
        ("SlowDown", 503, StorageError, "storage.s3_unavailable"),
        ("429", 429, StorageError, "storage.s3_unavailable"),
        ("InternalError", 500, StorageError, "storage.s3_unavailable"),
        ("", 502, StorageError, "storage.s3_unavailable"),
        ("XMinioAdminBucketQuotaExceeded", 400, NoSpaceError, "storage.no_space"),
        ("MalformedXML", 400, StorageError, "storage.s3_refused"),
        ("IncompleteBody", 400, StorageError, "storage.s3_refused"),
        ("InvalidPart", 400, StorageError, "storage.s3_refused"),
        ("OperationAborted", 409, StorageError, "storage.s3_refused"),
        ("400", 400, StorageError, "storage.s3_refused"),
    ],
)
def test_every_refusal_has_a_code(code: str, status: int, error: type[CcatError], ours: str) -> None:
    answer: Any = {"Error": {"Code": code, "Message": "said"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    said = ClientError(answer, "PutObject")

    found = from_response(said, "write 'a'")

    assert type(found) is error
    assert found.code == ours
    # One odd answer is never final, and never the work's own fault.
    is_final = ours == "storage.key_missing"
    assert (found.retryable, found.consumes_attempt) == (not is_final, is_final)
    assert "write 'a'" in found.message


@pytest.fixture
def cutting_server() -> Iterator[str]:
    """A server that promises 1,000 bytes and hangs up after 400."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + bytes(400)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


def test_a_download_that_is_cut_off_is_no_short_file(s3_place: S3Place, cutting_server: str) -> None:
    s3_place.row.endpoint_url = cutting_server

    with S3Storage(s3_place.row).open("file.dat") as stream, pytest.raises(StorageError) as caught:
        stream.read()

    assert caught.value.code == "storage.s3_unavailable"
    assert caught.value.retryable
