"""Every error: whose fault it is, whether a retry helps, and what to do.

Each error carries a stable ``code`` (``area.what``). The code stands in the operation row, the log, the metric tag, the
problem document of the API and in the one table of error codes (:mod:`ccatdc.common.error_table`), which says who tries
again and which circuit breaker it opens. Three families answer "whose fault":

* :class:`RequestError` - the caller's: a bad file list, a foreign observation, a request that is not allowed.
* :class:`ExternalError` - a place's: a disk that is full, a link that is cut, a server that does not answer.
* :class:`DataIntegrityError` - the bytes': what is stored is not what was promised. Never retried blindly.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar
from uuid import UUID

from ccatdc.common.error_table import ErrorKind, kind_of


class CcatError(Exception):
    """Base of all our errors.

    ``code``              stable, lower-case ``area.what``.
    ``message``           one sentence: what happened, to what.
    ``remedy``            what the reader should do next; empty when the retry does it.
    ``retryable``         whether doing the same again later can succeed.
    ``consumes_attempt``  whether a failure uses up an attempt; a fault of a place does not.
    ``place``             UUID of the location at fault, where the storage said it; None: that where the work runs.

    Who tries again follows from the code (error_table). A code that the table does not have follows the class.
    """

    default_code: ClassVar[str] = "internal.error"
    http_status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    default_retryable: ClassVar[bool] = False
    place: UUID | None = None

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        remedy: str = "",
        retryable: bool | None = None,
        consumes_attempt: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.remedy = remedy
        kind = self.kind
        if retryable is None:
            retryable = kind.retryable if kind is not None else self.default_retryable
        if consumes_attempt is None:
            consumes_attempt = kind is None or kind.consumes_attempt
        self.retryable, self.consumes_attempt = retryable, consumes_attempt

    @property
    def kind(self) -> ErrorKind | None:
        """Its line in the table of error codes."""
        return kind_of(self.code)

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class RequestError(CcatError):
    """The caller asked for something that cannot be done; the same request again fails again."""

    default_code = "request.invalid"
    http_status = HTTPStatus.BAD_REQUEST


class ConflictError(RequestError):
    """The request contradicts what is stored already."""

    default_code = "request.conflict"
    http_status = HTTPStatus.CONFLICT


class NotAllowedError(RequestError):
    """The caller is known, but may not do this."""

    default_code = "request.not_allowed"
    http_status = HTTPStatus.FORBIDDEN


class NotFoundError(RequestError):
    """The thing that the request names does not exist."""

    default_code = "request.not_found"
    http_status = HTTPStatus.NOT_FOUND


class ConfigurationError(CcatError):
    """A row or a setting is wrong; an operator has to change it, then retry."""

    default_code = "configuration.invalid"


class ExternalError(CcatError):
    """Something outside failed that works on another day: disk, network, server."""

    default_code = "world.unavailable"
    http_status = HTTPStatus.SERVICE_UNAVAILABLE
    default_retryable = True


class StorageError(ExternalError):
    """A storage location did not do what was asked."""

    default_code = "storage.io"


class NoSpaceError(StorageError):
    """A location is full: no bytes, no inodes or no quota left. Work waits for room."""

    default_code = "storage.no_space"


class LocationIdentityError(StorageError):
    """The marker of a location is missing or belongs to another one: an unmounted disk or a re-pointed bucket."""

    default_code = "location.identity"


class KeyEscapesError(RequestError):
    """A key or path would leave the root of its location."""

    default_code = "storage.path_escapes"


class KeyExistsError(StorageError):
    """A name is used once; this one is taken."""

    default_code = "storage.key_exists"
    default_retryable = True


class KeyMissingError(StorageError):
    """There is nothing under this key."""

    default_code = "storage.key_missing"
    default_retryable = False


class NotSupportedError(ConfigurationError):
    """A storage technology or transport cannot do this by its nature."""

    default_code = "storage.not_supported"


class TransportError(ExternalError):
    """Moving bytes between two locations failed."""

    default_code = "transport.failed"


class DataIntegrityError(CcatError):
    """Bytes differ from what was promised: size, digest or structure. Never retried blindly, always visible."""

    default_code = "integrity.mismatch"
    http_status = HTTPStatus.CONFLICT


class InvalidTransition(ConflictError):
    """A status may not change this way now, or somebody else changed it first."""

    default_code = "status.invalid_transition"


class LeaseLostError(CcatError):
    """Another worker owns this operation now; nothing may be written any more."""

    default_code = "operation.lease_lost"


class Blocked(CcatError):
    """Nothing is wrong with the work; something else has to change first. The portal shows it as "waits for"."""

    default_code = "manager.waits"
