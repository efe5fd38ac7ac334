"""States of data: where a package is in its life, what a copy is, and whether its bytes can be trusted.

Package (seeds: PackageState)::

    WAITING -> TRANSFERRING -> ARCHIVED     one good archive copy or more; replicas have operations of their own
       ^  \\          |           ^ |
       |   +---------+-> FAILED -+ |         FAILED is resent by itself, or by an operator
       +-------------------+  ^----+         the last good archive copy was lost

Copy (seeds: PhysicalCopyStatus)::

    PRESENT | STAGED -> DELETION_SCHEDULED -> DELETION_IN_PROGRESS -> DELETED   the row stays: the audit trail
       |  ^                   ^     |                  |
       |  +-------------------|-----+ (a reason to keep appeared)
       +-> DELETION_POSSIBLE -+                        +-> DELETION_FAILED -> DELETION_SCHEDULED
       +-> DELETION_PENDING --+ (waits for an operator's approval)

DELETION_POSSIBLE is only for raw files: their package's copy in the site buffer is gone, so only retention keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db import models

from ccatdc.common.states import Moves


class PackageState(models.TextChoices):
    """Where the data of a package is in its life."""

    WAITING = "waiting", "Waiting"
    TRANSFERRING = "transferring", "Transferring"
    ARCHIVED = "archived", "Archived"
    FAILED = "failed", "Failed"


PACKAGE_MOVES: Moves = {
    PackageState.WAITING: frozenset({PackageState.TRANSFERRING, PackageState.ARCHIVED, PackageState.FAILED}),
    PackageState.TRANSFERRING: frozenset({PackageState.WAITING, PackageState.ARCHIVED, PackageState.FAILED}),
    PackageState.FAILED: frozenset({PackageState.WAITING, PackageState.TRANSFERRING, PackageState.ARCHIVED}),
    PackageState.ARCHIVED: frozenset({PackageState.FAILED}),
}
PACKAGE_STATE_COLOURS: Mapping[str, str] = {
    PackageState.WAITING: "warning",
    PackageState.TRANSFERRING: "info",
    PackageState.ARCHIVED: "success",
    PackageState.FAILED: "danger",
}


class PhysicalCopyStatus(models.TextChoices):
    """What a copy is, from its creation to its deletion."""

    PRESENT = "present", "Present"
    STAGED = "staged", "Staged"
    DELETION_POSSIBLE = "deletion_possible", "Deletion possible"
    DELETION_PENDING = "deletion_pending", "Deletion pending"
    DELETION_SCHEDULED = "deletion_scheduled", "Deletion scheduled"
    DELETION_IN_PROGRESS = "deletion_in_progress", "Deletion in progress"
    DELETION_FAILED = "deletion_failed", "Deletion failed"
    DELETED = "deleted", "Deleted"


_C = PhysicalCopyStatus
COPY_MOVES: Moves = {
    _C.PRESENT: frozenset({_C.STAGED, _C.DELETION_POSSIBLE, _C.DELETION_PENDING, _C.DELETION_SCHEDULED}),
    _C.STAGED: frozenset({_C.DELETION_PENDING, _C.DELETION_SCHEDULED}),
    _C.DELETION_POSSIBLE: frozenset({_C.PRESENT, _C.DELETION_PENDING, _C.DELETION_SCHEDULED}),
    _C.DELETION_PENDING: frozenset({_C.PRESENT, _C.STAGED, _C.DELETION_SCHEDULED}),
    _C.DELETION_SCHEDULED: frozenset({_C.PRESENT, _C.STAGED, _C.DELETION_IN_PROGRESS}),
    _C.DELETION_IN_PROGRESS: frozenset({_C.PRESENT, _C.STAGED, _C.DELETED, _C.DELETION_FAILED}),
    _C.DELETION_FAILED: frozenset({_C.PRESENT, _C.STAGED, _C.DELETION_SCHEDULED}),
    _C.DELETED: frozenset(),
}
COPY_COLOURS: Mapping[str, str] = {
    _C.PRESENT: "success",
    _C.STAGED: "success",
    _C.DELETION_POSSIBLE: "info",
    _C.DELETION_PENDING: "warning",
    _C.DELETION_SCHEDULED: "warning",
    _C.DELETION_IN_PROGRESS: "warning",
    _C.DELETION_FAILED: "danger",
    _C.DELETED: "default",
}
#: A copy in one of these has its bytes where the row says; others are on their way out.
READABLE = (_C.PRESENT, _C.STAGED, _C.DELETION_POSSIBLE)


class Integrity(models.TextChoices):
    """Whether the bytes of a copy are what was promised."""

    UNVERIFIED = "unverified", "Unverified"
    OK = "ok", "Ok"
    SUSPECT = "suspect", "Suspect"
    DAMAGED = "damaged", "Damaged"
    MISSING = "missing", "Missing"


INTEGRITY_COLOURS: Mapping[str, str] = {
    Integrity.UNVERIFIED: "default",
    Integrity.OK: "success",
    Integrity.SUSPECT: "warning",
    Integrity.DAMAGED: "danger",
    Integrity.MISSING: "danger",
}


class VerifiedHow(models.TextChoices):
    """What a verdict of integrity rests on, weakest last."""

    READ_BACK = "read_back", "Read back in full, BLAKE3 compared"
    WRITTEN = "written", "BLAKE3 of the bytes as they were written, then fsync"
    RECEIVED = "received", "BLAKE3 of the bytes as they were received, then fsync"
    NONE = "", "Not verified"


class WantedCheck(models.TextChoices):
    """What somebody needs to know about a copy before they go on (stage 90 finds out)."""

    LOOK = "look", "Look whether it is there"
    READ = "read", "Read it in full"


#: Verdicts under which a file or a copy may be used.
USABLE = (Integrity.OK, Integrity.UNVERIFIED)
NEEDS_ATTENTION = (Integrity.SUSPECT, Integrity.DAMAGED, Integrity.MISSING)
