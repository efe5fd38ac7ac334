"""What S3 servers and the network say, as our errors with stable codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError, InvalidRegionError, NoCredentialsError
from urllib3.exceptions import HTTPError

from ccatdc.common.errors import CcatError, KeyMissingError, NoSpaceError, StorageError


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a group of the servers' codes means to us (error_codes.yaml has the rest). A HEAD has no code but its
    status.
    """

    codes: frozenset[str]
    error: type[CcatError]
    code: str


_ANSWERS: Final = (
    _Answer(
        frozenset({"NoSuchKey", "NoSuchVersion", "NotFound", "404"}), KeyMissingError, KeyMissingError.default_code
    ),
    _Answer(frozenset({"NoSuchBucket"}), StorageError, "storage.s3_bucket_missing"),
    _Answer(
        frozenset(
            {
                "AccessDenied",
                "AccountProblem",
                "AllAccessDisabled",
                "AuthorizationHeaderMalformed",
                "ExpiredToken",
                "InvalidAccessKeyId",
                "InvalidToken",
                "SignatureDoesNotMatch",
                "TokenRefreshRequired",
                "401",
                "403",
            }
        ),
        StorageError,
        "storage.s3_credentials",
    ),
    _Answer(frozenset({"RequestTimeTooSkewed", "RequestExpired"}), StorageError, "storage.clock_skew"),
    _Answer(
        frozenset(
            {
                "InsufficientCapacity",
                "InsufficientStorage",
                "InsufficientStorageSpace",
                "QuotaExceeded",
                "ServiceQuotaExceeded",
                "XMinioAdminBucketQuotaExceeded",
                "XMinioStorageFull",
                "507",
            }
        ),
        NoSpaceError,
        NoSpaceError.default_code,
    ),
    _Answer(
        frozenset({"BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch"}), StorageError, "storage.s3_bad_digest"
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

    The place is at fault in all of them: the work waits until the server, its keys or its bucket are right again. One
    odd answer is never final. What is no answer of a server stays as it is: it is our mistake.
    """
    try:
        yield
    except CcatError:
        raise
    except ClientError as error:
        raise from_response(error, doing) from error
    except (NoCredentialsError, InvalidRegionError) as error:
        raise StorageError(f"Cannot {doing}: {error}", code="storage.s3_settings") from error
    except (BotoCoreError, HTTPError, OSError) as error:
        raise StorageError(
            f"Cannot {doing}: the server did not answer as it should ({error}).", code="storage.s3_unavailable"
        ) from error


def from_response(error: ClientError, doing: str) -> CcatError:
    """Our error for a server's refusal."""
    found = error.response.get("Error", {})
    code = str(found.get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    said = f"Cannot {doing}: the server says {code or status}"
    for answer in _ANSWERS:
        if code in answer.codes:
            return answer.error(f"{said}.", code=answer.code)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return StorageError(f"{said}.", code="storage.s3_unavailable")
    return StorageError(f"{said}: {found.get('Message', '')}", code="storage.s3_refused")
