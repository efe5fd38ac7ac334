"""The S3 server of the demo and the tests: asks for credentials, checks MD5, keeps plain files."""

from __future__ import annotations

import base64
import hashlib
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from ccatdc.common.errors import ConfigurationError, ExternalError
from ccatdc.dev.s3server import S3Server
from tests.dev.conftest import first_line, wait_until_gone

START_AND_STAY = """
import sys, time
from pathlib import Path
from ccatdc.dev.s3server import S3Server
server = S3Server(Path(sys.argv[1]), access_key="key", secret_key="secret")
server.start()
print(server._process.pid, flush=True)
time.sleep(600)
"""
PART = 5 << 20


def md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def refusal(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_an_object_lands_as_a_plain_file_under_its_key(s3_server: S3Server, s3_bucket: str) -> None:
    key = "prime-cam/2026/04/01/with space+ü.tar"
    s3_server.client().put_object(Bucket=s3_bucket, Key=key, Body=b"bytes", ContentMD5=md5(b"bytes"))
    assert files(s3_server.root / s3_bucket) == [key]
    assert (s3_server.root / s3_bucket / key).read_bytes() == b"bytes"


def test_parts_in_any_order_become_one_file_and_ranges_are_read(s3_server: S3Server, s3_bucket: str) -> None:
    client = s3_server.client()
    bodies = {1: b"a" * PART, 2: b"b" * PART, 3: b"tail"}
    upload = client.create_multipart_upload(Bucket=s3_bucket, Key="big")["UploadId"]
    tags = {
        number: client.upload_part(
            Bucket=s3_bucket,
            Key="big",
            UploadId=upload,
            PartNumber=number,
            Body=bodies[number],
            ContentMD5=md5(bodies[number]),
        )["ETag"]
        for number in (2, 3, 1)
    }
    client.complete_multipart_upload(
        Bucket=s3_bucket,
        Key="big",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": n, "ETag": tags[n]} for n in (1, 2, 3)]},
    )
    whole = bodies[1] + bodies[2] + bodies[3]
    assert (s3_server.root / s3_bucket / "big").read_bytes() == whole
    found = client.get_object(Bucket=s3_bucket, Key="big", Range=f"bytes={PART - 2}-{PART + 1}")
    assert found["Body"].read() == b"aabb"


def test_a_wrong_md5_is_refused_and_the_object_there_stays(s3_server: S3Server, s3_bucket: str) -> None:
    client = s3_server.client()
    client.put_object(Bucket=s3_bucket, Key="kept", Body=b"good")
    for key in ("kept", "new"):
        with pytest.raises(ClientError) as error:
            client.put_object(Bucket=s3_bucket, Key=key, Body=b"bad!", ContentMD5=md5(b"good"))
        assert refusal(error) == "BadDigest"
    assert files(s3_server.root / s3_bucket) == ["kept"]
    assert (s3_server.root / s3_bucket / "kept").read_bytes() == b"good"


def test_a_wrong_md5_of_a_part_drops_the_upload(s3_server: S3Server, s3_bucket: str) -> None:
    client = s3_server.client()
    upload = client.create_multipart_upload(Bucket=s3_bucket, Key="big")["UploadId"]

    def send(number: int, body: bytes, checksum: str) -> None:
        client.upload_part(
            Bucket=s3_bucket, Key="big", UploadId=upload, PartNumber=number, Body=body, ContentMD5=checksum
        )

    send(1, b"a" * PART, md5(b"a" * PART))
    with pytest.raises(ClientError) as error:
        send(2, b"b" * PART, md5(b"a"))
    assert refusal(error) == "BadDigest"
    with pytest.raises(ClientError) as error:
        send(2, b"b" * PART, md5(b"b" * PART))
    assert refusal(error) == "NoSuchUpload"
    assert files(s3_server.root / s3_bucket) == []


@pytest.mark.parametrize(
    ("access_key", "secret_key", "code"),
    [("ccat-test-access", "wrong", "SignatureDoesNotMatch"), ("nobody", "ccat-test-secret", "InvalidAccessKeyId")],
)
def test_wrong_credentials_are_refused(
    s3_server: S3Server, s3_bucket: str, access_key: str, secret_key: str, code: str
) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=s3_server.endpoint_url,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name="us-east-1",
    )
    with pytest.raises(ClientError) as error:
        client.list_objects_v2(Bucket=s3_bucket)
    assert refusal(error) == code


def test_without_credentials_nothing_is_told(s3_server: S3Server, s3_bucket: str) -> None:
    client = boto3.client(
        "s3", endpoint_url=s3_server.endpoint_url, region_name="us-east-1", config=Config(signature_version=UNSIGNED)
    )
    with pytest.raises(ClientError):
        client.list_objects_v2(Bucket=s3_bucket)


@pytest.mark.parametrize("secret", ["plain-secret", 'with "quote" and space', "p+/=ü", " edge "])
def test_any_secret_works_and_none_is_on_the_command_line(tmp_path: Path, secret: str) -> None:
    with S3Server(tmp_path / "s 3", access_key="key", secret_key=secret) as server:
        server.ensure_bucket("bucket")
        server.client().put_object(Bucket="bucket", Key="x", Body=b"1")
        assert server._process is not None
        command = Path(f"/proc/{server._process.pid}/cmdline").read_text()
        assert "serve" in command
        assert secret not in command


@pytest.mark.parametrize(("access_key", "secret"), [("ab", "s"), ("a,b,c", "s"), ("abc", "s,t")])
def test_keys_that_the_server_cannot_take_are_refused(tmp_path: Path, access_key: str, secret: str) -> None:
    with pytest.raises(ConfigurationError):
        S3Server(tmp_path / "s3", access_key=access_key, secret_key=secret).start()


def test_buckets_survive_a_restart_on_the_same_port(tmp_path: Path) -> None:
    server = S3Server(tmp_path / "s3", access_key="key", secret_key="secret")
    server.ensure_bucket("before")
    with server:
        server.ensure_bucket("during")
        server.ensure_bucket("during")
        server.client().put_object(Bucket="during", Key="x", Body=b"1")
        address = server.endpoint_url
    with server:
        assert server.endpoint_url == address
        names = [bucket["Name"] for bucket in server.client().list_buckets()["Buckets"]]
        assert names == ["before", "during"]


def test_a_taken_port_is_an_error_that_says_so(tmp_path: Path, s3_server: S3Server) -> None:
    second = S3Server(tmp_path / "s3", access_key="key", secret_key="secret", port=s3_server.port)
    with pytest.raises(ExternalError, match="address already in use"):
        second.start()


def test_damage_on_disk_is_seen_through_the_server(s3_server: S3Server, s3_bucket: str) -> None:
    client = s3_server.client()
    client.put_object(Bucket=s3_bucket, Key="x", Body=b"12345")
    assert client.head_object(Bucket=s3_bucket, Key="x")["ETag"].strip('"') == (
        hashlib.md5(b"12345", usedforsecurity=False).hexdigest()
    )
    (s3_server.root / s3_bucket / "x").write_bytes(b"1?3")
    time.sleep(1.2)  # the server looks at the folder again after one second
    assert client.get_object(Bucket=s3_bucket, Key="x")["Body"].read() == b"1?3"


def test_the_server_goes_when_its_starter_is_killed(
    tmp_path: Path, other_process: Callable[..., subprocess.Popen[str]]
) -> None:
    starter = other_process(START_AND_STAY, tmp_path / "s3")
    pid = int(first_line(starter))
    starter.send_signal(signal.SIGKILL)
    wait_until_gone(pid)
