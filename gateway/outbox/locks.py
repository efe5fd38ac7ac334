"""Who may do what at the same time: locks of PostgreSQL that end with their holder, also by kill -9.

Filing shares the copy of the reference data; a refresh has it alone, so that a call is checked against one whole copy.
An observation is replayed by one thread of one process.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from django.db import connection

logger = logging.getLogger(__name__)

#: First keys of the advisory locks: no other part of the program uses two keys.
_REFERENCE: Final = 1
_OBSERVATION: Final = 2


def share_reference_data() -> None:
    """Until the transaction ends no refresh changes the copy."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, 0)", [_REFERENCE])


def take_reference_data() -> None:
    """Until the transaction ends nobody files and nobody else refreshes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_REFERENCE])


@contextmanager
def sole_sender(sequence: UUID) -> Iterator[bool]:
    """Whether this thread has the observation for itself, until the end of the block.

    Held by the connection and not by a transaction: an answer may take a minute. Two observations with the same 32 bits
    wait for each other, which does no harm.
    """
    key = (sequence.int >> 96) - 2**31
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_OBSERVATION, key])
        (mine,) = cursor.fetchone()
    try:
        yield mine
    finally:
        if mine and connection.connection is not None and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_OBSERVATION, key])
