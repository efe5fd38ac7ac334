"""THE RULE OF DELETION: why a copy must be kept. Asked by stage 70 when it schedules and again, under lock, just before
it deletes.

``retention/facts.py`` reads the facts once for many copies; :func:`reasons_to_keep` is pure: facts in, reasons out. No
reason, and only then, a copy may go. Evidence is an archive copy that is PRESENT, ``ok``, has the package's digest, was
read back in full and was verified recently. Where only a look at archive copies, or a read of them, is lacking, the
reason says so: stage 90 does it, and the deletion goes on. Disk pressure shortens retention and never touches
verification.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from datamgmt.models import DataLocation, DeletionMode, LocationType, PhysicalCopy, RawDataPackage
from datamgmt.models.copies import CopyType
from datamgmt.states import Integrity, PackageState, VerifiedHow, WantedCheck

#: How long a look at an archive copy counts: an operation looks when it begins, and has deleted its copies by then.
LOOK_MAX_AGE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a copy stays. ``code`` is stable; ``text`` is for people.

    ``check``: it passes when the archive copies ``of`` are looked at, or read in full, and are well.
    """

    code: str
    text: str
    check: str = ""
    of: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ArchiveEvidence:
    """One archive copy, as the database knows it."""

    copy_id: int
    location: str
    site_id: int
    key: str
    digest: str
    verified_at: datetime
    verified_how: str
    seen_at: datetime
    scrub_days: float

    def as_json(self) -> dict[str, Any]:
        """What is stored with a deletion."""
        return {
            "copy": self.copy_id,
            "location": self.location,
            "key": self.key,
            "digest": self.digest,
            "verified_at": self.verified_at.isoformat(),
            "verified_how": self.verified_how,
            "seen_at": self.seen_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the decision about one copy depends on."""

    copy: PhysicalCopy
    location: DataLocation
    package: RawDataPackage | None
    now: datetime
    archive_copies: tuple[ArchiveEvidence, ...] = ()
    archives_at_site: frozenset[str] = frozenset()
    read_by: tuple[str, ...] = ()
    needed_by_jobs: tuple[int, ...] = ()
    released_at: datetime | None = None
    other_copy_at_site: bool = False
    other_copies: int = 0
    unfinished_transfers: int = 0
    finished_transfers: int = 0

    @property
    def evidence(self) -> list[ArchiveEvidence]:
        """Archive copies that prove something: right digest, read back in full, recently."""
        return [copy for copy in self._promised if self._is_proven(copy)]

    @property
    def unproven(self) -> list[ArchiveEvidence]:
        """Archive copies that a full read would make evidence."""
        return [copy for copy in self._promised if not self._is_proven(copy)]

    @property
    def _promised(self) -> list[ArchiveEvidence]:
        assert self.package is not None  # noqa: S101  only asked about packages and their files
        digest = self.package.digest
        return [copy for copy in self.archive_copies if digest and copy.digest == digest]

    def _is_proven(self, copy: ArchiveEvidence) -> bool:
        oldest = self.now - timedelta(days=self.location.evidence_max_age_days)
        return copy.verified_how == VerifiedHow.READ_BACK and copy.verified_at >= oldest


Rule = Callable[[Facts], Reason | None]


def _archive(facts: Facts) -> Reason | None:
    if facts.location.location_type == LocationType.LONG_TERM_ARCHIVE:
        return Reason("archive.never", "Archive copies are never deleted automatically.")
    return None


def _mode(facts: Facts) -> Reason | None:
    if facts.location.deletion_mode == DeletionMode.OFF:
        return Reason("location.deletion_off", f"Deletion is off at {facts.location.full_name}.")
    return None


def _integrity(facts: Facts) -> Reason | None:
    """A raw file must be the very one that was packaged. A tar or tree of ours that a person had checked again is worth
    nothing beside the proven archive copies that the other rules ask for.
    """
    is_ours = facts.copy.type != CopyType.RAW_DATA_FILE
    harmless = (Integrity.OK, Integrity.UNVERIFIED) if is_ours else (Integrity.OK,)
    if facts.copy.integrity not in harmless:
        return Reason(
            "copy.not_ok", f"The copy is {facts.copy.get_integrity_display().lower()}: a person has to look at it."
        )
    return None


def _packaged(facts: Facts) -> Reason | None:
    if facts.package is None and facts.copy.type != CopyType.DATA_TRANSFER_PACKAGE:
        return Reason("file.unpackaged", "The file is in no package yet.")
    return None


def _archived(facts: Facts) -> Reason | None:
    if facts.package is not None and facts.package.state != PackageState.ARCHIVED:
        return Reason("package.not_archived", f"Package {facts.package} is not archived.")
    return None


def _evidence(facts: Facts) -> Reason | None:
    if facts.package is None:
        return None
    wanted, found = facts.location.min_archive_copies, len(facts.evidence)
    if found >= wanted:
        return None
    return _to_read(
        "archive.too_few",
        f"{found} of {wanted} archive copies are proven (right digest, read back in full,"
        f" within {facts.location.evidence_max_age_days:g} days).",
        facts.unproven if found + len(facts.unproven) >= wanted else [],
    )


def _seen(facts: Facts) -> Reason | None:
    """A row is not believed where bytes are to go: every store that counts is asked shortly before."""
    if facts.package is None:
        return None
    oldest = facts.now - LOOK_MAX_AGE
    unseen = tuple(copy.copy_id for copy in facts.evidence if copy.seen_at < oldest)
    if not unseen:
        return None
    return Reason(
        "archive.not_seen", "Its archive copies are looked at in their stores first.", WantedCheck.LOOK, unseen
    )


def _read(facts: Facts) -> Reason | None:
    """A look finds what is gone, not what was damaged. Before the last copy outside the archives goes, one in an
    archive was read lately; copies at two sites are each other's security, and count as long as they are read
    regularly.
    """
    if facts.package is None or facts.other_copies or not facts.evidence:
        return None
    sites = {copy.site_id for copy in facts.evidence}
    hours = timedelta(hours=facts.location.last_copy_read_hours)
    for copy in facts.evidence:
        period = timedelta(days=copy.scrub_days) if len(sites) > 1 else hours
        if copy.verified_at >= facts.now - max(period, hours):
            return None
    return _to_read(
        "archive.read_too_old",
        "It is the last copy outside the archives, and no archive copy was read in full lately: one is read first.",
        [min(facts.evidence, key=lambda copy: copy.verified_at)],
    )


def _archive_here(facts: Facts) -> Reason | None:
    if facts.location.location_type != LocationType.BUFFER or facts.package is None:
        return None
    missing = facts.archives_at_site - {copy.location for copy in facts.evidence}
    if not missing:
        return None
    readable = [copy for copy in facts.unproven if copy.location in missing]
    return _to_read(
        "archive.missing_here",
        f"{', '.join(sorted(missing))} has no proven copy yet.",
        readable if missing == {copy.location for copy in readable} else [],
    )


def _to_read(code: str, text: str, copies: list[ArchiveEvidence]) -> Reason:
    """A reason that passes when these are read; one that stays where there are none."""
    check = WantedCheck.READ if copies else ""
    return Reason(code, text, check, tuple(copy.copy_id for copy in copies))


def _still_in_buffer(facts: Facts) -> Reason | None:
    if facts.copy.type == CopyType.RAW_DATA_FILE and facts.other_copy_at_site:
        return Reason("file.package_in_buffer", "Its package is still in the buffer of the site.")
    return None


def _in_use(facts: Facts) -> Reason | None:
    if facts.read_by:
        return Reason("operation.reads", f"Open operations read it: {', '.join(facts.read_by)}.")
    return None


def _transfers(facts: Facts) -> Reason | None:
    if facts.unfinished_transfers:
        return Reason(
            "bundle.under_way", f"{facts.unfinished_transfers} transfers with it are not received and unpacked."
        )
    if facts.copy.type == CopyType.DATA_TRANSFER_PACKAGE and not facts.finished_transfers:
        return Reason("bundle.not_sent", "The bundle has not been transferred.")
    return None


def _jobs(facts: Facts) -> Reason | None:
    if facts.needed_by_jobs:
        jobs = ", ".join(str(job) for job in facts.needed_by_jobs)
        return Reason("job.active", f"Staging jobs need it: {jobs}.")
    return None


def _retention(facts: Facts) -> Reason | None:
    if facts.copy.type == CopyType.DATA_TRANSFER_PACKAGE or facts.location.under_pressure:
        return None
    if facts.released_at is None:
        return None
    until = facts.released_at + timedelta(days=facts.location.effective_retention_days)
    if facts.now < until:
        return Reason("retention", f"Retention ends {until:%Y-%m-%d %H:%M} UTC.")
    return None


#: One line adds a rule; each has a test of its own.
RULES: tuple[Rule, ...] = (
    _archive,
    _mode,
    _integrity,
    _packaged,
    _archived,
    _evidence,
    _seen,
    _read,
    _archive_here,
    _still_in_buffer,
    _in_use,
    _transfers,
    _jobs,
    _retention,
)
#: With only these left a raw file's deletion is possible, and time or disk pressure decides.
ONLY_TIME = frozenset({"retention"})


def reasons_to_keep(facts: Facts) -> list[Reason]:
    """Every reason why the copy stays; empty: it may go."""
    return [reason for rule in RULES if (reason := rule(facts)) is not None]


def lasting(reasons: Iterable[Reason]) -> list[Reason]:
    """Those that no look and no read removes."""
    return [reason for reason in reasons if not reason.check]


def to_check(reasons: Iterable[Reason], check: str) -> set[int]:
    """The archive copies of which these reasons want this check."""
    return {copy for reason in reasons if reason.check == check for copy in reason.of}
