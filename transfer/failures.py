"""Whatever an operation raised, as one of our errors.

Whose fault, whether a retry helps, what to do.

Between an operation's code and the end of its run (transfer/endings.py).
"""

from __future__ import annotations

import errno
from typing import Final

from django_q.exceptions import TimeoutException

from ccatdc.common.errors import CcatError, NoSpaceError, StorageError, WorldError
from transfer.database import DATABASE_AWAY

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def as_ccat_error(raised: BaseException) -> CcatError:
    """The error to write into the row.

    ``OSError`` is the storage's, anything unknown is our own mistake.
    """
    if isinstance(raised, CcatError):
        return raised
    if isinstance(raised, OSError):
        if raised.errno in _FULL:
            return NoSpaceError(f"No space left: {raised}.")
        return StorageError(f"{type(raised).__name__}: {raised}.", code="storage.os_error")
    if isinstance(raised, DATABASE_AWAY):
        # Everybody's trouble, not this operation's: it uses up no attempt.
        return WorldError(
            f"The database did not answer: {raised}", code="database.unavailable", counts=False
        )
    if isinstance(raised, TimeoutException):
        return WorldError(f"The time limit ended it: {raised}", code="operation.timeout")
    return CcatError(
        f"{type(raised).__name__}: {raised}",
        remedy="This is a mistake in the program: the log of the operation has the traceback.",
        retryable=True,
    )
