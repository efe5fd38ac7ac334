"""What can go wrong, and the exit status that ``ccat-data`` gives it. Below everything else here."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses of ``ccat-data``; stable."""

    DONE = 0  #: done; with --wait: all is there
    FAILED = 1  #: a fault of this program, or of the disk here
    USAGE = 2  #: the command line or a value makes no sense
    REFUSED = 3  #: the server refused it for good
    WAITING = 4  #: not in time, or the server is away: the same command goes on where this one ended
    DAMAGED = 5  #: bytes are not those that were archived
    SETTINGS = 6  #: address or token is missing or was rejected


class CcatDataError(Exception):
    """Base of all errors of this package; ``exit`` is the command's exit status."""

    exit: Exit = Exit.FAILED


class UsageError(CcatDataError, ValueError):
    """What was given makes no sense."""

    exit = Exit.USAGE


class RefusedError(CcatDataError):
    """The server refused the request; the same one is refused again. ``code`` is the server's."""

    exit = Exit.REFUSED

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class AwayError(CcatDataError):
    """The server does not answer, or has no time: it helps to try again."""

    exit = Exit.WAITING


class StillWaitingError(AwayError):
    """What was waited for did not happen in time."""


class DamagedError(CcatDataError):
    """Bytes are not those that were archived."""

    exit = Exit.DAMAGED


class SettingsError(CcatDataError):
    """Address or token is missing, unusable or rejected."""

    exit = Exit.SETTINGS
