"""What S3 servers and the network say, as our errors with stable codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    InvalidRegionError,
    NoCredentialsError,
    ParamValidationError,
)
from urllib3.exceptions import HTTPError

from ccatdc.common.errors import (
    CcatError,
    ConfigurationError,
    KeyMissingError,
    NoSpaceError,
    StorageError,
)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a group of the servers' codes means to us. A HEAD has no code but its status."""

    codes: frozenset[str]
    error: type[CcatError]
    code: str
    remedy: str = ""


_ANSWERS: Final = (
    _Answer(
        frozenset({"NoSuchKey", "NoSuchVersion", "NotFound", "404"}),
        KeyMissingError,
        KeyMissingError.default_code,
    ),
    _Answer(
        frozenset({"NoSuchBucket"}),
        ConfigurationError,
        "storage.s3_bucket_missing",
        "Make the bucket, or correct its name in the location.",
    ),
    _Answer(
        frozenset(
            {
                "AccessDenied",
                "AllAccessDisabled",
                "AuthorizationHeaderMalformed",
                "ExpiredToken",
                "InvalidAccessKeyId",
                "InvalidToken",
                "SignatureDoesNotMatch",
                "401",
                "403",
            }
        ),
        ConfigurationError,
        "storage.s3_credentials",
        "Check the access key, the secret and the rights that they have on the bucket.",
    ),
    _Answer(
        frozenset({"RequestTimeTooSkewed"}),
        ConfigurationError,
        "storage.clock_skew",
        "Set the clock of this machine.",
    ),
    _Answer(
        frozenset({"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "507"}),
        NoSpaceError,
        NoSpaceError.default_code,
        "It goes on when there is room again.",
    ),
    _Answer(
        frozenset({"BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch"}),
        StorageError,
        "storage.s3_bad_digest",
        "The bytes were damaged on the way; a retry sends them again.",
    ),
    # NoSuchUpload: somebody aborted it, or the server gave it up; a retry begins a new one.
    _Answer(
        frozenset(
            {
                "NoSuchUpload",
                "RequestTimeout",
                "SlowDown",
                "Throttling",
                "ThrottlingException",
                "TooManyRequests",
                "408",
                "429",
            }
        ),
        StorageError,
        "storage.s3_unavailable",
    ),
)


@contextmanager
def s3_errors(doing: str) -> Iterator[None]:
    """Turn what boto3 raises while ``doing`` something into our errors.

    Credentials and bucket are an operator's to correct (:class:`ConfigurationError`); a server that
    is busy, failing or out of reach is worth a retry (:class:`StorageError`).
    """
    try:
        yield
    except CcatError:
        raise
    except ClientError as error:
        raise from_response(error, doing) from error
    except (NoCredentialsError, ParamValidationError, InvalidRegionError, ValueError) as error:
        # ValueError: an endpoint that is not an address
        raise ConfigurationError(
            f"Cannot {doing}: {error}",
            code="storage.s3_settings",
            remedy="Correct the endpoint, bucket or region of the location.",
        ) from error
    except (BotoCoreError, HTTPError, OSError) as error:
        raise StorageError(
            f"Cannot {doing}: the server did not answer as it should ({error}).",
            code="storage.s3_unavailable",
        ) from error


def from_response(error: ClientError, doing: str) -> CcatError:
    """Our error for a server's refusal."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    said = f"Cannot {doing}: the server says {code or status}"
    for answer in _ANSWERS:
        if code in answer.codes:
            return answer.error(f"{said}.", code=answer.code, remedy=answer.remedy)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return StorageError(f"{said}.", code="storage.s3_unavailable")
    message = error.response.get("Error", {}).get("Message", "")
    return StorageError(f"{said}: {message}", code="storage.s3_refused", retryable=False)
