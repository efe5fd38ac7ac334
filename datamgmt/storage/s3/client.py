"""The S3 client of a location: made in one place, so that storage, probe and tests speak alike."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

import boto3
import botocore.session
from botocore.config import Config

from ccatdc.common.errors import StorageError
from datamgmt.storage.base import Location

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: A location's row and keys say all: profiles, configuration files and proxies of whoever started the process are not ours.
_ENVIRONMENT_IGNORED: Final[dict[str, Any]] = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
    "ca_bundle": (None, None, None, None),
}
_CONFIG: Final = Config(
    proxies={},
    signature_version="s3v4",
    connect_timeout=10,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 3},
    # Checksums of the library's choice are sent and checked only where the protocol demands it:
    # other servers than AWS refuse or forget them. What counts is Content-MD5, the probe and our
    # own digest.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    s3={
        # Every server knows buckets in the path; names as host names need DNS and certificates.
        "addressing_style": "path",
        # SHA-256 over the payload costs seven times the upload; Content-MD5 is signed instead.
        "payload_signing_enabled": False,
    },
)


class S3Location(Location, Protocol):
    """What the S3 classes need of the location's row."""

    @property
    def bucket_name(self) -> str: ...

    @property
    def endpoint_url(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def prefix(self) -> str: ...

    def get_s3_credentials(self) -> tuple[str, str]: ...


def make_client(location: S3Location, *, secret: str | None = None) -> S3Client:
    """A client with the location's credentials; ``secret`` replaces the right one (the probe's wrong key).

    Clients are kept: making one takes 0.1 s of processor time, and a kept one has open connections. A forked process
    makes its own.
    """
    access_key, own_secret = location.get_s3_credentials()
    try:
        # A region is part of every signature; servers outside AWS take this one.
        return _client(
            os.getpid(),
            location.endpoint_url or None,
            location.region or "us-east-1",
            access_key,
            own_secret if secret is None else secret,
        )
    except ValueError as error:  # an endpoint that is no address
        raise StorageError(f"Cannot reach {location.full_name}: {error}", code="storage.s3_settings") from error


@lru_cache(maxsize=32)
def _client(_process: int, endpoint_url: str | None, region: str, access_key: str, secret: str) -> S3Client:
    session = boto3.session.Session(
        botocore_session=botocore.session.Session(_ENVIRONMENT_IGNORED),
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        region_name=region,
    )
    return session.client("s3", endpoint_url=endpoint_url, config=_CONFIG)
