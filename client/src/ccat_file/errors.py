"""What can go wrong, and the exit status that the command gives it. Below everything else here."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses of ``ccat-file``; stable."""

    DONE = 0  #: spooled; with --wait accepted; watch: all is archived; status: nothing waits
    FAILED = 1  #: a fault of this program
    USAGE = 2  #: the command line, a path or a value makes no sense; nothing was spooled
    REFUSED = 3  #: the server refused a call, which lies in the dead-letter folder
    WAITING = 4  #: what was asked for did not happen in time; spooled calls stay spooled
    NOT_SPOOLED = 5  #: the spool cannot be written (disk full, permissions); nothing was recorded
    SETTINGS = 6  #: address or token is missing or was rejected


class CcatFileError(Exception):
    """Base of all errors of this package; ``exit`` is the command's exit status."""

    exit: Exit = Exit.FAILED


class UsageError(CcatFileError, ValueError):
    """What was given makes no sense. Nothing was spooled."""

    exit = Exit.USAGE


class SpoolError(CcatFileError):
    """The spool could not be written or read. Unless the message says otherwise, nothing was."""

    exit = Exit.NOT_SPOOLED


class SettingsError(CcatFileError):
    """Address or token is missing, unusable or rejected. What is spooled stays spooled."""

    exit = Exit.SETTINGS


class RefusedError(CcatFileError):
    """The server refused a call for good; it lies in the dead-letter folder."""

    exit = Exit.REFUSED


class StillWaitingError(CcatFileError):
    """What was waited for did not happen in time."""

    exit = Exit.WAITING
